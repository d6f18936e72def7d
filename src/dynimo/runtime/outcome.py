"""One invocation: from an ``invoke`` frame to an ``outcome`` frame.

Here live the reading of the event, the context, and the shape of every outcome. Who calls the
handler and when (blocking, on a loop, in-process) is not decided here.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

from dynimo.runtime import compact, loglines, marshalling, tracebacks, wire
from dynimo.sdk.context import Caller, ClientContext, Context

Frame = tuple[dict[str, Any], bytes]

_ASCII_END = 0x80


class ContextFactory:
    """Makes the context object of each invocation; the constant part is read once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._name = variables.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self._version = variables.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self._memory = variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self._group = variables.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self._stream: str | None = None

    def make(self, meta: Mapping[str, Any]) -> Context:
        """The context for the ``invoke`` frame whose meta this is; log lines are its own now."""
        loglines.begin(meta["id"])
        if self._stream is None:  # each environment has its own, which the zygote cannot know
            self._stream = self._variables.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        told, caller = meta.get("client_context"), meta.get("caller")
        return Context(
            aws_request_id=meta["id"],
            function_name=self._name,
            function_version=self._version,
            invoked_function_arn=meta.get("arn") or "",
            memory_limit_in_mb=self._memory,
            log_group_name=self._group,
            log_stream_name=self._stream,
            deadline_ms=int(meta.get("deadline_ms") or 0),
            client_context=_client_context(told) if told else None,
            kin=int(meta.get("kin") or 0),
            caller=Caller(**caller) if caller else None,
        )


def _client_context(text: Any) -> ClientContext | None:
    """What the client said of itself; None when it said nothing that could be read."""
    if not text:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return ClientContext.of(told) if isinstance(told, dict) else None


def event(body: bytes) -> Any:
    """The event from a frame's body; no bytes mean an empty object.

    Raises:
        ValueError: it is not JSON.
    """
    if not body:
        return {}
    # UTF-8 without a mark begins with neither; what else there is, is found out by the library.
    if body[0] < _ASCII_END and 0 not in body[:4]:
        return compact.decode(body.decode("utf-8", "surrogatepass"))
    return json.loads(body)


def succeeded(request_id: str, started_ns: int, value: Any) -> Frame:
    """What the handler returned, as a frame; a ``Reply`` keeps its body as bytes.

    A value that JSON cannot say becomes AWS's Runtime.MarshalError.
    """
    ended_ns = time.monotonic_ns()
    http = sys.modules.get("dynimo.sdk.http")
    if http is not None and isinstance(value, http.Reply):
        headers = [[str(name), str(text)] for name, text in value.headers]
        reply = {"status": int(value.status), "headers": headers}
        return _fitting(request_id, started_ns, ended_ns, {"reply": reply}, bytes(value.body))
    try:
        body = marshalling.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        text = f"Unable to marshal response: {error}"
        return _error(request_id, started_ns, ended_ns, "Runtime.MarshalError", text)
    return _fitting(request_id, started_ns, ended_ns, {"value": True}, body)


def streamed(frame: Frame) -> Frame:
    """The frame that ends an answer whose pieces went before."""
    meta, _ = frame
    return {**meta, "streamed": True}, b""


def failed(request_id: str, started_ns: int, failure: BaseException, *, task: str) -> Frame:
    """What the handler raised, as a frame."""
    ended_ns = time.monotonic_ns()
    told = tracebacks.error(failure, request_id=request_id, task=task)
    loglines.failed(told)
    return _fitting(request_id, started_ns, ended_ns, {"error": told}, b"")


def unreadable(request_id: str, failure: ValueError) -> Frame:
    """The event was no JSON; the handler was not called."""
    now = time.monotonic_ns()
    text = f"Unable to unmarshal input: {failure}"
    return _error(request_id, now, now, "Runtime.UnmarshalError", text)


def _error(request_id: str, started_ns: int, ended_ns: int, kind: str, text: str) -> Frame:
    told = {"errorMessage": text, "errorType": kind, "requestId": request_id, "stackTrace": []}
    loglines.failed(told)
    return _frame(request_id, started_ns, ended_ns, {"error": told}, b"")


def _fitting(
    request_id: str, started_ns: int, ended_ns: int, result: dict[str, Any], body: bytes
) -> Frame:
    """The frame, or an error in its place when it would be over the wire's limits."""
    if len(body) > wire.BODY_BYTES_MAX:
        text = f"Response payload of {len(body)} bytes is over {wire.BODY_BYTES_MAX} bytes."
        kind = "Function.ResponseSizeTooLarge"
        return _error(request_id, started_ns, ended_ns, kind, text)
    frame = _frame(request_id, started_ns, ended_ns, result, body)
    if "reply" in result and len(str(result)) > wire.META_BYTES_MAX // 4:
        text = "Response headers are too large."
        kind = "Function.ResponseSizeTooLarge"
        return _error(request_id, started_ns, ended_ns, kind, text)
    return frame


def _frame(
    request_id: str, started_ns: int, ended_ns: int, result: dict[str, Any], body: bytes
) -> Frame:
    meta = {
        "type": "outcome",
        "id": request_id,
        "started_ns": started_ns,
        "ended_ns": ended_ns,
        "max_rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        **result,
    }
    return meta, body
