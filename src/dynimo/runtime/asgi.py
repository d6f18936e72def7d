"""An ASGI application as a handler: an HTTP event becomes its scope, what it sends a stream.

One instance an environment. The lifespan's start-up runs once, before the first request; an
environment ends by being killed, so its shutdown does not run. Source: the ASGI specification, HTTP
and lifespan sub-specifications (version 3.0); AWS's payload format 2.0.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from dynimo.sdk.streaming import Head

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

UNSENT_MAX = 4
"""Pieces that an application may be ahead of whoever reads them."""

_PARAMETERS = 3
_VERSIONS = {"version": "3.0", "spec_version": "2.3"}


class NotHttp(ValueError):
    """The event is no HTTP request."""


def is_application(found: object) -> bool:
    """Whether a handler's name led to an ASGI application: an async callable of three."""
    if inspect.isclass(found) or not callable(found):
        return False
    call: Any = found
    if not inspect.iscoroutinefunction(call):
        call = getattr(found, "__call__", None)  # noqa: B004 - an object with an async __call__
    if not inspect.iscoroutinefunction(call):
        return False
    parameters = inspect.signature(call).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in parameters if each.default is each.empty]
    return len(needed) == _PARAMETERS and all(each.kind in positional for each in needed)


class Adapter:
    """The application as an async handler of HTTP events."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lifespan: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._state: dict[str, Any] = {}

    async def __call__(self, event: Any, context: Any) -> AsyncGenerator[object, None]:
        """Begin one request; the generator gives its head and its pieces.

        Raises:
            NotHttp: the event is no HTTP request of payload format 2.0.
            RuntimeError: the application's start-up failed.
        """
        scope, body = request(event)
        scope |= {"aws.event": event, "aws.context": context}
        await self._start_up()
        scope["state"] = self._state.copy()
        return self._answer(scope, body)

    async def _answer(self, scope: Message, body: bytes) -> AsyncGenerator[object, None]:
        sent: asyncio.Queue[Message | None] = asyncio.Queue(UNSENT_MAX)
        given = False
        gone = asyncio.Event()

        async def receive() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def work() -> None:
            try:
                await self._application(scope, receive, sent.put)
            finally:
                await sent.put(None)

        task = asyncio.ensure_future(work())
        try:
            while (message := await sent.get()) is not None:
                if message["type"] == "http.response.start":
                    yield Head(int(message["status"]), _headers(message.get("headers") or ()))
                elif message["type"] == "http.response.body":
                    if message.get("body"):
                        yield bytes(message["body"])
                    if not message.get("more_body"):
                        gone.set()
            await task
        finally:
            gone.set()
            task.cancel()

    async def _start_up(self) -> None:
        if self._started is None:
            self._started = asyncio.get_running_loop().create_future()
            self._lifespan = asyncio.ensure_future(self._live(self._started))
        try:
            await asyncio.shield(self._started)
        except Exception:
            self._started = None
            raise

    async def _live(self, started: asyncio.Future[None]) -> None:
        """The lifespan, which lasts as long as the environment."""
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()  # shutdown never comes
            asked = True
            return {"type": "lifespan.startup"}

        async def send(message: Message) -> None:
            if started.done():
                return
            if message["type"] == "lifespan.startup.complete":
                started.set_result(None)
            elif message["type"] == "lifespan.startup.failed":
                text = message.get("message") or "The application's start-up failed."
                started.set_exception(RuntimeError(text))

        scope = {"type": "lifespan", "asgi": _VERSIONS, "state": self._state}
        try:
            await self._application(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - an application may know no lifespan
            sys.stderr.write(f"lifespan: {type(error).__name__}: {error}\n")
        if not started.done():
            started.set_result(None)


def request(event: Any) -> tuple[dict[str, Any], bytes]:
    """The ASGI scope and the body of an HTTP event. Raises NotHttp."""
    try:
        http = event["requestContext"]["http"]
        text = event.get("body") or ""
        body = b64decode(text) if event.get("isBase64Encoded") else text.encode()
        path = event["rawPath"]
        headers = [
            (name.lower().encode("latin-1"), str(value).encode("latin-1", "replace"))
            for name, value in (event.get("headers") or {}).items()
        ]
        if event.get("cookies"):
            headers.append((b"cookie", "; ".join(event["cookies"]).encode("latin-1", "replace")))
        known = dict(headers)
        host, _, port = known.get(b"host", b"localhost").decode("latin-1").partition(":")
        scheme = known.get(b"x-forwarded-proto", b"http").decode("latin-1")
        scope = {
            "type": "http",
            "asgi": _VERSIONS,
            "http_version": "1.1",
            "method": http["method"],
            "scheme": scheme,
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": (event.get("rawQueryString") or "").encode("latin-1"),
            "root_path": "",
            "headers": headers,
            "client": (http.get("sourceIp") or "", 0),
            "server": (host, int(port) if port.isdigit() else 443 if scheme == "https" else 80),
        }
    except (TypeError, KeyError, AttributeError, ValueError):
        raise NotHttp(
            "The handler is an ASGI application: it answers HTTP requests, as events of payload"
            " format 2.0. Call it through a function URL or a route."
        ) from None
    return scope, body


def _headers(pairs: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
        for name, value in pairs
    )
