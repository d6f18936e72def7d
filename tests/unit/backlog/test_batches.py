"""Batches: what an answer says of a batch, how a batch is cut, what a filter sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynimo.backlog import batches
from dynimo.backlog.patterns import Pattern
from dynimo.model.invocation import Outcome

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
MESSAGES = [{"MessageId": name, "ReceiptHandle": f"r{name}", "Body": "{}"} for name in "abc"]


def done(value: bytes | None, *, error: dict[str, Any] | None = None, reported: bool = True) -> str:
    """The ids of the messages that are done with."""
    outcome = Outcome(id="i", function="f", version="1", value=value, error=error)
    return "".join(each["MessageId"] for each in batches.done(MESSAGES, outcome, reported=reported))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"null", "abc"),
        (b"{}", "abc"),
        (b'""', "abc"),
        (b'{"batchItemFailures": []}', "abc"),
        (b'{"batchItemFailures": null}', "abc"),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', "ac"),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ""),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ""),
        (b'{"batchItemFailures": [{"wrong": "b"}]}', ""),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', ""),
        (b'{"batchItemFailures": "b"}', ""),
        (b'"text"', ""),
        (b"no json", ""),
    ],
)
def test_an_answer_says_what_failed(value: bytes, expected: str) -> None:
    """What cannot be understood means that all failed."""
    assert done(value) == expected


def test_without_a_report_a_batch_is_done_or_failed_as_a_whole() -> None:
    """The answer does not matter then; an error always does."""
    failures = b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'
    assert done(failures, reported=False) == "abc"
    assert done(None, error={"errorType": "E"}, reported=False) == ""
    assert done(None, error={"errorType": "E"}) == ""


def test_a_batch_is_cut_so_that_each_event_is_within_the_limit() -> None:
    """Ten messages of a megabyte are more than one event."""
    messages = [{"MessageId": f"{n}", "ReceiptHandle": "r", "Body": "x" * 2**20} for n in range(10)]
    parts = batches.parts(messages)

    assert [len(part) for part in parts] == [5, 5]
    assert all(len(batches.event(part, QUEUE)) <= batches.EVENT_BYTES_MAX for part in parts)


@pytest.mark.parametrize(
    ("pattern", "body", "expected"),
    [
        ({"body": {"a": [1]}}, '{"a": 1}', True),
        ({"body": {"a": [1]}}, '{"a": 2}', False),
        ({"body": {"a": [1]}}, "plain", False),
        ({"body": ["plain"]}, "plain", True),
        ({"body": ["plain"]}, "other", False),
        ({"body": [{"prefix": "{"}]}, '{"a": 1}', True),
        ({"messageAttributes": {"c": {"stringValue": ["red"]}}}, "x", True),
        ({"eventSourceARN": [QUEUE]}, "x", True),
        ({"$or": [{"body": {"a": [1]}}, {"body": {"b": [1]}}]}, '{"b": 1}', True),
    ],
)
def test_a_filter_sees_the_record(pattern: Any, body: str, expected: bool) -> None:  # noqa: FBT001
    """With the body's JSON if it looks inside, its text if it does not."""
    message = {
        **MESSAGES[0], "Body": body,
        "MessageAttributes": {"c": {"StringValue": "red", "DataType": "String"}},
    }  # fmt: skip
    assert batches.passes(message, [Pattern(json.dumps(pattern))], QUEUE) is expected
