"""The slice of CloudWatch Logs that people use: groups, streams, events, over the logs' store.

JSON-RPC (X-Amz-Target ``Logs_20140328.NAME``). Words and limits are the service's; how lines are
kept and found is ``logs``' business. A question sees every line that was written before it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from dynimo.api.aws import logs_asked, logs_put
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.logs_asked import Asked, Exists, Invalid, LimitExceeded, NotFound
from dynimo.logs import groups, layout, notes, pages, patterns
from dynimo.logs.budget import DAY_MS
from dynimo.logs.jsonpatterns import InvalidPattern
from dynimo.logs.keeper import Keeper, Key
from dynimo.logs.notes import Notes
from dynimo.logs.reading import FOREVER_MS, Found, Stream, Wanted, end_of
from dynimo.logs.store import Store
from dynimo.model.names import Place

LISTED_MAX = 50
RETENTIONS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
TAGS_MAX = 50
_CONTENT_TYPE = "application/x-amz-json-1.1"
_NO_GROUP = "The specified log group does not exist."
_NO_STREAM = "The specified log stream does not exist."

Run: TypeAlias = Callable[[Asked], Awaitable[dict[str, Any] | None]]


class CloudWatchLogs:
    """The operations of the ``logs`` service."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def operations(self) -> list[Operation]:
        """All that is served."""
        served: dict[str, Run] = {
            "DescribeLogGroups": self._describe_groups,
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
            "FilterLogEvents": self._filter_events,
            "CreateLogGroup": self._create_group,
            "CreateLogStream": self._create_stream,
            "PutLogEvents": self._put_events,
            "DeleteLogGroup": self._delete_group,
            "DeleteLogStream": self._delete_stream,
            "PutRetentionPolicy": self._put_retention,
            "DeleteRetentionPolicy": self._delete_retention,
            "ListTagsForResource": self._list_tags,
            "ListTagsLogGroup": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }
        return [
            Operation(
                name=name,
                method="POST",
                path=name,
                run=_answering(run),
                resource=logs_asked.resource_arn,
            )
            for name, run in served.items()
        ]

    # Groups.

    async def _describe_groups(self, asked: Asked) -> dict[str, Any]:
        prefix, part = asked.text("logGroupNamePrefix"), asked.text("logGroupNamePattern")
        if prefix and part:
            raise Invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive.")
        limit = asked.number("limit", LISTED_MAX, low=1, high=LISTED_MAX)
        after = asked.text("nextToken")
        named = {logs_asked.group_of(each) for each in asked.texts("logGroupIdentifiers")}

        def find() -> tuple[list[groups.Group], bool]:
            names = [
                name
                for name in groups.names(self._store.folder, asked.account)
                if name.startswith(prefix)
                and part in name
                and name > after
                and (not named or name in named)
            ]
            found = (
                groups.describe(self._store.folder, asked.account, name) for name in names[:limit]
            )
            return [each for each in found if each is not None], len(names) > limit

        await self._store.settle()
        found, more = await self._store.read(find)
        answer: dict[str, Any] = {"logGroups": [_group(each, asked.place) for each in found]}
        if more and found:
            answer["nextToken"] = found[-1].name
        return answer

    async def _create_group(self, asked: Asked) -> None:
        key = Key(asked.account, asked.group())
        tags = asked.pairs("tags")

        def create(keeper: Keeper) -> bool:
            if not keeper.create_group(key):
                return False
            return keeper.note(key, lambda noted: noted.tags.update(tags)) if tags else True

        if not await self._store.act(create):
            raise Exists("The specified log group already exists")

    async def _delete_group(self, asked: Asked) -> None:
        key = Key(asked.account, asked.group())
        if not await self._store.act(lambda keeper: keeper.delete_group(key)):
            raise NotFound(_NO_GROUP)

    async def _put_retention(self, asked: Asked) -> None:
        days = asked.number("retentionInDays", 0)
        if days not in RETENTIONS:
            listed = ", ".join(map(str, RETENTIONS))
            raise Invalid(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to"
                f" satisfy constraint: Member must satisfy enum value set: [{listed}]"
            )
        await self._note(asked.account, asked.group(), _retention(days))

    async def _delete_retention(self, asked: Asked) -> None:
        await self._note(asked.account, asked.group(), _retention(0))

    async def _list_tags(self, asked: Asked) -> dict[str, Any]:
        group = asked.resource() if asked.text("resourceArn") else asked.group()
        return {"tags": (await self._noted(asked.account, group)).tags}

    async def _tag(self, asked: Asked) -> None:
        tags = asked.pairs("tags")

        def change(noted: Notes) -> None:
            if len(noted.tags | tags) > TAGS_MAX:
                raise Invalid(f"A resource has at most {TAGS_MAX} tags.")
            noted.tags.update(tags)

        await self._note(asked.account, asked.resource(), change)

    async def _untag(self, asked: Asked) -> None:
        keys = set(asked.texts("tagKeys"))

        def change(noted: Notes) -> None:
            noted.tags = {key: tag for key, tag in noted.tags.items() if key not in keys}

        await self._note(asked.account, asked.resource(), change)

    # Streams.

    async def _describe_streams(self, asked: Asked) -> dict[str, Any]:
        group, prefix = asked.group(), asked.text("logStreamNamePrefix")
        by_time = asked.text("orderBy", "LogStreamName") == "LastEventTime"
        if by_time and prefix:
            raise Invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        descending = asked.flag("descending")
        limit = asked.number("limit", LISTED_MAX, low=1, high=LISTED_MAX)
        after = _listed_token(asked.text("nextToken"))

        def order(stream: Stream) -> tuple[int, str]:
            return (stream.last_ms if by_time else 0, stream.name)

        known = await self._streams(asked.account, group)
        wanted = [each for each in known if each.name.startswith(prefix)]
        wanted.sort(key=order, reverse=descending)
        if after is not None:
            wanted = [
                each
                for each in wanted
                if (order(each) < after if descending else order(each) > after)
            ]
        listed = wanted[:limit]
        answer: dict[str, Any] = {
            "logStreams": [_stream(each, group, asked.place) for each in listed]
        }
        if len(wanted) > limit:
            text = json.dumps(order(listed[-1])).encode()
            answer["nextToken"] = base64.urlsafe_b64encode(text).decode()
        return answer

    async def _create_stream(self, asked: Asked) -> None:
        group, stream = asked.group(), asked.stream()
        if any(each.name == stream for each in await self._streams(asked.account, group)):
            raise Exists("The specified log stream already exists")
        now_ms = int(self._now() * 1000)

        def change(noted: Notes) -> None:
            if len(noted.streams) >= notes.STREAMS_MAX:
                raise LimitExceeded(f"{notes.STREAMS_MAX} log streams were made in it by name.")
            noted.streams[stream] = now_ms

        await self._note(asked.account, group, change)

    async def _delete_stream(self, asked: Asked) -> None:
        group, stream = asked.group(), asked.stream()
        if not any(each.name == stream for each in await self._streams(asked.account, group)):
            raise NotFound(_NO_STREAM)
        folder = layout.group_folder(self._store.folder, asked.account, group)

        def change(noted: Notes) -> None:
            noted.streams.pop(stream, None)
            if len(noted.gone) >= notes.STREAMS_MAX:
                raise LimitExceeded(f"{notes.STREAMS_MAX} log streams of it were deleted lately.")
            noted.gone[stream] = str(end_of(folder))

        await self._note(asked.account, group, change)

    # Events.

    async def _get_events(self, asked: Asked) -> dict[str, Any]:
        group, stream = asked.group(), asked.stream()
        limit = asked.number("limit", pages.EVENTS_MAX, low=1, high=pages.EVENTS_MAX)
        token, from_head = asked.text("nextToken"), asked.flag("startFromHead")
        since, until = asked.number("startTime", 0), asked.number("endTime", FOREVER_MS)
        noted = await self._noted(asked.account, group)
        wanted = self._wanted(noted, since, until, {stream}.__contains__)
        folder = layout.group_folder(self._store.folder, asked.account, group)
        try:
            page = await self._store.read(
                lambda: pages.of_stream(
                    folder, wanted, token=token, from_head=from_head, limit=limit
                )
            )
        except pages.InvalidToken:
            raise Invalid("The specified nextToken is invalid.") from None
        if not page.events and not token:
            known = await self._streams(asked.account, group)
            if not any(each.name == stream for each in known):
                raise NotFound(_NO_STREAM)
        return {
            "events": [_event(each) for each in page.events],
            "nextForwardToken": page.forward,
            "nextBackwardToken": page.backward,
        }

    async def _filter_events(self, asked: Asked) -> dict[str, Any]:
        group, names = asked.group(), asked.texts("logStreamNames")
        prefix = asked.text("logStreamNamePrefix")
        if names and prefix:
            raise Invalid("logStreamNamePrefix and logStreamNames cannot be used together.")
        limit = asked.number("limit", pages.EVENTS_MAX, low=1, high=pages.EVENTS_MAX)
        token, from_head = asked.text("nextToken"), asked.flag("startFromHead", default=True)
        since, until = asked.number("startTime", 0), asked.number("endTime", FOREVER_MS - 1)
        try:
            match = patterns.compiled(asked.text("filterPattern"))
        except InvalidPattern as error:
            raise Invalid(f"Invalid filter pattern: {error}.") from None
        noted = await self._noted(asked.account, group)
        if names:
            known = {each.name for each in await self._streams(asked.account, group)}
            if not known.issuperset(names):
                raise NotFound(_NO_STREAM)
        wanted = self._wanted(noted, since, until + 1, pages.chosen(names, prefix))
        folder = layout.group_folder(self._store.folder, asked.account, group)
        try:
            page = await self._store.read(
                lambda: pages.of_group(
                    folder, wanted, token=token, from_head=from_head, limit=limit, match=match
                )
            )
        except pages.InvalidToken:
            raise Invalid("The specified nextToken is invalid.") from None
        events = [
            {
                "logStreamName": each.record.stream,
                **_event(each),
                "eventId": layout.event_id(each.record.when_ms, each.at),
            }
            for each in page.events
        ]
        answer: dict[str, Any] = {"events": events, "searchedLogStreams": []}
        if page.forward:
            answer["nextToken"] = page.forward
        return answer

    async def _put_events(self, asked: Asked) -> dict[str, Any]:
        group, stream = asked.group(), asked.stream()
        noted = await self._noted(asked.account, group)
        if stream not in noted.streams:
            known = await self._streams(asked.account, group)
            if not any(each.name == stream for each in known):
                raise NotFound(_NO_STREAM)
        days = noted.retention_days or self._store.config.retention_days
        batch = logs_put.batch(
            asked.items("logEvents"), now_ms=int(self._now() * 1000), retention_days=days
        )
        rows = [(when, stream, "event", "", text) for when, text in batch.events]
        key = Key(asked.account, group)
        if rows and not await self._store.act(lambda keeper: keeper.append(key, rows)):
            raise logs_put.Unavailable("The disk of the platform takes no lines now.")
        answer: dict[str, Any] = {"nextSequenceToken": f"{int(self._now() * 1000):056d}"}
        if batch.rejected:
            answer["rejectedLogEventsInfo"] = batch.rejected
        return answer

    # Inside.

    def _wanted(
        self, noted: Notes, since: int, until: int, stream: Callable[[str], bool] | None
    ) -> Wanted:
        """What a question may see: not what is over its retention, nor of deleted streams."""
        days = noted.retention_days or self._store.config.retention_days
        if days:
            since = max(since, int(self._now() * 1000) - days * DAY_MS)
        return Wanted(since_ms=since, until_ms=until, stream=stream, gone=noted.deleted)

    async def _noted(self, account: str, group: str) -> Notes:
        """The notes of a group that is there, once all lines before are written."""
        await self._store.settle()
        folder = layout.group_folder(self._store.folder, account, group)
        if not folder.is_dir():
            raise NotFound(_NO_GROUP)
        return notes.load(folder) or Notes(group=group)

    async def _note(self, account: str, group: str, change: Callable[[Notes], None]) -> None:
        key = Key(account, group)
        if not await self._store.act(lambda keeper: keeper.note(key, change)):
            raise NotFound(_NO_GROUP)

    async def _streams(self, account: str, group: str) -> list[Stream]:
        await self._store.settle()
        found = await self._store.read(lambda: groups.streams(self._store.folder, account, group))
        if found is None:
            raise NotFound(_NO_GROUP)
        return found


