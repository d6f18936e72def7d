"""HTTP ⇄ function: events in AWS's payload format 2.0, and every return a handler may give."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from dynimo.gateway import shaping
from dynimo.gateway.routes import Target
from dynimo.model.errors import PayloadTooLarge, Throttled
from dynimo.model.invocation import HttpReply, Outcome
from dynimo.web.message import Headers, Request

TARGET = Target(path="/", function="demo")


def _event(**request: Any) -> dict[str, Any]:
    shaped: dict[str, Any] = json.loads(shaping.event(Request(**request), now=0.0))
    return shaped


def _outcome(**given: Any) -> Outcome:
    return Outcome(id="r1", function="demo", version=1, **given)


def test_an_event_has_path_and_query_as_received() -> None:
    """The raw forms are untouched; the parsed one is beside them."""
    event = _event(method="GET", path="/a%2Fb", query="x=1&x=2&y=%20")

    assert event["version"] == "2.0"
    assert event["rawPath"] == "/a%2Fb"
    assert event["rawQueryString"] == "x=1&x=2&y=%20"
    assert event["queryStringParameters"] == {"x": "1,2", "y": " "}
    assert event["requestContext"]["http"]["method"] == "GET"


def test_cookies_are_apart_and_repeated_headers_are_joined() -> None:
    """As API Gateway does it."""
    headers = Headers([("Cookie", "a=1; b=2"), ("X-Y", "1"), ("x-y", "2")])
    event = _event(method="GET", path="/", headers=headers)

    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-y"] == "1,2"
    assert "cookie" not in event["headers"]


def test_a_body_is_text_or_base64() -> None:
    """What is UTF-8 stays readable."""
    assert _event(method="POST", path="/", body=b"hi")["body"] == "hi"
    binary = _event(method="POST", path="/", body=b"\xff")
    assert (binary["body"], binary["isBase64Encoded"]) == (b64encode(b"\xff").decode(), True)


def test_a_reply_keeps_its_bytes_and_loses_what_would_break_the_line() -> None:
    """Headers from a handler are hostile until they have been looked at."""
    headers = (("content-type", "x/y"), ("x-bad", "a\r\nset-cookie: b"), ("connection", "close"))
    reply = HttpReply(status=201, headers=headers, body=b"\x00\xff")
    response = shaping.response(_outcome(reply=reply), TARGET)

    assert (response.status, response.body) == (201, b"\x00\xff")
    assert [name for name, _ in response.headers] == ["content-type", "server-timing"]


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        (b'{"statusCode": 404, "body": "no"}', 404, b"no"),
        (b'{"statusCode": "201"}', 201, b""),
        (b'{"statusCode": 200, "body": "/w==", "isBase64Encoded": true}', 200, b"\xff"),
        (b'{"a":1}', 200, b'{"a":1}'),
        (b'"text"', 200, b"text"),
        (b"null", 200, b"null"),
    ],
)
def test_a_plain_return_becomes_an_answer(value: bytes, status: int, body: bytes) -> None:
    """Payload format 2.0: with statusCode a response, without it JSON."""
    response = shaping.response(_outcome(value=value), TARGET)

    assert (response.status, response.body) == (status, body)


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b'{"statusCode": "x"}',
        b'{"statusCode": 99}',
        b'{"statusCode": 200, "body": "*", "isBase64Encoded": true}',
        b'{"statusCode": 200, "headers": [1]}',
    ],
)
def test_a_malformed_return_is_a_502_that_says_so(value: bytes) -> None:
    """Never a traceback, never a guess."""
    response = shaping.response(_outcome(value=value), TARGET)

    assert response.status == 502
    assert json.loads(response.body)["error"] == "bad_reply"


def test_a_functions_error_does_not_show_its_inside() -> None:
    """The stack trace is for the log, not for the client."""
    error = {"errorType": "ValueError", "errorMessage": "secret", "stackTrace": ["secret"]}
    response = shaping.response(_outcome(error=error), TARGET)

    assert response.status == 502
    assert b"secret" not in response.body


@pytest.mark.parametrize(
    ("killed", "limit_status", "status"),
    [("time", 0, 504), ("memory", 0, 502), ("time", 422, 422), ("memory", 422, 422)],
)
def test_killed_work_has_a_status_of_its_own(killed: str, limit_status: int, status: int) -> None:
    """A route may say what over-the-limit means for it; the answer may then be kept a while."""
    target = Target(path="/", function="demo", limit_status=limit_status)
    response = shaping.response(_outcome(error={"errorType": "x"}, killed=killed), target)

    assert response.status == status
    assert response.headers.get("cache-control") == ("max-age=60" if limit_status else "no-store")


def test_a_throttled_request_is_a_503_that_says_when_to_come_back() -> None:
    """429 blames the client; overload is the server's."""
    response = shaping.refusal(Throttled())

    assert (response.status, response.headers.get("retry-after")) == (503, "1")
    assert shaping.refusal(PayloadTooLarge()).status == 413


def test_timings_of_queue_and_init_come_before_the_functions_own() -> None:
    """Server-Timing tells the whole way."""
    headers = (("server-timing", "decode;dur=3"),)
    outcome = _outcome(
        reply=HttpReply(status=200, headers=headers, body=b""), queue_ms=1.234, init_ms=4.0
    )
    response = shaping.response(outcome, TARGET)

    assert response.headers.get("server-timing") == "queue;dur=1.23, init;dur=4.00, decode;dur=3"
