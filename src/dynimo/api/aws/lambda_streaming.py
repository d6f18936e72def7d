"""InvokeWithResponseStream: an answer that the caller sees while the function makes it.

Source: Lambda API reference, InvokeWithResponseStream; recorded answers of the service.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

from dynimo.api.aws import eventstream, names, wire
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_invoke import Invoke, Invoking, described
from dynimo.api.aws.validation import Faults
from dynimo.api.pipe import Pipe
from dynimo.model.invocation import Outcome

REST_PATH = "/2021-11-15/functions/{FunctionName}/response-streaming-invocations"
HEAD_END = b"\0" * 8
"""What AWS puts between the head of an HTTP answer and its body in such a stream."""

_OCTETS = "application/octet-stream"


class Streaming:
    """The operation that streams."""

    def __init__(self, invoking: Invoking, invoke: Invoke) -> None:
        self._invoking = invoking
        self._invoke = invoke

    def operations(self) -> list[Operation]:
        """That one."""
        return [
            Operation(
                name="InvokeWithResponseStream", method="POST", path=REST_PATH, run=self._run,
                resource=names.function_arn, action="lambda:InvokeFunction",
            )
        ]  # fmt: skip

    async def _run(self, call: Call) -> Answer:
        headers = call.request.headers
        kind = headers.get("x-amz-invocation-type") or "RequestResponse"
        tail = headers.get("x-amz-log-type") or "None"
        faults = Faults()
        faults.one_of(kind, "invocationType", ("RequestResponse", "DryRun"))
        faults.one_of(tail, "logType", ("None", "Tail"))
        faults.check()
        named = names.named(call)
        if kind == "DryRun":
            self._invoking.check(named)
            return Answer(status=204)
        pipe = Pipe()
        invocation = self._invoking.invocation(call, named, tail=tail == "Tail", event=False)
        task = asyncio.ensure_future(self._invoke(invocation.but(sink=pipe)))
        task.add_done_callback(lambda _: pipe.end())
        try:
            await pipe.started()
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            task.result()  # a refusal is an ordinary error, while nothing was sent
        return Answer(
            pieces=_events(pipe, task),
            content_type=eventstream.CONTENT_TYPE,
            headers=[
                ("x-amzn-trace-id", invocation.trace),
                ("x-amz-executed-version", pipe.version),
            ],
        )


async def _events(pipe: Pipe, task: asyncio.Future[Outcome]) -> AsyncGenerator[bytes, None]:
    """The whole stream. Should the client leave, the function finishes all the same."""
    if pipe.head is not None:
        status, headers = pipe.head
        head = {
            "statusCode": status,
            "headers": {name: value for name, value in headers if name != "set-cookie"},
            "cookies": [value for name, value in headers if name == "set-cookie"],
        }
        yield _chunk(wire.encoded(head) + HEAD_END)
    async for piece in pipe.pieces():
        yield _chunk(piece)
    outcome = await asyncio.shield(task)
    if outcome.error is None and not outcome.streamed:
        whole = outcome.value
        if outcome.reply is not None:
            whole = wire.encoded(described(outcome.reply))
        if whole:
            yield _chunk(whole)
    yield eventstream.event("InvokeComplete", _complete(outcome), "application/json")


def _chunk(piece: bytes) -> bytes:
    return eventstream.event("PayloadChunk", piece, _OCTETS)


def _complete(outcome: Outcome) -> bytes:
    told: dict[str, Any] = {}
    if outcome.error is not None:
        told["ErrorCode"] = str(outcome.error.get("errorType", "Unhandled"))
        told["ErrorDetails"] = json.dumps(outcome.error, ensure_ascii=False)
    if outcome.log_tail:
        told["LogResult"] = b64encode(outcome.log_tail).decode()
    return wire.encoded(told)
