"""The backlog over scripted functions: tries, ends, what follows, limits, and starting again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dynimo.model.errors import (
    RecursiveInvocation,
    RequestTooLarge,
    ResourceNotFound,
    TooManyRequests,
)
from dynimo.model.invocation import Invocation
from dynimo.model.names import Place
from tests.unit.backlog.kit import ARN, QUEUE, Desk, until

ERROR = {"errorMessage": "no luck", "errorType": "ValueError", "stackTrace": []}


def idle(desk: Desk) -> bool:
    """Whether nothing is kept any more."""
    return desk.backlog.statistics()["events_kept"] == 0


async def test_an_event_runs_once_when_its_function_succeeds(tmp_path: Path) -> None:
    """With what its caller sent."""
    async with Desk(tmp_path) as desk:
        await desk.accept(event=b'{"a":1}')
        await until(lambda: idle(desk))

    (ran,) = desk.functions.ran
    assert (ran.id, ran.event, ran.attempt, ran.trace) == ("id-1", b'{"a":1}', 1, "Root=1-a-b")


async def test_a_failed_event_is_tried_again_under_the_same_id(tmp_path: Path) -> None:
    """Two retries; the tries are told apart by their number."""
    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = lambda _: ERROR
        await desk.accept()
        await until(lambda: idle(desk))

    assert [(each.id, each.attempt) for each in desk.functions.ran] == [
        ("id-1", 1), ("id-1", 2), ("id-1", 3),
    ]  # fmt: skip


async def test_throttles_and_faults_are_no_failures_of_the_function(tmp_path: Path) -> None:
    """They may be many more than two."""
    refusals: list[Any] = [TooManyRequests("x")] * 4 + [RuntimeError("a fault of ours")]

    def script(_: Invocation) -> bytes:
        if refusals:
            raise refusals.pop()
        return b"1"

    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = script
        await desk.accept()
        await until(lambda: idle(desk))

    assert [each.attempt for each in desk.functions.ran] == [1, 2, 3, 4, 5, 6]


async def test_the_record_of_a_failure_is_in_aws_shape(tmp_path: Path) -> None:
    """To a built-in queue, with request and response."""
    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = lambda _: ERROR
        desk.configure("f", MaximumRetryAttempts=1, failure=QUEUE + "failed")
        await desk.accept(event=b'{"a": [1]}')
        await until(lambda: idle(desk))
        (message,) = await desk.messages("failed")

    body = json.loads(message["body"])
    stamp = body.pop("timestamp")
    assert stamp.endswith("Z")
    assert len(stamp) == len("2026-01-01T00:00:00.000Z")
    assert body == {
        "version": "1.0",
        "requestContext": {
            "requestId": "id-1",
            "functionArn": ARN + "f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 2,
        },
        "requestPayload": {"a": [1]},
        "responseContext": {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        },
        "responsePayload": ERROR,
    }  # fmt: skip


async def test_the_record_of_a_success_goes_to_the_function_named_for_it(tmp_path: Path) -> None:
    """As an event of its own, under an id of its own."""
    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = lambda _: b'{"ok": true}'
        desk.configure("f", success=ARN + "next")
        await desk.accept(event=b"[]")
        await until(lambda: idle(desk))

    (following,) = desk.ran("next")
    body = json.loads(following.event)
    assert body["requestContext"]["condition"] == "Success"
    assert body["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert (body["requestPayload"], body["responsePayload"]) == ([], {"ok": True})
    assert following.id != "id-1"


async def test_a_dead_letter_is_the_event_itself_with_attributes(tmp_path: Path) -> None:
    """What cannot be sent in an attribute is replaced."""
    error = {"errorMessage": "bad \x01 \ud800 " + "x" * 2000, "errorType": "E"}
    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = lambda _: error
        desk.functions.dead_letter["f"] = QUEUE + "dead"
        desk.configure("f", MaximumRetryAttempts=0, failure=QUEUE + "records")
        await desk.accept(event=b'{"a":1}')
        await until(lambda: idle(desk))
        (letter,) = await desk.messages("dead")
        (record,) = await desk.messages("records")

    assert letter["body"] == '{"a":1}'
    assert letter["attributes"]["RequestID"] == "id-1"
    assert letter["attributes"]["ErrorCode"] == "200"
    assert letter["attributes"]["ErrorMessage"] == ("bad \ufffd \ufffd " + "x" * 2000)[:1024]
    assert json.loads(record["body"])["responsePayload"] == error


@pytest.mark.parametrize(
    ("refusal", "condition"),
    [
        (RecursiveInvocation("too long"), "RecursiveInvocation"),
        (ResourceNotFound("gone"), "ResourceNotFound"),
    ],
)
async def test_what_is_refused_for_good_is_not_tried_again(
    tmp_path: Path, refusal: Exception, condition: str
) -> None:
    """A cut chain goes to the dead letters at once."""

    def script(_: Invocation) -> bytes:
        raise refusal

    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = script
        desk.configure("f", failure=QUEUE + "failed")
        await desk.accept()
        await until(lambda: idle(desk))
        (message,) = await desk.messages("failed")

    assert len(desk.functions.ran) == 1
    assert json.loads(message["body"])["requestContext"]["condition"] == condition


async def test_an_event_that_is_too_old_is_not_run(tmp_path: Path) -> None:
    """It is told as such, without a response."""
    async with Desk(tmp_path) as desk:
        desk.functions.script["f"] = lambda _: ERROR
        desk.configure("f", MaximumEventAgeInSeconds=0.005, failure=QUEUE + "failed")
        await desk.accept()
        await until(lambda: idle(desk))
        (message,) = await desk.messages("failed")

    context = json.loads(message["body"])["requestContext"]
    assert context["condition"] == "EventAgeExceeded"
    assert len(desk.functions.ran) <= 1


async def test_a_function_with_nothing_reserved_gives_its_events_up_at_once(tmp_path: Path) -> None:
    """As on AWS: waiting would not help."""
    async with Desk(tmp_path) as desk:
        desk.documents.held["concurrency", "f", ""] = {"ReservedConcurrentExecutions": 0}
        desk.configure("f", failure=QUEUE + "failed")
        await desk.accept()
        await until(lambda: idle(desk))
        (message,) = await desk.messages("failed")

    context = json.loads(message["body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == (
        "ZeroReservedConcurrency", 0,
    )  # fmt: skip
    assert desk.functions.ran == []


async def test_what_was_accepted_and_not_finished_runs_after_a_start(tmp_path: Path) -> None:
    """Running, waiting for a retry, and not begun: nothing is lost, and tries go on counting."""

    async def stuck(_: Invocation) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with Desk(tmp_path, dispatches_function_max=1, first_retry_seconds=0.3) as first:
        first.functions.script = {"stuck": stuck, "failing": lambda _: ERROR}
        for number in range(3):
            await first.accept("stuck", name=f"stuck-{number}")
        await first.accept("failing", name="failing")
        await until(lambda: len(first.functions.ran) == 2)
    async with Desk(tmp_path) as second:
        await until(lambda: idle(second))

    assert {(each.id, each.attempt) for each in second.functions.ran} == {
        ("stuck-0", 1), ("stuck-1", 1), ("stuck-2", 1), ("failing", 2),
    }  # fmt: skip


async def test_a_slow_function_does_not_keep_another_waiting(tmp_path: Path) -> None:
    """Each has a bound below the whole."""
    release = asyncio.Event()

    async def slow(_: Invocation) -> bytes:
        await release.wait()
        return b""

    async with Desk(tmp_path, dispatches_max=4, dispatches_function_max=2) as desk:
        desk.functions.script["slow"] = slow
        for number in range(20):
            await desk.accept("slow", name=f"{number}")
        await desk.accept("quick")
        await until(lambda: desk.ran("quick"))
        assert len(desk.ran("slow")) == 2
        release.set()
        await until(lambda: idle(desk))

    assert len(desk.ran("slow")) == 20


async def test_many_accepts_share_a_commit(tmp_path: Path) -> None:
    """A thousand at once cost a few fsyncs, not a thousand; all run."""
    async with Desk(tmp_path) as desk:
        await asyncio.gather(*(desk.accept(name=f"{number}") for number in range(1000)))
        commits = desk.backlog.statistics()["commits"]
        await until(lambda: idle(desk))

    assert commits < 200
    assert len({each.id for each in desk.functions.ran}) == 1000


async def test_limits_are_told(tmp_path: Path) -> None:
    """Too large, and too many."""

    async def slow(_: Invocation) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with Desk(tmp_path, event_bytes_max=10, events_max=2) as desk:
        desk.functions.script["f"] = slow
        with pytest.raises(RequestTooLarge, match="11 byte payload is too large for the Event"):
            await desk.accept(event=b"x" * 11)
        await desk.accept()
        await desk.accept()
        with pytest.raises(TooManyRequests):
            await desk.accept()


async def test_events_beyond_the_memory_limit_run_from_the_disk(tmp_path: Path) -> None:
    """Memory is bounded; what runs is the same."""
    async with Desk(tmp_path, memory_bytes_max=10) as desk:
        for number in range(20):
            await desk.accept(event=b"%020d" % number, name=f"{number}")
        await until(lambda: idle(desk))

    assert sorted(each.event for each in desk.functions.ran) == [b"%020d" % n for n in range(20)]


async def test_a_queue_is_redriven_purged_and_bounded(tmp_path: Path) -> None:
    """A dead letter becomes an event again, in one transaction; the oldest go from a full one."""
    async with Desk(tmp_path, queue_messages_max=3) as desk:
        desk.functions.script["f"] = lambda _: ERROR
        desk.configure("f", MaximumRetryAttempts=0, failure=QUEUE + "failed")
        for number in range(5):
            await desk.accept(event=b'{"n":%d}' % number)
            await until(lambda: idle(desk))
        ask = desk.backlog.queues.ask
        listed = await ask({"do": "list"}, Place())
        desk.functions.ran.clear()
        desk.functions.script["f"] = lambda _: b"1"
        redriven = await ask({"do": "redrive", "name": "failed"}, Place())
        await until(lambda: idle(desk))
        desk.functions.script["f"] = lambda _: ERROR
        await desk.accept()
        await until(lambda: idle(desk))
        purged = await ask({"do": "purge", "name": "failed"}, Place())
        shown = await ask({"do": "show", "name": "failed"}, Place())
        with pytest.raises(LookupError, match="no queue 'none'"):
            await ask({"do": "show", "name": "none"}, Place())
        with pytest.raises(ValueError, match="do must be"):
            await ask({"do": "dance"}, Place())

    assert listed == {"queues": [{"name": "failed", "messages": 3, "arn": QUEUE + "failed"}]}
    assert redriven == {"redriven": 3}
    assert sorted(each.event for each in desk.functions.ran[:3]) == [
        b'{"n":2}', b'{"n":3}', b'{"n":4}',
    ]  # fmt: skip
    assert (purged, shown) == ({"purged": 1}, {"messages": []})


async def test_an_idle_backlog_does_nothing(tmp_path: Path) -> None:
    """No polling: with nothing due, no commit and no wake-up."""
    async with Desk(tmp_path) as desk:
        await desk.accept()
        await until(lambda: idle(desk))
        before = desk.backlog.statistics()["commits"]
        await asyncio.sleep(0.3)

        assert desk.backlog.statistics()["commits"] == before
