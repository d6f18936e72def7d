"""Payloads from people who mean harm, or made a mistake: AWS's error, or the event as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

PREFIX = "Could not parse request body into json: Could not parse payload into json: "
DEEP = 100_000


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared)
    kit.create(made, "kind", "def handler(e, c): return type(e).__name__")
    return made


BROKEN: dict[str, bytes] = {
    "open": b"{", "deep": b"[" * DEEP + b"]" * DEEP, "deep and open": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP, "no UTF-8": b'"\xff"',
    "half a pair": b'"\\ud800"', "NaN": b'{"a": NaN}', "Infinity": b"-Infinity", "spaces": b"  ",
    "byte order mark": b"\xef\xbb\xbf{}", "UTF-16": '{"a": 1}'.encode("utf-16"), "NUL": b"\0",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_json_is_refused(aws: Any, name: str, kind: str) -> None:
    """Before anything runs or is kept, in AWS's words."""
    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="kind", InvocationType=kind, Payload=BROKEN[name])

    status, code, message = kit.refused(error.value)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith(PREFIX)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b"", "dict"), (b"1e999", "float"), (b'{"a":1,"a":2}', "dict"),
     (b"[" * 900 + b"]" * 900, "list")],
    ids=["empty", "beyond a float", "a key twice", "900 levels"],
)  # fmt: skip
def test_what_json_allows_is_an_event(aws: Any, payload: bytes, expected: str) -> None:
    """No payload is an empty object; the rest is what Python makes of it."""
    answer = aws.invoke(FunctionName="kind", Payload=payload)

    assert json.loads(answer["Payload"].read()) == expected


def test_a_number_that_python_refuses_is_an_error_of_the_function(aws: Any) -> None:
    """Python reads no number of 5,000 digits; AWS's runtime says so, and lives on."""
    answer = aws.invoke(FunctionName="kind", Payload=b"1" * 5000)
    told = json.loads(answer["Payload"].read())

    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "Runtime.UnmarshalError")
    assert kit.call(aws, "kind")[0] == "dict"


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_seven_megabytes_are_refused(aws: Any, kind: str) -> None:
    """Whether somebody waits for the answer or not."""
    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="kind", InvocationType=kind, Payload=b'"' + b"x" * 7_340_032 + b'"')

    status, code, message = kit.refused(error.value)
    assert (status, code) == (413, "RequestTooLargeException")
    assert message.startswith(f"7340034 byte payload is too large for the {kind} invocation type")
