"""CloudWatch Logs through unmodified clients: boto3 and the AWS CLI, over a real server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest
import pytest_asyncio
from botocore.exceptions import ClientError

from dynimo.api.aws.cloudwatch_logs import CloudWatchLogs
from dynimo.api.aws.door import Door, Open
from dynimo.logs.config import Config
from dynimo.logs.store import Store
from dynimo.ports import Line
from dynimo.web.message import Request, Response
from dynimo.web.server import Server

ACCOUNT = "000000000000"
GROUP = "/aws/lambda/hello"
STREAM = "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef"
Ask = Callable[..., Awaitable[Any]]


class Rig:
    """A store behind a server; ``ask("filter_log_events", …)`` goes through boto3."""

    def __init__(self, store: Store, address: str) -> None:
        self.store = store
        self.address = address
        self.client = boto3.client(
            "logs",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"max_attempts": 0}),
        )

    async def ask(self, operation: str, **asked: Any) -> Any:
        """One call, in a thread: boto3 waits."""
        return await asyncio.to_thread(getattr(self.client, operation), **asked)

    async def refused(self, operation: str, **asked: Any) -> tuple[str, str]:
        """One call that fails: its code and message."""
        with pytest.raises(ClientError) as caught:
            await self.ask(operation, **asked)
        error: dict[str, Any] = caught.value.response["Error"]  # type: ignore[assignment]
        return error["Code"], error["Message"]

    def write(self, text: str, *, when_ms: int | None = None, **changes: str) -> None:
        """A line as the platform writes it."""
        fields = {"group": GROUP, "stream": STREAM, "account": ACCOUNT} | changes
        now = int(time.time() * 1000)
        self.store.write(Line(text=text, when_ms=now if when_ms is None else when_ms, **fields))


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig of its own for each test."""
    store = Store(tmp_path / "logs", Config(free_bytes_min=0))
    store.open()

    async def nobody(_: Request) -> Response:
        return Response(status=404)

    services = {"logs": CloudWatchLogs(store).operations()}
    server = Server(Door(services, Open(ACCOUNT), nobody, region="us-east-1"))
    port = await server.start("127.0.0.1", 0)
    yield Rig(store, f"http://127.0.0.1:{port}")
    await server.stop(1)
    await store.close()


def _messages(answer: Any) -> list[str]:
    return [each["message"] for each in answer["events"]]


async def test_a_line_is_found_at_once(rig: Rig) -> None:
    """Whatever was written before the question is in the answer; lines end as on AWS."""
    rig.write("START RequestId: 1 Version: $LATEST", kind="platform")
    rig.write("hello")
    answer = await rig.ask("filter_log_events", logGroupName=GROUP)

    assert _messages(answer) == ["START RequestId: 1 Version: $LATEST\n", "hello\n"]
    assert answer["events"][1]["logStreamName"] == STREAM
    assert "nextToken" not in answer
    assert len({each["eventId"] for each in answer["events"]}) == 2
    assert len(answer["events"][0]["eventId"]) == 56


async def test_groups_are_described_page_by_page(rig: Rig) -> None:
    """Sorted, by prefix or part of the name, with the service's members."""
    for number in range(120):
        rig.write("x", group=f"/aws/lambda/f{number:03d}")
    await rig.ask("create_log_group", logGroupName="other", tags={"team": "a"})
    pages = await asyncio.to_thread(
        lambda: list(rig.client.get_paginator("describe_log_groups").paginate())
    )
    names = [each["logGroupName"] for page in pages for each in page["logGroups"]]
    by_prefix = await rig.ask("describe_log_groups", logGroupNamePrefix="/aws/lambda/f00", limit=3)
    by_part = await rig.ask("describe_log_groups", logGroupNamePattern="the")

    assert names == [*(f"/aws/lambda/f{number:03d}" for number in range(120)), "other"]
    assert len(pages) == 3
    assert [each["logGroupName"] for each in by_prefix["logGroups"]] == [
        f"/aws/lambda/f00{number}" for number in range(3)
    ]
    (other,) = by_part["logGroups"]
    assert other["arn"] == f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:other:*"
    assert other["metricFilterCount"] == 0
    assert abs(other["creationTime"] / 1000 - time.time()) < 60


