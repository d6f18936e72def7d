"""AWS Lambda's Runtime API, version 2018-06-01: its paths, its answers, its errors.

Source: aws-lambda-runtime-interface-emulator, internal/lambda/rapi. Who may connect is decided in
``peers``, in which order calls may come in ``lifecycle``, what an answer means in ``exchange``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
from collections.abc import Awaitable, Callable

from dynimo.runtime.executed import http1, integration, peers
from dynimo.runtime.executed.exchange import Exchange, Given, error_of
from dynimo.runtime.executed.lifecycle import Lifecycle, NotAllowed, State, Step
from dynimo.runtime.wire import BODY_BYTES_MAX

RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100
CONNECTIONS_MAX = 100
ERROR_BYTES_MAX = 1024 * 1024
VERSION = "/2018-06-01"
ERROR_TYPE, ERROR_BODY = "lambda-runtime-function-error-type", "lambda-runtime-function-error-body"
MODE = "lambda-runtime-function-response-mode"
ACCEPTED = (202, b'{"status":"OK"}\n')
_INVOCATION = re.compile(rf"{VERSION}/runtime/invocation/([^/]+)/(response|error)")

Answer = tuple[int, bytes]


class RuntimeApi:
    """Serves one environment's runtime. ``on_init_error`` is told that it gave up."""

    def __init__(
        self, exchange: Exchange, lifecycle: Lifecycle, on_init_error: Callable[[], None]
    ) -> None:
        self._exchange = exchange
        self._lifecycle = lifecycle
        self._on_init_error = on_init_error
        self._asking: asyncio.Task[Given] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, listener: socket.socket) -> None:
        """Serve on ``listener``, which is bound and owned from now on."""
        limit = http1.HEAD_BYTES_MAX
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=limit)

    async def drain(self, seconds: float) -> None:
        """Take no more connections; let what a runtime that is gone had sent be read to its end."""
        self._server.close()
        if self._asking is not None:
            self._asking.cancel()
        busy = [task for task in self._connections if task is not asyncio.current_task()]
        if busy:
            await asyncio.wait(busy, timeout=seconds)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            connection = writer.get_extra_info("socket")
            if len(self._connections) <= CONNECTIONS_MAX and peers.is_own(connection):
                await self._serve(reader, writer)
        except (http1.BadRequest, http1.Truncated, ConnectionError):
            pass
        finally:
            self._connections.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await http1.read(reader, writer)) is not None:
            try:
                status, body, headers = await self._answer(request)
            except NotAllowed as refused:
                status, body = _error(403, "InvalidStateTransition", str(refused))
                headers = {}
            if request.unread:
                async for _ in request.pieces():
                    pass
            writer.write(http1.answer(status, body, headers, keep_alive=request.keep_alive))
            await writer.drain()
            if not request.keep_alive:
                return

    async def _answer(self, request: http1.Request) -> tuple[int, bytes, dict[str, str]]:
        route = request.method, request.path
        if route == ("GET", f"{VERSION}/runtime/invocation/next"):
            return await self._next()
        routes: dict[tuple[str, str], Callable[[http1.Request], Awaitable[Answer]]] = {
            ("POST", f"{VERSION}/runtime/init/error"): self._init_error,
            ("POST", f"{VERSION}/runtime/restore/error"): self._init_error,
            ("GET", f"{VERSION}/runtime/restore/next"): self._restore,
        }
        found = routes.get(route)
        if found is not None:
            return (*await found(request), {})
        if request.path in (f"{VERSION}/ping", "/ping"):
            return 200, b"pong", {"Content-Type": "text/plain"}
        matched = _INVOCATION.fullmatch(request.path)
        if matched is None:
            return 404, b"404 page not found\n", {"Content-Type": "text/plain"}
        if request.method != "POST":
            return 405, b"", {}
        current = self._exchange.current
        if current is None or current.id != matched[1]:
            return (*_error(400, "InvalidRequestID", "Invalid request ID"), {})
        finish = self._respond if matched[2] == "response" else self._fail
        return (*await finish(request), {})

    async def _next(self) -> tuple[int, bytes, dict[str, str]]:
        self._lifecycle.take(Step.NEXT)
        current = self._exchange.current
        if self._lifecycle.state is State.RUNNING and current is not None:
            return 200, current.event, _headers(current)
        if self._asking is not None:
            self._asking.cancel()  # who asks last is who still listens
        asking = self._asking = asyncio.get_running_loop().create_task(self._exchange.next())
        try:
            given = await asking
        except asyncio.CancelledError:
            if self._asking is asking:
                raise
            raise ConnectionError from None
        finally:
            if self._asking is asking:
                self._asking = None
        self._lifecycle.take(Step.GIVE)
        return 200, given.event, _headers(given)

    async def _respond(self, request: http1.Request) -> Answer:
        self._lifecycle.take(Step.RESPOND)
        mode = request.headers.get(MODE, "")
        if mode.lower() == "streaming":
            return await self._stream(request)
        if mode:
            await self._exchange.failed({"errorType": "Runtime.InvalidResponseModeHeader"})
            self._lifecycle.take(Step.SEND)
            text = "Invalid function response mode"
            return _error(400, "InvalidFunctionResponseMode", text)
        pieces: list[bytes] = []
        size, most = 0, self._response_bytes_max()
        try:
            async for piece in request.pieces():
                size += len(piece)
                if size <= most:
                    pieces.append(piece)
        except http1.Truncated:
            return await self._truncated(self._exchange.failed)
        self._lifecycle.take(Step.SEND)
        if size > most:
            text = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
            kind = "Function.ResponseSizeTooLarge"
            await self._exchange.failed({"errorMessage": text, "errorType": kind})
            text = f"Exceeded maximum allowed payload size ({most} bytes)."
            return _error(413, "RequestEntityTooLarge", text)
        await self._exchange.value(b"".join(pieces))
        return ACCEPTED

    async def _stream(self, request: http1.Request) -> Answer:
        prelude = integration.Prelude(request.headers.get("content-type", ""))
        try:
            async for piece in request.pieces():
                head, rest = prelude.feed(piece)
                if head is not None:
                    await self._exchange.begin(head.status, head.headers)
                if rest:
                    await self._exchange.chunk(rest)
        except http1.Truncated:
            return await self._truncated(self._exchange.streamed)
        if prelude.held:
            await self._exchange.chunk(prelude.held)
        kind = request.trailers.get(ERROR_TYPE, "")
        error = None
        if kind:
            error = error_of(_decoded(request.trailers.get(ERROR_BODY, "")), kind)
        self._lifecycle.take(Step.SEND)
        await self._exchange.streamed(error)
        return ACCEPTED

    async def _truncated(self, told: Callable[[dict[str, str]], Awaitable[None]]) -> Answer:
        self._lifecycle.take(Step.SEND)
        text = "The response ended before its end."
        await told({"errorType": "Runtime.TruncatedResponse", "errorMessage": text})
        return _error(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")

    async def _fail(self, request: http1.Request) -> Answer:
        self._lifecycle.take(Step.FAIL)
        error = error_of(await _whole(request), request.headers.get(ERROR_TYPE, ""))
        self._lifecycle.take(Step.SEND)
        await self._exchange.failed(error)
        return ACCEPTED

    async def _init_error(self, request: http1.Request) -> Answer:
        self._lifecycle.take(Step.INIT_FAIL)
        body = await _whole(request)
        self._exchange.init_error = error_of(body, request.headers.get(ERROR_TYPE, ""))
        self._on_init_error()
        return ACCEPTED

    async def _restore(self, _: http1.Request) -> Answer:
        self._lifecycle.take(Step.RESTORE)
        return 200, b""  # nothing was frozen, so nothing has to be awaited

    def _response_bytes_max(self) -> int:
        current = self._exchange.current
        wanted = current.meta.get("response_bytes_max") if current is not None else None
        return min(int(wanted or RESPONSE_BYTES_MAX), BODY_BYTES_MAX)


def _headers(given: Given) -> dict[str, str]:
    """AWS's headers of an invocation; empty ones are left out."""
    meta = given.meta
    headers = {
        "Lambda-Runtime-Aws-Request-Id": given.id,
        "Lambda-Runtime-Deadline-Ms": str(given.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": meta.get("arn"),
        "Lambda-Runtime-Trace-Id": meta.get("trace"),
        "Lambda-Runtime-Client-Context": meta.get("client_context"),
        "Lambda-Runtime-Cognito-Identity": meta.get("identity"),
    }
    return {name: str(value) for name, value in headers.items() if value}


def _error(status: int, kind: str, text: str) -> Answer:
    return status, json.dumps({"errorMessage": text, "errorType": kind}).encode() + b"\n"


async def _whole(request: http1.Request) -> bytes:
    """An error's body, cut at ``ERROR_BYTES_MAX``."""
    body = b""
    with contextlib.suppress(http1.Truncated):
        async for piece in request.pieces():
            if len(body) < ERROR_BYTES_MAX:
                body += piece
    return body


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return text.encode()
