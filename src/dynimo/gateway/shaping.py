"""HTTP ⇄ function: a request becomes an event, an outcome becomes a response. Pure.

Events follow AWS's HTTP API payload format 2.0 (API Gateway developer guide, "Working with AWS
Lambda proxy integrations"); so do the shapes a handler may return, including the plain ones.
"""

from __future__ import annotations

import binascii
import functools
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from dynimo.gateway.table import NO_PARAMETERS, Target
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import HttpReply, Outcome
from dynimo.sdk.http import FORWARD_HEADER
from dynimo.web import forwarding
from dynimo.web.message import Headers, Request, Response

KILLED_MAX_AGE_SECONDS = 60
"""How long an answer for killed work may be kept: asking again would only be killed again."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What would break out of a header's line (RFC 9110 sections 5.1 and 5.5)."""
_BODY_STATUSES_NONE = frozenset({204, 304})
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"}
)


def event(
    request: Request, *, now: float, target: Target | None = None,
    parameters: Mapping[str, str] = NO_PARAMETERS,
) -> bytes:  # fmt: skip
    """The JSON event for a request; ``now`` is epoch seconds."""
    shaped = document(request, now=now)
    if target is not None and target.pass_headers:
        _reduce(shaped, target.pass_headers)
    if parameters and target is not None:
        shaped["pathParameters"] = {name: unquote(value) for name, value in parameters.items()}
    if request.body:
        shaped |= _body(request.body)
    return msgspec.json.encode(shaped)


def document(request: Request, *, now: float) -> dict[str, Any]:
    """Everything of an event but the body."""
    headers: dict[str, str] = {}
    for name, value in request.headers.pairs:
        if name != "cookie":
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    headers |= forwarding.told(request)
    cookies = [
        part.strip() for line in request.headers.get_all("cookie") for part in line.split(";")
    ]
    shaped: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "stage": "$default",
            "routeKey": "$default",
            "requestId": request.request_id,
            "domainName": request.headers.get("host"),
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": f"HTTP/{request.version}",
                "sourceIp": request.peer,
                "userAgent": request.headers.get("user-agent"),
            },
            "time": _time(int(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        shaped["cookies"] = cookies
    if request.query:
        shaped["queryStringParameters"] = _joined(request.query)
    return shaped


@functools.lru_cache(maxsize=8)
def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def response(outcome: Outcome, target: Target) -> Response:
    """The HTTP answer to an outcome. A malformed return becomes a 502 that says so."""
    if outcome.reply is not None:
        shaped = from_reply(outcome.reply)
    elif outcome.error is not None:
        shaped = _from_error(outcome, target)
    else:
        shaped = from_value(outcome.value or b"null")
    timings = [f"queue;dur={outcome.queue_ms:.2f}", f"init;dur={outcome.init_ms:.2f}"]
    if FORWARD_HEADER in shaped.headers:
        # The answer's own queue and init follow from where it is forwarded to.
        whole = outcome.queue_ms + outcome.init_ms + outcome.duration_ms
        timings = [f"decide;dur={whole:.2f}"]
    own = shaped.headers.get("server-timing")
    shaped.headers.set("server-timing", ", ".join([*timings, own] if own else timings))
    return shaped


def refusal(error: DynimoError, *, retry_after_seconds: int = 1) -> Response:
    """The HTTP answer when the platform itself said no."""
    status = 503 if error.status == 429 else error.status
    shaped = problem(status, type(error).__name__, str(error))
    if status == 503:
        shaped.headers.set("retry-after", str(retry_after_seconds))
    return shaped


def problem(status: int, error: str, message: str, *, max_age: int = 0) -> Response:
    """A JSON error body in the one shape that every Dynimo error has."""
    body = json.dumps({"error": error, "message": message}, ensure_ascii=False).encode()
    cache = f"max-age={max_age}" if max_age else "no-store"
    headers = Headers([("content-type", "application/json"), ("cache-control", cache)])
    return Response(status=status, headers=headers, body=body)


def _reduce(shaped: dict[str, Any], passed: tuple[str, ...]) -> None:
    """Leave of the client's headers only those that the route names, and what the platform says."""
    kept = {*passed, *forwarding.TOLD, "host"}
    headers = shaped["headers"]
    shaped["headers"] = {name: value for name, value in headers.items() if name in kept}
    if "cookie" not in kept:
        shaped.pop("cookies", None)
    if "user-agent" not in kept:
        shaped["requestContext"]["http"]["userAgent"] = ""


def reduced(request: Request, passed: tuple[str, ...]) -> Request:
    """A request with only those headers of the client's that a route lets pass."""
    headers = Headers()
    headers.pairs = [p for p in request.headers.pairs if p[0] in passed or p[0] == "host"]
    return replace(request, headers=headers)


def _joined(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}


def from_reply(reply: HttpReply) -> Response:
    """The answer that a handler gave as bytes; what would break HTTP is left out or refused."""
    if not 200 <= reply.status <= 599:
        return problem(502, "bad_reply", f"The function answered status {reply.status}.")
    headers = Headers(
        (name, value)
        for name, value in reply.headers
        if name not in _HOP_BY_HOP and _NAME.fullmatch(name) and not _UNSAFE.search(value)
    )
    body = b"" if reply.status in _BODY_STATUSES_NONE else reply.body
    return Response(status=reply.status, headers=headers, body=body)


def _from_error(outcome: Outcome, target: Target) -> Response:
    """A function's error is a 502 without its inside; killed work has a status of its own."""
    assert outcome.error is not None
    if outcome.killed in {"time", "memory"}:
        limit = "timeout_seconds" if outcome.killed == "time" else "memory_mib"
        message = f"The work was stopped: over {outcome.function}'s {limit}."
        status = target.limit_status or (504 if outcome.killed == "time" else 502)
        max_age = KILLED_MAX_AGE_SECONDS if target.limit_status else 0
        return problem(status, f"over_{outcome.killed}", message, max_age=max_age)
    kind = "crashed" if outcome.killed else "function_error"
    return problem(502, kind, f"{outcome.function} failed (request {outcome.id}); see the log.")


def from_value(value: bytes) -> Response:
    """A plain return: with ``statusCode`` it describes a response, without it is a JSON 200."""
    try:
        returned = json.loads(value)
    except ValueError:
        return problem(502, "bad_reply", "The function's return value is not JSON.")
    if not (isinstance(returned, dict) and "statusCode" in returned):
        plain = returned.encode() if isinstance(returned, str) else value
        return Response(headers=Headers([("content-type", "application/json")]), body=plain)
    try:
        headers = [(str(k).lower(), str(v)) for k, v in (returned.get("headers") or {}).items()]
        headers += [("set-cookie", str(each)) for each in returned.get("cookies") or []]
        text = returned.get("body") or ""
        text = text if isinstance(text, str) else json.dumps(text)
        encoded = bool(returned.get("isBase64Encoded"))
        body = b64decode(text, validate=True) if encoded else text.encode()
        status = int(returned["statusCode"])
    except (TypeError, ValueError, AttributeError, binascii.Error) as error:
        return problem(502, "bad_reply", f"The function's response is malformed: {error}.")
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return from_reply(HttpReply(status=status, headers=tuple(headers), body=body))
