"""One client's connection: bytes to requests, responses to bytes, in order.

One request is in progress at a time; what is pipelined behind it waits as bytes, within a limit.
A client that closes (or half-closes) its side while its request is in progress has hung up: the
handler's task is cancelled. Deadlines are plain numbers that the server's sweep looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable
from typing import cast

from dynimo.web import chunks, faults, ids, message, parsing, streaming, whole, writing
from dynimo.web.host import Host

_log = logging.getLogger("dynimo.web")

JOINED_BODY_BYTES_MAX = 4 * 1024
"""Up to here copying head and body into one piece is cheaper than a gathering write."""

LEADING_BLANK_LINES_MAX = 4
"""Empty lines before a request that are overlooked (RFC 9112 2.2)."""


class State(enum.Enum):
    """What the connection is at."""

    HEAD = "head"
    BODY = "body"
    HANDLER = "handler"
    LINGER = "linger"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 with one client."""

    __slots__ = (
        "_blank_lines", "_body", "_body_until", "_buffer", "_config", "_date", "_loop", "_parser",
        "_paused", "_request", "_room", "_scanned", "_scheduled", "_served", "_server", "_task",
        "_transport", "_unread", "_upload", "_writing", "deadline", "peer", "state",
    )  # fmt: skip

    def __init__(self, server: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._config = server.config
        self._date = server.date
        self._loop = loop
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set once connected
        self._parser = parsing.HeadParser(server.trust, server.slow_headers)
        self.peer = ""
        self._buffer = b""
        self._scanned = 0
        self._blank_lines = 0
        self._request: message.Request | None = None
        self._body: chunks.ChunkedBody | chunks.CountedBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._body_until = math.inf
        self._upload = False
        self._served = False
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._writing = True
        self._scheduled = False
        self._unread = 0
        self.deadline = math.inf
        self.state = State.HEAD

    def __repr__(self) -> str:
        return f"<Connection {self.peer or '?'} {self.state.value}>"

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse at once when the server is full."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._transport = transport
        transport.set_write_buffer_limits(high=self._config.write_buffer_bytes_high)
        if transport.get_extra_info("sslcontext") is not None:
            self._parser.scheme = "https"
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self.deadline = self._loop.time() + self._config.head_timeout_seconds
        refused = self._server.admit(self)
        if refused is not None:
            self._refuse(refused)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """Let go of everything; cancel a handler whose client is gone."""
        self._end_upload()
        self.state = State.CLOSED
        self._buffer = b""
        self._server.forget(self)
        if self._task is not None:
            self._server.cancelled += 1
            self._task.cancel()
        self._task = self._request = None
        del self._parser  # its callbacks refer to it: do not leave that to the collector

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and do what can be done with them."""
        if self.state is State.LINGER:
            self._unread += len(data)
            if self._unread > self._config.linger_bytes_max:
                self._transport.abort()
            return
        if self.state is State.CLOSED:
            return
        if self._buffer:
            self._buffer += data
        else:
            if self._repeat(data):
                return
            self._buffer = data
        if self.state is State.HANDLER or not self._writing:
            self._hold_back()
        else:
            self._advance()

    def _repeat(self, head: bytes) -> bool:
        """Answer a head that is known, if its answer still holds."""
        server = self._server
        known = server.repeats.get(head)
        if known is None or self.state is not State.HEAD or not self._writing or server.stopping:
            return False
        request, answer = known
        if answer.again is None or not answer.again():
            server.repeats.forget(head)
            return False
        server.requests += 1
        request.peer, request.arrived_ns = self.peer, time.monotonic_ns()
        self._send(answer.head, answer.body)
        self._told(request, answer)
        self._blank_lines = 0
        if self._writing:
            self._rest()
        return True

    def eof_received(self) -> bool:
        """Close: nobody waits for an answer any more."""
        return False

    def pause_writing(self) -> None:
        """Stop beginning requests; the client must drain its answer in time."""
        self._writing = False
        size = self._transport.get_write_buffer_size()
        allowed = self._config.write_timeout_seconds + size / self._config.write_rate_bytes_min
        self.deadline = self._loop.time() + allowed

    def resume_writing(self) -> None:
        """Go on."""
        self._writing = True
        if self.state is State.HEAD:
            self._rest()
            self._advance()
        elif self.state is State.BODY:
            self.deadline = self._body_until = self._loop.time() + self._config.body_timeout_seconds
            self._advance()
        elif self.state is State.HANDLER:
            self.deadline = math.inf
            if self._room is not None and not self._room.done():
                self._room.set_result(None)

    # What the server says.

    def expire(self) -> None:
        """End it: the deadline has passed."""
        begun = self.state is State.BODY or (self.state is State.HEAD and bool(self._buffer))
        if begun and self._writing:
            self._refuse(faults.Fault(408, "RequestTimeout", "The request took too long to come."))
        else:
            self._transport.abort()

    def is_idle(self) -> bool:
        """Say whether it has been served and rests until its next request."""
        return self._served and self.state is State.HEAD and not self._buffer and self._writing

    def drain(self) -> None:
        """Close now if no request is in progress; otherwise the answer will be the last."""
        if self.state is State.HEAD and self._writing:
            self._close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # Requests.

    def _advance(self) -> None:
        """Read and serve what the buffer holds, as far as order and fairness allow."""
        served = 0
        try:
            while self._writing:
                if self.state is State.HEAD:
                    if served >= self._config.pipelined_requests_max:
                        self._yield()
                        return
                    if not self._read_head():
                        break
                    served += 1
                elif self.state is State.BODY:
                    if not self._read_body():
                        break
                else:
                    break
        except faults.Fault as fault:
            self._refuse(fault)
            return
        if self._paused and self.state is not State.HANDLER and self._writing:
            self._paused = False
            self._transport.resume_reading()

    def _yield(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._hold_back()
            self._loop.call_soon(self._advance_later)

    def _advance_later(self) -> None:
        self._scheduled = False
        if self.state is not State.CLOSED:
            self._advance()

    def _hold_back(self) -> None:
        if len(self._buffer) > self._config.pipelined_bytes_max and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _read_head(self) -> bool:
        """Take one head from the buffer and begin its request; False when it is not all there."""
        buffer = self._buffer
        if not buffer:
            return False
        end = buffer.find(b"\r\n\r\n", self._scanned)
        if buffer[0] in b"\r\n":
            return self._skip_blank_line()
        if end < 0 or end > self._config.head_bytes_max:
            if not self._scanned:
                self.deadline = self._loop.time() + self._config.head_timeout_seconds
            self._scanned = parsing.check_partial(buffer, self._scanned, self._config)
            return False
        end += 4
        if end > self._config.request_line_bytes_max:
            parsing.check_partial(buffer, self._scanned, self._config)
        head = b""
        if end == len(buffer):
            head = buffer
            request = self._parser.parse(buffer, self.peer, self._config.headers_max)
            self._buffer = b""
        else:
            self._buffer = buffer[end:]
            request = self._parser.parse(buffer[:end], self.peer, self._config.headers_max)
        self._scanned = 0
        self._blank_lines = 0
        if self._parser.length or self._parser.chunked:
            self._begin_body(request)
        else:
            self._dispatch(request, head)
        return True

    def _skip_blank_line(self) -> bool:
        buffer = self._buffer
        if buffer == b"\r":
            return False
        self._blank_lines += 1
        if not buffer.startswith(b"\r\n") or self._blank_lines > LEADING_BLANK_LINES_MAX:
            raise faults.bad_request("A request begins with its method.")
        self._buffer = buffer[2:]
        self._scanned = 0
        return bool(self._buffer)

    def _begin_body(self, request: message.Request) -> None:
        limit, length = self._config.body_bytes_max, self._parser.length
        self.deadline = self._body_until = self._loop.time() + self._config.body_timeout_seconds
        if length > limit or self._parser.chunked:
            self._upload = self._server.uploads.admit(request)
            if self._upload:
                limit = self._config.large_body_bytes_max
        if length > limit:
            raise faults.Fault(413, "BodyTooLarge", f"A body may have {limit} bytes at most.")
        self._request = request
        chunked = self._parser.chunked
        self._body = chunks.ChunkedBody(limit) if chunked else chunks.CountedBody(length)
        self.state = State.BODY
        if self._parser.expects_continue and not self._buffer:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _end_upload(self) -> None:
        if self._upload:
            self._upload = False
            self._server.uploads.leave()

    def _read_body(self) -> bool:
        """Take body bytes from the buffer; False when more must come."""
        assert self._request is not None
        assert self._body is not None
        self._buffer = self._body.feed(self._buffer)
        if not self._body.done:
            # What comes fast enough has all the time it needs; a trickle buys almost none.
            limits, received = self._config, len(self._body.body)
            rate = limits.large_body_rate_bytes_min if self._upload else limits.body_rate_bytes_min
            self.deadline = self._body_until + received / rate
            return False
        self._end_upload()
        request, self._request = self._request, None
        request.body, self._body = bytes(self._body.body), None
        self._dispatch(request)
        return True

    def _dispatch(self, request: message.Request, head: bytes = b"") -> None:
        """Answer at once if that can be done, else let the handler work.

        ``head`` is all that came, if that was just this request.
        """
        server = self._server
        server.requests += 1
        if server.fast is not None and not request.body and not self._parser.slow:
            answer = self._ask_fast(server.fast, request)
            if answer is not None:
                if head and type(answer) is message.Prepared and self._parser.plain:
                    server.repeats.keep(head, request, answer)
                self._reply(request, answer)
                return
        self.state = State.HANDLER
        self.deadline = math.inf
        request.request_id = ids.request_id()
        if self._parser.http11:
            self._request = request
            request.inform = functools.partial(self._inform, request.request_id)
        self._task = self._loop.create_task(self._run(request))
        server.keep(self._task)

    def _ask_fast(
        self, fast: Callable[[message.Request], message.Response | bytes | None],
        request: message.Request,
    ) -> message.Response | bytes | None:  # fmt: skip
        try:
            return fast(request)
        except Exception:  # noqa: BLE001 - the handler may still be able to answer
            _log.exception("Fast path failed: %s %s", request.method, request.path)
            return None

    async def _run(self, request: message.Request) -> None:
        try:
            response = await self._server.handler(request)
        except asyncio.CancelledError:
            if self.state is State.HANDLER:
                self._transport.abort()
            raise
        except Exception:  # noqa: BLE001 - whatever a handler raises must become an answer
            _log.exception("Handler failed: %s %s", request.method, request.path)
            response = faults.refusal(500, "InternalError", "Something failed inside the server.")
        self._request = None
        if response.pieces is not None:
            await self._stream(request, response, response.pieces)
            return
        self._task = None
        if self.state is not State.HANDLER:
            return
        self._reply(request, response)
        self._after_reply()

    async def _stream(
        self,
        request: message.Request,
        response: message.Response,
        pieces: AsyncGenerator[bytes, None],
    ) -> None:
        """Send an answer piece by piece; the next is asked for when the one before has left."""
        async with contextlib.aclosing(pieces):
            try:
                sent = await streaming.send(
                    self._transport, request, response, self._date.now(),
                    http11=self._parser.http11,
                    keep=self._parser.keep_alive and not self._server.stopping,
                    room=self._wait_for_room,
                )  # fmt: skip
            except asyncio.CancelledError:
                self._transport.abort()  # the client sees that the end is missing
                raise
            except Exception:  # noqa: BLE001 - whoever makes the pieces may fail midway
                _log.exception("Stream broke: %s %s", request.method, request.path)
                sent = False
        self._task = None
        self._told(request, response)
        if self.state is not State.HANDLER:
            return
        if not sent:
            self._transport.abort()
        elif not self._parser.keep_alive or not self._parser.http11 or self._server.stopping:
            self._close()
        else:
            self.state = State.HEAD
            if self._writing:
                self._rest()
            self._after_reply()

    async def _wait_for_room(self) -> bool:
        """Wait until what was written has left; whether anybody still reads."""
        if not self._writing and self.state is State.HANDLER:
            self._room = self._loop.create_future()
            await self._room
        return self.state is State.HANDLER

    # Responses.

    def _inform(self, request_id: str, status: int, headers: message.Headers) -> None:
        """Send an informational answer (RFC 9110 15.2), unless the real one has begun already."""
        if self._request is not None and self._request.request_id == request_id:
            streaming.inform(self._transport, status, headers, self._date.now())

    def _reply(self, request: message.Request, response: message.Response | bytes) -> None:
        """Write one answer and make ready for the next request."""
        keep = self._parser.keep_alive and not self._server.stopping
        extra = b""
        if not keep:
            extra = b"connection: close\r\n"
        elif not self._parser.http11:
            extra = b"connection: keep-alive\r\n"
        self._write(request, response, extra)
        if not isinstance(response, bytes):
            self._told(request, response)
        if not keep:
            self._close()
        elif self.state is not State.CLOSED:
            self.state = State.HEAD
            if self._writing:
                self._rest()

    def _told(self, request: message.Request, response: message.Response) -> None:
        if self._server.on_response is not None:
            seconds = (time.monotonic_ns() - request.arrived_ns) / 1e9
            self._server.on_response(request, response, seconds)

    def _after_reply(self) -> None:
        """Go on with what was pipelined behind the request."""
        if self.state is State.HEAD and (self._buffer or self._paused):
            self._advance()

    def _rest(self) -> None:
        """Set the deadline for what comes next: a new request, or the rest of one begun."""
        self._served = True
        timeouts = self._config
        wait = timeouts.head_timeout_seconds if self._buffer else timeouts.idle_timeout_seconds
        self.deadline = self._loop.time() + wait

    def _write(
        self, request: message.Request, response: message.Response | bytes, extra: bytes
    ) -> None:
        if (
            type(response) is message.Prepared
            and response.status == 200
            and (not extra and request.method == "GET")
        ):
            self._send(response.head, response.body)  # the commonest: as it was prepared
        elif isinstance(response, bytes):
            self._transport.write(response)
        else:
            self._send(*whole.encoded(request, response, self._date.now, extra))

    def _send(self, head: bytes, body: bytes) -> None:
        if len(body) <= JOINED_BODY_BYTES_MAX:
            self._transport.write(head + body if body else head)
        else:
            self._transport.writelines((head, body))

    def _refuse(self, fault: faults.Fault) -> None:
        """Answer a fault, then linger so that the answer is not lost to a reset."""
        self._server.refused += 1
        self._buffer = b""
        head, body = writing.encode(
            "GET", fault.response(), self._date.now(), extra="connection: close\r\n"
        )
        self.state = State.LINGER
        self.deadline = self._loop.time() + self._config.linger_timeout_seconds
        self._transport.write(head + body)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _close(self) -> None:
        """Send what is unsent, then close; a reader too slow for that is cut off."""
        self.state = State.CLOSED
        size = self._transport.get_write_buffer_size()
        allowed = self._config.write_timeout_seconds + size / self._config.write_rate_bytes_min
        self.deadline = self._loop.time() + allowed
        self._buffer = b""
        self._transport.close()