def _answering(run: Run) -> Callable[[Call], Awaitable[Answer]]:
    async def answer(call: Call) -> Answer:
        document = await run(Asked(call))
        if document is None:
            return Answer(body=b"", content_type=_CONTENT_TYPE)
        return Answer(document=document, content_type=_CONTENT_TYPE)

    return answer


def _retention(days: int) -> Callable[[Notes], None]:
    def change(noted: Notes) -> None:
        noted.retention_days = days

    return change


def _group(group: groups.Group, place: Place) -> dict[str, Any]:
    arn = place.arn("logs", f"log-group:{group.name}")
    document = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": group.size,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    }
    return document | ({"retentionInDays": group.retention_days} if group.retention_days else {})


def _stream(stream: Stream, group: str, place: Place) -> dict[str, Any]:
    document: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": place.arn("logs", f"log-group:{group}:log-stream:{stream.name}"),
        "storedBytes": 0,
    }
    if stream.lines:
        document["firstEventTimestamp"] = stream.first_ms
        document["lastEventTimestamp"] = stream.last_ms
        document["lastIngestionTime"] = stream.last_ms
    return document


def _event(found: Found) -> dict[str, Any]:
    when_ms = found.record.when_ms
    return {"timestamp": when_ms, "message": found.record.message, "ingestionTime": when_ms}


def _listed_token(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        when_ms, name = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(when_ms), str(name)
    except (ValueError, TypeError):
        raise Invalid("The specified nextToken is invalid.") from None
