"""Invoke: run a function and wait, accept an event for later, or only ask whether one may.

Headers and bodies on one side, an Invocation and its Outcome on the other. Streamed answers are in
``lambda_streaming``. Source: Lambda API reference, Invoke.
"""

from __future__ import annotations

import binascii
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from dynimo.api.aws import names, wire
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import InvalidRequestContent, RequestTooLarge
from dynimo.model.function import Route
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.model.names import LATEST, Place
from dynimo.web import ids

Invoke: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]
Accept: TypeAlias = Callable[[Invocation], Awaitable[None]]
Resolve: TypeAlias = Callable[[Place, str, str], Route]

REST_PATH = "/2015-03-31/functions/{FunctionName}/invocations"
TYPES = ("RequestResponse", "Event", "DryRun")
CLIENT_CONTEXT_CHARACTERS_MAX = 3583
LOG_TYPES = ("None", "Tail")
STICKY_HEADER = "x-dynimo-sticky"
"""Calls of a weighted alias with the same text here run the same version."""

_STICKY_CHARACTERS_MAX = 1024
_traces = ids.Chance(20)
_payload = msgspec.json.Decoder(msgspec.Raw)


class Invoking:
    """The operations that run functions.

    ``invoke`` runs one to its end, ``accept`` keeps one durably for later, ``resolve`` finds it.
    """

    def __init__(
        self,
        invoke: Invoke,
        accept: Accept,
        resolve: Resolve,
        *,
        request_bytes_max: int,
        event_bytes_max: int,
    ) -> None:
        self._invoke = invoke
        self._accept = accept
        self._resolve = resolve
        self._request_bytes_max = request_bytes_max
        self._event_bytes_max = event_bytes_max

    def operations(self) -> list[Operation]:
        """Invoke, and its first form, which only accepts."""
        arn = names.function_arn
        legacy = "/2014-11-13/functions/{FunctionName}/invoke-async"
        return [
            Operation(
                name="Invoke", method="POST", path=REST_PATH, run=self._run, resource=arn,
                action="lambda:InvokeFunction",
            ),
            Operation(
                name="InvokeAsync", method="POST", path=legacy, run=self._run_async, status=202,
                resource=arn, action="lambda:InvokeFunction",
            ),
        ]  # fmt: skip

    async def _run(self, call: Call) -> Answer:
        headers = call.request.headers
        kind = headers.get("x-amz-invocation-type") or TYPES[0]
        tail = headers.get("x-amz-log-type") or "None"
        if kind not in TYPES or tail not in LOG_TYPES:
            faults = Faults()
            faults.one_of(kind, "invocationType", TYPES)
            faults.one_of(tail, "logType", LOG_TYPES)
            faults.check()
        named = names.named(call)
        if kind == "DryRun":
            self.check(named)
            return Answer(status=204)
        invocation = self.invocation(call, named, tail=tail == "Tail", event=kind == "Event")
        trace = ("x-amzn-trace-id", invocation.trace)
        if kind == "Event":
            self.check(named)
            await self._accept(invocation)
            return Answer(status=202, headers=[trace])
        return answer(await self._invoke(invocation), trace)

    async def _run_async(self, call: Call) -> Answer:
        named = names.named(call)
        self.check(named)
        await self._accept(self.invocation(call, named, tail=False, event=True))
        return Answer(document={"Status": 202})

    def check(self, named: names.Named) -> None:
        """Refuse what is not there. Raises ResourceNotFound."""
        self._resolve(named.place, named.function, named.qualifier)

    def invocation(self, call: Call, named: names.Named, *, tail: bool, event: bool) -> Invocation:
        """What a request asks for.

        Raises:
            RequestTooLarge: the payload is over the limit of its kind.
            InvalidRequestContent: the payload or the client context is no JSON.
        """
        request = call.request
        limit = self._event_bytes_max if event else self._request_bytes_max
        if len(request.body) > limit:
            raise RequestTooLarge(
                f"{len(request.body)} byte payload is too large for the"
                f" {'Event' if event else 'RequestResponse'} invocation type (limit {limit} bytes)"
            )
        if request.body:
            check_payload(request.body)
        return Invocation(
            id=request.request_id or ids.request_id(),
            function=named.function,
            event=request.body or b"{}",
            arrived_ns=request.arrived_ns or time.monotonic_ns(),
            trace=request.headers.get("x-amzn-trace-id") or fresh_trace(),
            qualifier=named.qualifier,
            place=named.place,
            sticky=request.headers.get(STICKY_HEADER)[:_STICKY_CHARACTERS_MAX],
            client_context=_client_context(request.headers.get("x-amz-client-context")),
            tail=tail,
            caller=call.caller if call.caller.signed and not event else None,
            address=request.peer,
        )


def answer(outcome: Outcome, trace: tuple[str, str]) -> Answer:
    """An outcome as Invoke answers it; a function's own failure is a 200 with a header."""
    headers = [trace, ("x-amz-executed-version", outcome.version or LATEST)]
    if outcome.log_tail:
        headers.append(("x-amz-log-result", b64encode(outcome.log_tail).decode()))
    if outcome.error is not None:
        headers.append(("x-amz-function-error", "Unhandled"))
        return Answer(body=wire.encoded(outcome.error), headers=headers)
    if outcome.reply is not None:
        return Answer(body=wire.encoded(described(outcome.reply)), headers=headers)
    return Answer(body=outcome.value or b"", headers=headers)


def check_payload(body: bytes) -> None:
    """Refuse what is no JSON. Raises InvalidRequestContent."""
    try:
        _payload.decode(body)
        if not body.isascii():
            body.decode()  # what is inside strings the look above takes on trust
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestContent(
            f"Could not parse request body into json: Could not parse payload into json: {error}"
        ) from None


def fresh_trace() -> str:
    """A new X-Ray trace header, unsampled."""
    fresh = _traces.take()
    return f"Root=1-{int(time.time()):08x}-{fresh[:24]};Parent={fresh[24:]};Sampled=0"


def described(reply: HttpReply) -> dict[str, Any]:
    """Give an HTTP answer as a payload of format 2.0, for somebody who asked for no HTTP."""
    try:
        body, encoded = reply.body.decode(), False
    except UnicodeDecodeError:
        body, encoded = b64encode(reply.body).decode(), True
    headers = {name: value for name, value in reply.headers if name != "set-cookie"}
    cookies = [value for name, value in reply.headers if name == "set-cookie"]
    return {
        "statusCode": reply.status,
        "headers": headers,
        "cookies": cookies,
        "body": body,
        "isBase64Encoded": encoded,
    }


def _client_context(header: str) -> str:
    """The client context's JSON, or nothing. Raises InvalidRequestContent."""
    if not header:
        return ""
    if len(header) > CLIENT_CONTEXT_CHARACTERS_MAX:
        raise InvalidRequestContent(
            f"Client context must be at most {CLIENT_CONTEXT_CHARACTERS_MAX} bytes."
        )
    try:
        text = b64decode(header, validate=True).decode()
        valid = isinstance(json.loads(text), dict)
    except (binascii.Error, ValueError, RecursionError):
        valid, text = False, ""
    if not valid:
        raise InvalidRequestContent("Client context must be a valid Base64-encoded JSON object.")
    return text
