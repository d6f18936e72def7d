"""Where ``dynimo logs`` gets lines from: the data folder's own files, or a platform's API.

Both give the same entries. Files serve while no server runs, and follow within a tenth of a second;
the API is for a platform that ``AWS_ENDPOINT_URL`` names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dynimo.deploying.client import ApiError, Client
from dynimo.logs import groups, layout, notes
from dynimo.logs.notes import Notes
from dynimo.logs.reading import Found, Scan, Wanted, end_of

TARGET = "Logs_20140328"
_STARTED = re.compile(r"(?:START RequestId: (\S+)|\{.*\"type\":\"platform\.start\")")
_KNOWN_IDS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. ``kind`` is ``function`` or ``platform``; ``request`` may be empty."""

    when_ms: int
    stream: str
    kind: str
    request: str
    text: str


Keep = Callable[[Entry], bool]


class Source(Protocol):
    """Something that has the lines of one group."""

    follow_seconds: float
    """How long to wait between questions for new ones."""

    def since(self, since_ms: int, keep: Keep) -> Iterator[Entry]:
        """Yield lines from a time on, oldest first."""

    def last(self, count: int, keep: Keep) -> list[Entry]:
        """The last so many lines, oldest first."""

    def fresh(self, keep: Keep) -> Iterator[Entry]:
        """Yield what came after the lines that were given before."""


class Files:
    """The store's files, read beside a server or without one."""

    follow_seconds = 0.1

    def __init__(self, root: Path, account: str, group: str) -> None:
        self._folder = layout.group_folder(root, account, group)
        self._at = layout.START

    def since(self, since_ms: int, keep: Keep) -> Iterator[Entry]:
        """Yield lines from a time on, oldest first."""
        yield from self._walked(Wanted(since_ms=since_ms, gone=self._gone()), keep)

    def last(self, count: int, keep: Keep) -> list[Entry]:
        """The last so many lines, oldest first."""
        self._at = end_of(self._folder)
        found: list[Entry] = []
        walk = Scan(self._folder, Wanted(gone=self._gone()), start=self._at, backwards=True)
        for each in walk:
            entry = _entry(each)
            if keep(entry):
                found.append(entry)
                if len(found) >= count:
                    break
        return found[::-1]

    def fresh(self, keep: Keep) -> Iterator[Entry]:
        """Yield what came after the lines that were given before."""
        if end_of(self._folder) < self._at:
            self._at = layout.START  # the group was deleted, and began anew
        yield from self._walked(Wanted(gone=self._gone()), keep)

    def _walked(self, wanted: Wanted, keep: Keep) -> Iterator[Entry]:
        walk = Scan(self._folder, wanted, start=self._at)
        for each in walk:
            self._at = each.after
            entry = _entry(each)
            if keep(entry):
                yield entry
        self._at = walk.position

    def _gone(self) -> dict[str, layout.Position]:
        return (notes.load(self._folder) or Notes(group="")).deleted


class Api:
    """FilterLogEvents of a platform. Which request a line belongs to is told from START lines."""

    follow_seconds = 1.0

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group
        self._since_ms = 0
        self._known: dict[str, None] = {}
        self._requests: dict[str, str] = {}

    def since(self, since_ms: int, keep: Keep) -> Iterator[Entry]:
        """Yield lines from a time on, oldest first."""
        self._since_ms = since_ms
        return self.fresh(keep)

    def last(self, count: int, keep: Keep) -> list[Entry]:
        """The last so many lines, oldest first."""
        found: list[Entry] = []
        asked: dict[str, Any] = {"startFromHead": False, "limit": min(10_000, max(100, count))}
        while True:
            page = self._page(asked)
            for event in page["events"]:
                self._since_ms = max(self._since_ms, event["timestamp"])
                self._note(event["eventId"])
                entry = self._entry(event)
                if keep(entry):
                    found.append(entry)
            if len(found) >= count or not page.get("nextToken"):
                break
            asked["nextToken"] = page["nextToken"]
        return found[:count][::-1]

    def fresh(self, keep: Keep) -> Iterator[Entry]:
        """Yield what came after the lines that were given before."""
        asked: dict[str, Any] = {"startTime": self._since_ms}
        while True:
            try:
                page = self._page(asked)
            except ApiError as error:
                if error.code == "ResourceNotFoundException" and self._known:
                    return  # deleted while it was followed; it may come again
                raise
            for event in page["events"]:
                if event["eventId"] in self._known:
                    continue
                self._note(event["eventId"])
                self._since_ms = max(self._since_ms, event["timestamp"])
                entry = self._entry(event)
                if keep(entry):
                    yield entry
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]

    def _page(self, asked: dict[str, Any]) -> Any:
        return call(self._client, "FilterLogEvents", {"logGroupName": self._group, **asked})

    def _note(self, event_id: str) -> None:
        self._known[event_id] = None
        if len(self._known) > _KNOWN_IDS_MAX:
            del self._known[next(iter(self._known))]

    def _entry(self, event: dict[str, Any]) -> Entry:
        text, stream = event["message"].removesuffix("\n"), event["logStreamName"]
        found = _STARTED.match(text)
        if found is not None:
            self._requests[stream] = found[1] or json.loads(text)["record"]["requestId"]
        platform = text.startswith(("START Req", "END Req", "REPORT Req", "INIT_", '{"time":'))
        return Entry(
            when_ms=event["timestamp"],
            stream=stream,
            kind="platform" if platform else "function",
            request=self._requests.get(stream, ""),
            text=text,
        )


def call(client: Client, operation: str, asked: dict[str, Any]) -> Any:
    """One operation of CloudWatch Logs.

    Raises:
        ApiError, Unreachable: as the client's.
    """
    headers = {
        "x-amz-target": f"{TARGET}.{operation}",
        "content-type": "application/x-amz-json-1.1",
    }
    answer, data = client.raw("POST", "/", json.dumps(asked).encode(), headers)
    told = json.loads(data) if data else {}
    if answer.status >= 300:
        code = str(told.get("__type", "")) if isinstance(told, dict) else ""
        # This service says 400 for everything; elsewhere, what is not there is a 404.
        status = 404 if code == "ResourceNotFoundException" else answer.status
        raise ApiError(status, code, str(told.get("message", "")))
    return told


def found_account(root: Path, group: str, preferred: str) -> str | None:
    """The account that has a group of this name (``preferred`` if several have), or None."""
    accounts = [account for account, name in groups.sources(root) if name == group]
    if preferred in accounts:
        return preferred
    return accounts[0] if accounts else None


def _entry(found: Found) -> Entry:
    record = found.record
    return Entry(
        when_ms=record.when_ms,
        stream=record.stream,
        kind="function" if record.kind == "event" else record.kind,
        request=record.request,
        text=record.text,
    )
