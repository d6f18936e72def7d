"""Serves function URLs: by host (``ID.lambda-url.REGION.…``) or by path (``/lambda-url/ID/…``).

Finds the function, asks whether the caller may, invokes, answers whole or in pieces. What passes
between HTTP and the function is ``url_payload``; what the URLs are is ``aws.lambda_urls``.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from dynimo.api import url_payload
from dynimo.api.aws import wire
from dynimo.api.aws.lambda_invoke import STICKY_HEADER, fresh_trace
from dynimo.api.aws.lambda_urls import UrlTable
from dynimo.api.pipe import Pipe
from dynimo.gateway import shaping
from dynimo.model.caller import ANYBODY, Caller, Proof
from dynimo.model.errors import AwsError, DynimoError, ResourceNotFound
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.model.names import Place
from dynimo.web.message import Handler, Request, Response

PATH_PREFIX = "/lambda-url/"
_HOST = re.compile(r"([a-z0-9]{32})\.lambda-url\..+", re.IGNORECASE)
_STREAM_TYPE = "application/octet-stream"


class Gatekeeper(Protocol):
    """Who proves callers and decides what they may."""

    def authenticate(self, request: Request) -> Proof:
        """Prove it. Raises AwsError."""

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Let it pass. Raises AccessDenied."""


class ServedUrls:
    """Answers requests to function URLs; leaves the rest to ``following``."""

    def __init__(
        self,
        following: Handler,
        table: UrlTable,
        gatekeeper: Gatekeeper,
        invoke: Callable[[Invocation], Awaitable[Outcome]],
        *,
        region: str,
    ) -> None:
        self._following = following
        self._table = table
        self._gatekeeper = gatekeeper
        self._invoke = invoke
        self._region = region

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        place = located(request)
        if place is None:
            return await self._following(request)
        url_id, path = place
        found = self._table.find(url_id)
        if found is None:
            return url_payload.forbidden()
        account, function, qualifier, document = found
        cors = document.get("Cors") or {}
        answer = url_payload.preflight(request, cors) if cors else None
        if answer is not None:
            return answer
        arn = Place(account, self._region).function(function, qualifier)
        request.request_id = request.request_id or str(uuid.uuid4())
        try:
            caller = self._admitted(request, document["AuthType"], arn)
        except AwsError:
            return url_payload.forbidden()
        invocation = Invocation(
            id=request.request_id,
            function=function,
            event=url_payload.event(
                request, url_id=url_id, path=path, domain=request.headers.get("host"),
                caller=caller, now=time.time(),
            ),
            arrived_ns=request.arrived_ns or time.monotonic_ns(),
            trace=request.headers.get("x-amzn-trace-id") or fresh_trace(),
            qualifier=qualifier,
            place=Place(account, self._region),
            sticky=request.headers.get(STICKY_HEADER),
        )  # fmt: skip
        answer = await self._answer(invocation, streamed=document["InvokeMode"] != "BUFFERED")
        for name, value in url_payload.allowed(request, cors):
            answer.headers.set(name, value)
        answer.headers.set("x-amzn-requestid", invocation.id)
        return answer

    def _admitted(self, request: Request, auth_type: str, arn: str) -> Caller | None:
        """Who asks; None for anybody, where anybody may. Raises AwsError."""
        caller: Caller | None = None
        if auth_type == "AWS_IAM":
            proof = self._gatekeeper.authenticate(request)
            caller = proof.caller
            if caller.signed and proof.service != "lambda":
                raise AwsError("The signature is for another service.")
        context: dict[str, Sequence[str]] = {
            "lambda:FunctionUrlAuthType": [auth_type],
            "aws:SourceIp": [request.peer],
        }
        who = caller or ANYBODY
        self._gatekeeper.authorize(who, "lambda:InvokeFunctionUrl", arn, context)
        return caller

    async def _answer(self, invocation: Invocation, *, streamed: bool) -> Response:
        try:
            if streamed:
                return await self._stream(invocation)
            return url_payload.response(await self._invoke(invocation))
        except ResourceNotFound:
            return url_payload.forbidden()
        except DynimoError as error:
            return wire.refusal(error, invocation.id)

    async def _stream(self, invocation: Invocation) -> Response:
        pipe = Pipe()
        task = asyncio.ensure_future(self._invoke(invocation.but(sink=pipe)))
        task.add_done_callback(lambda _: pipe.end())
        try:
            await pipe.started()
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            outcome = task.result()
            if not outcome.streamed:
                return url_payload.response(outcome)
        status, headers = pipe.head or (200, [("content-type", _STREAM_TYPE)])
        shaped = shaping.from_reply(HttpReply(status=status, headers=tuple(headers), body=b""))
        return Response(status=shaped.status, headers=shaped.headers, pieces=_whole(pipe, task))


async def _whole(pipe: Pipe, task: asyncio.Future[Outcome]) -> AsyncGenerator[bytes, None]:
    """Every piece. Raises ConnectionError when the function failed midway: the client must see."""
    async for piece in pipe.pieces():
        yield piece
    outcome = await asyncio.shield(task)
    if outcome.error is not None:
        raise ConnectionError(f"{outcome.function} failed midway: {json.dumps(outcome.error)}")


def located(request: Request) -> tuple[str, str] | None:
    """(id, path below it) of the URL that a request is for; None if it is for none."""
    match = _HOST.match(request.headers.get("host"))
    if match is not None:
        return match[1].lower(), request.path
    if request.path.startswith(PATH_PREFIX):
        url_id, _, rest = request.path.removeprefix(PATH_PREFIX).partition("/")
        return url_id, f"/{rest}"
    return None


def address(url_id: str, *, host: str, region: str, domain: str) -> str:
    """What a client is told to call: under ``domain`` if there is one, else by path on ``host``."""
    if domain:
        return f"http://{url_id}.lambda-url.{region}.{domain}/"
    return f"http://{host}{PATH_PREFIX}{url_id}/"
