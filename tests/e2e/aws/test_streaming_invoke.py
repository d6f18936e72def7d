"""Answers in pieces, through an unmodified boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.meeting import WAITS, Meeting
from tests.e2e.serving import Server

YIELDS = f"""{WAITS}
def handler(event, context):
    for word in event["words"]:
        yield word
        if "port" in event: waits(event["port"])
    if event.get("raise"):
        raise ValueError("midway")
"""
ASYNC_YIELDS = """
import asyncio
async def handler(event, context):
    for word in event["words"]:
        yield word.encode()
        await asyncio.sleep(0)
"""
WRITES = """
from dynimo.sdk.streaming import streaming

@streaming
def handler(event, context, stream):
    stream.begin(201, {"X-Kind": "written"}, cookies=["c=1"])
    for word in event["words"]:
        stream.write(word)
"""


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared)
    for name, code in (("yields", YIELDS), ("async-yields", ASYNC_YIELDS), ("writes", WRITES)):
        kit.create(made, name, code)
    kit.create(made, "plain", kit.HELLO)
    return made


def stream(aws: Any, name: str, event: Any, **asked: Any) -> tuple[list[bytes], dict[str, Any]]:
    """(pieces, the last event) of one streamed invocation."""
    answer = aws.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **asked)
    pieces, last = [], {}
    for each in answer["EventStream"]:
        if "PayloadChunk" in each:
            pieces.append(each["PayloadChunk"]["Payload"])
        else:
            last = each["InvokeComplete"]
    return pieces, last


@pytest.mark.parametrize("name", ["yields", "async-yields"])
def test_what_a_handler_yields_arrives_piece_by_piece(aws: Any, name: str) -> None:
    """Each item is a piece; the end comes with nothing wrong."""
    pieces, last = stream(aws, name, {"words": ["one", "two", "ü"]})

    assert pieces == [b"one", b"two", "ü".encode()]
    assert last == {}


def test_pieces_come_while_the_function_works(aws: Any) -> None:
    """The first piece is there before the second is made."""
    with Meeting() as meeting:
        answer = aws.invoke_with_response_stream(
            FunctionName="yields", Payload=json.dumps({"words": ["a", "b"], "port": meeting.port})
        )
        events = iter(answer["EventStream"])
        first = next(events)
        meeting.open()  # until then the handler waits, after its first word
        second, _ = events

    assert [each["PayloadChunk"]["Payload"] for each in (first, second)] == [b"a", b"b"]


def test_a_stream_that_fails_midway_says_so_at_its_end(aws: Any) -> None:
    """What was sent stays sent; the last event carries the error and the log."""
    pieces, last = stream(aws, "yields", {"words": ["a"], "raise": True}, LogType="Tail")

    assert pieces == [b"a"]
    assert last["ErrorCode"] == "ValueError"
    assert json.loads(last["ErrorDetails"])["errorMessage"] == "midway"
    assert last["LogResult"]


def test_a_written_answer_has_its_head_first(aws: Any) -> None:
    """As on AWS: the head as JSON, eight zero bytes, then the body."""
    pieces, _ = stream(aws, "writes", {"words": ["x", "y"]})

    head, _, _ = pieces[0].partition(b"\0" * 8)
    assert json.loads(head) == {
        "statusCode": 201,
        "headers": {"x-kind": "written"},
        "cookies": ["c=1"],
    }
    assert pieces[1:] == [b"x", b"y"]


def test_an_ordinary_return_is_one_piece(aws: Any) -> None:
    """Handlers that do not stream may be asked for a stream."""
    pieces, _ = stream(aws, "plain", {"a": 1})

    assert json.loads(b"".join(pieces))["event"] == {"a": 1}


def test_who_asks_for_the_whole_gets_it_gathered(aws: Any) -> None:
    """Invoke joins the pieces; over the limit it is AWS's error."""
    whole = aws.invoke(FunctionName="yields", Payload=json.dumps({"words": ["a", "b"]}))
    large = aws.invoke(FunctionName="yields", Payload=json.dumps({"words": ["x" * 10_000] * 400}))
    kit.create(aws, "huge", "def handler(e, c):\n    for _ in range(100): yield 'x' * 100_000")
    huge = aws.invoke(FunctionName="huge")

    assert whole["Payload"].read() == b"ab"
    assert len(large["Payload"].read()) == 4_000_000
    assert huge["FunctionError"] == "Unhandled"
    assert json.loads(huge["Payload"].read()) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size"
        " (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_ten_megabytes_pass_and_what_is_missing_is_refused(aws: Any) -> None:
    """A stream may be larger than a whole answer; a refusal is an ordinary error."""
    kit.create(aws, "ten", "def handler(e, c):\n    for _ in range(100): yield b'x' * 100_000")
    pieces, last = stream(aws, "ten", {})
    with pytest.raises(ClientError) as error:
        aws.invoke_with_response_stream(FunctionName="nowhere")

    assert sum(map(len, pieces)) == 10_000_000
    assert last == {}
    assert kit.refused(error.value)[0] == 404
