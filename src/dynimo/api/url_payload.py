"""HTTP ⇄ function for function URLs: payload format 2.0 both ways, and CORS. Pure.

What differs from the gateway's own routes: who is asked for, text or base64 by content type, and
answers in Lambda's words. Source: Lambda developer guide, "Function URLs".
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from dynimo.gateway import shaping
from dynimo.model.caller import Caller
from dynimo.model.invocation import HttpReply, Outcome
from dynimo.web.message import Headers, Request, Response

_TEXT_TYPES = frozenset(
    {"application/json", "application/javascript", "application/xml", "application/xhtml+xml"}
)
FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see:"
    " https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


def event(
    request: Request, *, url_id: str, path: str, domain: str, caller: Caller | None, now: float
) -> bytes:
    """The event for a request to a URL. ``path`` is what follows the URL, still encoded."""
    shaped = shaping.document(request, now=now)
    shaped["rawPath"] = path
    shaped["headers"] = _forwarded(shaped["headers"], request)
    context = shaped["requestContext"]
    context["http"]["path"] = path
    context |= {"apiId": url_id, "domainName": domain, "domainPrefix": url_id}
    if caller is not None:
        context["accountId"] = caller.account
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key,
                "accountId": caller.account,
                "callerId": caller.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }
    if request.body:
        shaped |= _body(request)
    return json.dumps(shaped, separators=(",", ":")).encode()


def response(outcome: Outcome) -> Response:
    """The whole answer to an outcome; a function's own failure says nothing of its inside."""
    if outcome.error is not None:
        return failed()
    if outcome.reply is not None:
        return shaping.from_reply(outcome.reply)
    value = outcome.value or b""
    try:
        json.loads(value)
    except ValueError:  # pieces that were gathered need be no JSON
        headers = (("content-type", "application/octet-stream"),)
        return shaping.from_reply(HttpReply(status=200, headers=headers, body=value))
    return shaping.from_value(value)


def failed() -> Response:
    """The function failed."""
    return _json(502, b"Internal Server Error")


def forbidden() -> Response:
    """The caller may not, or there is no such URL: which of them is not told."""
    refused = _json(403, json.dumps({"Message": FORBIDDEN}).encode())
    refused.headers.set("x-amzn-errortype", "AccessDeniedException")
    return refused


def preflight(request: Request, cors: Mapping[str, Any]) -> Response | None:
    """The answer to a browser's question before a request, or None if this is none."""
    headers = request.headers
    asked = headers.get("access-control-request-method")
    if request.method != "OPTIONS" or not asked or not headers.get("origin"):
        return None
    answer = Response(status=200)
    for name, value in allowed(request, cors):
        answer.headers.set(name, value)
    if "access-control-allow-origin" in answer.headers:
        methods = cors.get("AllowMethods") or []
        if methods:
            answer.headers.set("access-control-allow-methods", _joined(methods, asked))
        wanted = headers.get("access-control-request-headers")
        named = cors.get("AllowHeaders") or []
        if named and wanted:
            answer.headers.set("access-control-allow-headers", _joined(named, wanted))
        if cors.get("MaxAge"):
            answer.headers.set("access-control-max-age", str(int(cors["MaxAge"])))
    return answer


def allowed(request: Request, cors: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The CORS headers of an answer (the Fetch standard, "CORS protocol")."""
    origin = request.headers.get("origin")
    origins = cors.get("AllowOrigins") or []
    if not origin or not any(_matches(origin, each) for each in origins):
        return []
    credentials = bool(cors.get("AllowCredentials"))
    anybody = "*" in origins and not credentials
    told = [("access-control-allow-origin", "*" if anybody else origin)]
    if not anybody:
        told.append(("vary", "Origin"))
    if credentials:
        told.append(("access-control-allow-credentials", "true"))
    if cors.get("ExposeHeaders"):
        told.append(("access-control-expose-headers", ",".join(cors["ExposeHeaders"])))
    return told


def _matches(origin: str, pattern: str) -> bool:
    if pattern == "*" or origin == pattern:
        return True
    before, star, after = pattern.partition("*")
    fits = len(origin) >= len(before) + len(after)
    return bool(star) and fits and origin.startswith(before) and origin.endswith(after)


def _joined(allowed_values: list[str], asked: str) -> str:
    """A star is answered with what was asked: with credentials browsers take no star."""
    return asked if "*" in allowed_values else ",".join(allowed_values)


def _forwarded(headers: dict[str, str], request: Request) -> dict[str, str]:
    """What a client says of proxies in front of it is not believed; the platform says it."""
    kept = {name: value for name, value in headers.items() if not name.startswith("x-forwarded-")}
    _, _, port = request.headers.get("host").rpartition(":")
    standard = "443" if request.scheme == "https" else "80"
    return {
        **kept,
        "x-forwarded-for": request.peer,
        "x-forwarded-proto": request.scheme,
        "x-forwarded-port": port if port.isdigit() else standard,
    }


def _body(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type").partition(";")[0].strip().lower()
    text = kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))
    if text:
        try:
            return {"body": request.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": b64encode(request.body).decode(), "isBase64Encoded": True}


def _json(status: int, body: bytes) -> Response:
    return Response(
        status=status, headers=Headers([("content-type", "application/json")]), body=body
    )
