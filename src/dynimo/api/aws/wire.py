"""Errors and answers as AWS's REST-JSON and JSON-RPC protocols write them. Pure.

Header and member names, and their case, are those that botocore's service models parse.
"""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from dynimo.api.aws.calls import Answer
from dynimo.model.errors import AwsError, DynimoError, PayloadTooLarge, Throttled, TooManyRequests
from dynimo.web.message import Headers, Response

_QUERY_CODES = {
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ExpiredTokenException": "ExpiredToken",
    "UnknownOperationException": "InvalidAction",
    "ValidationException": "ValidationError",
}
"""Codes that the Query protocol calls by another name; of the others it drops ``Exception``."""
_HIDDEN = "The service encountered an internal error; its log says more under this request id."


def response(answer: Answer, status: int, request_id: str) -> Response:
    """An operation's answer on the wire; ``status`` is the operation's own."""
    body = answer.body
    if body is None:
        body = b"" if answer.document is None else encoded(answer.document)
    headers = Headers()
    headers.pairs = [*answer.headers, ("x-amzn-requestid", request_id)]
    if answer.pieces is not None or body:
        headers.set("content-type", answer.content_type)
    return Response(
        status=answer.status or status, headers=headers, body=body, pieces=answer.pieces
    )


def encoded(document: Any) -> bytes:
    """JSON, compact, in UTF-8; half a surrogate pair, which UTF-8 cannot say, is escaped."""
    try:
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def refusal(error: DynimoError, request_id: str, *, rpc: bool = False) -> Response:
    """An error on the wire. ``rpc`` is for the services that put its name into ``__type``."""
    told = _as_aws(error)
    document: dict[str, Any] = {}
    if isinstance(told, TooManyRequests):
        document["Reason"] = told.reason
    if told.kind:
        document["Type"] = told.kind
    document[told.message_key] = str(told)
    headers = Headers([("content-type", "application/json")])
    if rpc:
        document = {"__type": told.code, "message": str(told)}
        headers.set("content-type", "application/x-amz-json-1.1")
    if isinstance(told, TooManyRequests):
        headers.set("retry-after", str(told.retry_after_seconds))
    headers.set("x-amzn-errortype", told.code)
    headers.set("x-amzn-requestid", request_id)
    return Response(status=told.status, headers=headers, body=encoded(document))


def _as_aws(error: DynimoError) -> AwsError:
    """The platform's own errors in AWS's shape; what nobody foresaw says nothing of the inside."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, Throttled):
        return TooManyRequests("ConcurrentInvocationLimitExceeded")
    told = AwsError(str(error))
    told.status, told.code = error.status, error.code
    if isinstance(error, PayloadTooLarge):
        return told
    told.kind = "User" if error.status < 500 else "Service"
    if error.status >= 500:
        told.message_key = "Message"
    return told


def internal_error() -> AwsError:
    """What a client sees of a fault of ours."""
    told = AwsError(_HIDDEN)
    told.status, told.code, told.kind, told.message_key = (
        500,
        "ServiceException",
        "Service",
        "Message",
    )
    return told


def query_refusal(error: DynimoError, request_id: str) -> Response:
    """An error in the XML of the Query protocol (STS)."""
    told = _as_aws(error)
    kind = "Sender" if told.status < 500 else "Receiver"
    code = _QUERY_CODES.get(told.code) or told.code.removesuffix("Exception")
    text = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>{kind}</Type><Code>{code}</Code><Message>{escape(str(told))}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    headers = Headers([("content-type", "text/xml"), ("x-amzn-requestid", request_id)])
    return Response(status=told.status, headers=headers, body=text.encode())