async def test_streams_are_described_in_both_orders(rig: Rig) -> None:
    """By name, or by the time of the last event."""
    now = int(time.time() * 1000)
    for number in range(60):
        rig.write("x", stream=f"s{number:02d}", when_ms=now - number)
    await rig.ask("create_log_stream", logGroupName=GROUP, logStreamName="empty")
    by_name = await rig.ask("describe_log_streams", logGroupName=GROUP)
    rest = await rig.ask("describe_log_streams", logGroupName=GROUP, nextToken=by_name["nextToken"])
    latest = await rig.ask(
        "describe_log_streams",
        logGroupName=GROUP,
        orderBy="LastEventTime",
        descending=True,
        limit=2,
    )
    following = await rig.ask(
        "describe_log_streams",
        logGroupName=GROUP,
        orderBy="LastEventTime",
        descending=True,
        limit=2,
        nextToken=latest["nextToken"],
    )
    found = await rig.ask("describe_log_streams", logGroupName=GROUP, logStreamNamePrefix="s5")

    names = [each["logStreamName"] for page in (by_name, rest) for each in page["logStreams"]]
    assert names == ["empty", *(f"s{number:02d}" for number in range(60))]
    assert "nextToken" not in rest
    assert [each["logStreamName"] for each in latest["logStreams"]] == ["s00", "s01"]
    assert [each["logStreamName"] for each in following["logStreams"]] == ["s02", "s03"]
    assert latest["logStreams"][0]["lastEventTimestamp"] == now
    assert len(found["logStreams"]) == 10
    assert await rig.refused(
        "describe_log_streams",
        logGroupName=GROUP,
        orderBy="LastEventTime",
        logStreamNamePrefix="s",
    ) == (
        "InvalidParameterException",
        "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )


async def test_events_of_a_stream_are_walked_both_ways(rig: Rig) -> None:
    """Tokens lead on and repeat themselves at the ends, whatever other streams do."""
    now = int(time.time() * 1000)
    for number in range(25):
        rig.write(f"{number}", when_ms=now + number)
        rig.write("noise", stream="other", when_ms=now + number)
    asked = {"logGroupName": GROUP, "logStreamName": STREAM, "limit": 10}
    last = await rig.ask("get_log_events", **asked)
    before = await rig.ask("get_log_events", **asked, nextToken=last["nextBackwardToken"])
    first = await rig.ask("get_log_events", **asked, startFromHead=True)
    seen, token = list(_messages(first)), first["nextForwardToken"]
    while True:
        page = await rig.ask("get_log_events", **asked, startFromHead=True, nextToken=token)
        rig.write("noise", stream="other")
        seen += _messages(page)
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    rig.write("new", when_ms=now + 100)
    fresh = await rig.ask("get_log_events", **asked, nextToken=token)

    assert _messages(last) == [f"{number}\n" for number in range(15, 25)]
    assert _messages(before) == [f"{number}\n" for number in range(5, 15)]
    assert seen == [f"{number}\n" for number in range(25)]
    assert _messages(fresh) == ["new\n"]
    assert await rig.refused("get_log_events", **asked, nextToken="x/1.1") == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


async def test_times_bound_what_is_found(rig: Rig) -> None:
    """GetLogEvents leaves endTime out, FilterLogEvents includes it."""
    now = int(time.time() * 1000)
    for number in range(5):
        rig.write(f"{number}", when_ms=now + number)
    bounds = {"startTime": now + 1, "endTime": now + 3, "logGroupName": GROUP}
    got = await rig.ask("get_log_events", logStreamName=STREAM, **bounds)
    filtered = await rig.ask("filter_log_events", **bounds)
    reverse = await rig.ask("filter_log_events", **bounds, startFromHead=False)

    assert _messages(got) == ["1\n", "2\n"]
    assert _messages(filtered) == ["1\n", "2\n", "3\n"]
    assert _messages(reverse) == ["3\n", "2\n", "1\n"]


async def test_filtering_by_pattern_stream_and_page(rig: Rig) -> None:
    """A paginator finds all, in pages of the limit, across streams."""
    for number in range(30):
        level = "ERROR" if number % 3 == 0 else "INFO"
        rig.write(json.dumps({"level": level, "n": number}), stream=f"s{number % 2}")
    pattern = '{ $.level = "ERROR" && $.n >= 6 }'
    pages = await asyncio.to_thread(
        lambda: list(
            rig.client.get_paginator("filter_log_events").paginate(
                logGroupName=GROUP, filterPattern=pattern, PaginationConfig={"PageSize": 3}
            )
        )
    )
    numbers = [json.loads(message)["n"] for page in pages for message in _messages(page)]
    one = await rig.ask("filter_log_events", logGroupName=GROUP, logStreamNames=["s1"])
    prefixed = await rig.ask("filter_log_events", logGroupName=GROUP, logStreamNamePrefix="s0")

    assert numbers == [6, 9, 12, 15, 18, 21, 24, 27]
    assert len(pages) >= 3
    assert {each["logStreamName"] for each in one["events"]} == {"s1"}
    assert {each["logStreamName"] for each in prefixed["events"]} == {"s0"}
    code, message = await rig.refused(
        "filter_log_events", logGroupName=GROUP, filterPattern='"open'
    )
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid filter pattern")


async def test_a_page_holds_at_most_a_megabyte(rig: Rig) -> None:
    """A log of long lines comes in several pages."""
    for number in range(40):
        rig.write(f"{number:060000d}")
        await rig.store.settle()
    page = await rig.ask("filter_log_events", logGroupName=GROUP)
    pages = await asyncio.to_thread(
        lambda: list(rig.client.get_paginator("filter_log_events").paginate(logGroupName=GROUP))
    )

    assert 15 < len(page["events"]) < 20
    assert [int(text[-6:]) for each in pages for text in _messages(each)] == list(range(40))


async def test_events_that_clients_put_are_kept_as_they_are(rig: Rig) -> None:
    """In order of time; what is too old or too new is named."""
    await rig.ask("create_log_group", logGroupName="app")
    await rig.ask("create_log_stream", logGroupName="app", logStreamName="one")
    now, day = int(time.time() * 1000), 86_400_000
    put = await rig.ask(
        "put_log_events",
        logGroupName="app",
        logStreamName="one",
        logEvents=[
            {"timestamp": now - 20 * day, "message": "old"},
            {"timestamp": now, "message": "two\nlines \ud83d\ude00"},
            {"timestamp": now + 1, "message": "second"},
            {"timestamp": now + day, "message": "new"},
        ],
    )
    got = await rig.ask("get_log_events", logGroupName="app", logStreamName="one")

    assert put["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "tooNewLogEventStartIndex": 3,
    }
    assert [(each["timestamp"], each["message"]) for each in got["events"]] == [
        (now, "two\nlines \U0001f600"),
        (now + 1, "second"),
    ]
    backwards = [{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]
    code, _ = await rig.refused(
        "put_log_events", logGroupName="app", logStreamName="one", logEvents=backwards
    )
    assert code == "InvalidParameterException"


async def test_what_is_not_there_is_said_in_the_services_words(rig: Rig) -> None:
    """Codes and messages that clients' tests look for."""
    rig.write("x")
    no_group = (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    no_stream = ("ResourceNotFoundException", "The specified log stream does not exist.")
    for operation in ("filter_log_events", "delete_log_group", "describe_log_streams"):
        assert await rig.refused(operation, logGroupName="gone") == no_group
    assert await rig.refused("get_log_events", logGroupName="gone", logStreamName="s") == no_group
    assert (
        await rig.refused("get_log_events", logGroupName=GROUP, logStreamName="gone") == no_stream
    )
    assert (
        await rig.refused("filter_log_events", logGroupName=GROUP, logStreamNames=["gone"])
        == no_stream
    )
    assert await rig.refused(
        "put_log_events",
        logGroupName=GROUP,
        logStreamName="gone",
        logEvents=[{"timestamp": 1, "message": "m"}],
    ) == (no_stream)
    assert await rig.refused("create_log_group", logGroupName=GROUP) == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    assert await rig.refused("create_log_stream", logGroupName=GROUP, logStreamName=STREAM) == (
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )
    code, _ = await rig.refused("put_retention_policy", logGroupName=GROUP, retentionInDays=2)
    assert code == "InvalidParameterException"


async def test_a_deleted_stream_is_gone_and_may_begin_again(rig: Rig) -> None:
    """Its old lines stay hidden, those of its neighbours do not."""
    rig.write("old")
    rig.write("neighbour", stream="other")
    await rig.ask("delete_log_stream", logGroupName=GROUP, logStreamName=STREAM)
    gone = await rig.ask("describe_log_streams", logGroupName=GROUP)
    rig.write("new")
    back = await rig.ask("filter_log_events", logGroupName=GROUP)
    await rig.ask("delete_log_group", logGroupName=GROUP)
    groups = await rig.ask("describe_log_groups")

    assert [each["logStreamName"] for each in gone["logStreams"]] == ["other"]
    assert _messages(back) == ["neighbour\n", "new\n"]
    assert groups["logGroups"] == []


async def test_retention_and_tags_are_kept(rig: Rig) -> None:
    """What is older than the retention is not shown."""
    rig.write("old", when_ms=int(time.time() * 1000) - 2 * 86_400_000)
    rig.write("new")
    await rig.ask("put_retention_policy", logGroupName=GROUP, retentionInDays=1)
    kept = await rig.ask("filter_log_events", logGroupName=GROUP)
    (group,) = (await rig.ask("describe_log_groups"))["logGroups"]
    await rig.ask("delete_retention_policy", logGroupName=GROUP)
    again = await rig.ask("filter_log_events", logGroupName=GROUP)
    arn = group["logGroupArn"]
    await rig.ask("tag_resource", resourceArn=arn, tags={"a": "1", "b": "2"})
    await rig.ask("untag_resource", resourceArn=arn, tagKeys=["a"])
    tags = await rig.ask("list_tags_for_resource", resourceArn=arn)
    by_arn = await rig.ask("filter_log_events", logGroupIdentifier=arn)

    assert group["retentionInDays"] == 1
    assert _messages(kept) == ["new\n"]
    assert _messages(again) == ["old\n", "new\n"]
    assert tags["tags"] == {"b": "2"}
    assert _messages(by_arn) == ["old\n", "new\n"]


async def test_accounts_do_not_see_each_other(rig: Rig) -> None:
    """A group belongs to the account of its key."""
    rig.write("mine")
    rig.write("theirs", account="111111111111")
    answer = await rig.ask("filter_log_events", logGroupName=GROUP)

    assert _messages(answer) == ["mine\n"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"logGroupName": 7}', b"\xff", b"[" * 5000])
async def test_nonsense_is_refused(rig: Rig, body: bytes) -> None:
    """Never a fault of ours."""
    import urllib.error
    import urllib.request

    headers = {
        "X-Amz-Target": "Logs_20140328.FilterLogEvents",
        "Content-Type": "application/x-amz-json-1.1",
    }

    def ask() -> tuple[int, Any]:
        request = urllib.request.Request(rig.address, data=body, headers=headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        with caught.value as answer:
            return answer.code, json.load(answer)

    status, told = await asyncio.to_thread(ask)
    assert status == 400
    assert told["__type"] in {"InvalidParameterException", "SerializationException"}


async def test_the_aws_cli_filters(rig: Rig) -> None:
    """``aws logs filter-log-events`` and ``get-log-events``, version 1."""
    rig.write("INFO fine")
    rig.write("ERROR broken")
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [
        str(Path(sys.executable).with_name("aws")),
        "--endpoint-url",
        rig.address,
        "logs",
    ]

    def run(*arguments: str) -> Any:
        ran = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=50, env=environment
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    found = await asyncio.to_thread(
        run, "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", "ERROR"
    )
    got = await asyncio.to_thread(
        run, "get-log-events", "--log-group-name", GROUP, "--log-stream-name", STREAM
    )

    assert _messages(found) == ["ERROR broken\n"]
    assert _messages(got) == ["INFO fine\n", "ERROR broken\n"]


async def test_tailing_as_the_second_cli_does(rig: Rig) -> None:
    """``aws logs tail --follow``: from the last time on, interleaved, known event ids left out."""
    start = int(time.time() * 1000)
    seen: list[str] = []
    known: set[str] = set()
    since = start
    for turn in range(5):
        for number in range(3):
            rig.write(f"{turn}-{number}", stream=f"s{number}", when_ms=start + turn)
        pages = await asyncio.to_thread(
            lambda since=since: list(
                rig.client.get_paginator("filter_log_events").paginate(
                    logGroupName=GROUP, startTime=since, interleaved=True
                )
            )
        )
        for each in (event for page in pages for event in page["events"]):
            if each["eventId"] not in known:
                known.add(each["eventId"])
                seen.append(each["message"].strip())
                since = each["timestamp"]

    assert seen == [f"{turn}-{number}" for turn in range(5) for number in range(3)]


async def test_our_own_cli_asks_the_platform_that_the_environment_names(rig: Rig) -> None:
    """``dynimo logs`` with AWS_ENDPOINT_URL: the last lines, and those of one request."""
    for request in ("r1", "r2"):
        rig.write(f"START RequestId: {request} Version: $LATEST", kind="platform")
        rig.write(f"said in {request}")
        rig.write(f"END RequestId: {request}", kind="platform")
    environment = os.environ | {
        "AWS_ENDPOINT_URL": rig.address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    def run(*arguments: str) -> tuple[int, list[str], str]:
        ran = subprocess.run(
            [sys.executable, "-m", "dynimo", "logs", *arguments],
            capture_output=True,
            text=True,
            timeout=50,
            env=environment,
        )
        texts = [each.partition(" ")[2] for each in ran.stdout.splitlines()]
        return ran.returncode, texts, ran.stderr

    last = await asyncio.to_thread(run, "hello", "-n", "2")
    one = await asyncio.to_thread(run, "hello", "--request", "r1")
    gone = await asyncio.to_thread(run, "gone")

    assert last == (0, ["said in r2", "END RequestId: r2"], "")
    assert one[1] == ["START RequestId: r1 Version: $LATEST", "said in r1", "END RequestId: r1"]
    assert gone[0] == 3
    assert "The specified log group does not exist." in gone[2]
