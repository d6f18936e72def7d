"""One client's HTTP/2 connection: streams to requests, responses to streams (RFC 9113).

The protocol itself is the library's (``h2``); here are its limits, the pace of bodies in both
directions, and what is done with a client that only makes work. A stream that a client takes back
ends its handler, as a closed connection does for HTTP/1.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import time
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from dynimo.web import faults, http2_head, ids, message, writing
from dynimo.web.host import Host
from dynimo.web.http2_stream import STREAMS_MAX, Stream, Told
from dynimo.web.nuisance import Nuisance

_log = logging.getLogger("dynimo.web")

BODIES_MAX = 4
"""As many of the largest bodies may wait, unfinished, on one connection."""

WINDOW_BYTES = 1024 * 1024
"""What a client may send ahead on the whole connection."""

CHUNK_BYTES = 16 * 1024
"""Sent of one stream before others get their turn."""


class Http2(asyncio.Protocol):
    """Speaks HTTP/2 with one client."""

    def __init__(self, server: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._config = server.config
        self._loop = loop
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set once connected
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._streams: dict[int, Stream] = {}
        self._nuisance = Nuisance(loop.time)
        self._last_id = 0
        self._writing = True
        self._leaving = False
        self._closed = False
        self.peer = ""
        self.deadline = math.inf

    def __repr__(self) -> str:
        return f"<Http2 {self.peer or '?'} streams: {len(self._streams)}>"

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse at once when the server is full."""
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=self._config.write_buffer_bytes_high)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self._h2.local_settings = Told(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX,
                SettingCodes.MAX_HEADER_LIST_SIZE: self._config.head_bytes_max,
            },
        )
        self._h2.decoder.max_header_list_size = self._config.head_bytes_max
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW_BYTES)
        self.deadline = self._loop.time() + self._config.head_timeout_seconds
        if self._server.admit(self) is not None:
            self._end(ErrorCodes.ENHANCE_YOUR_CALM)
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        """Let go of everything; cancel handlers whose client is gone."""
        self._closed = True
        for stream in tuple(self._streams.values()):
            self._drop(stream)
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and do what can be done with them."""
        if self._closed:
            return
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
                if self._transport.is_closing():
                    return
        except ProtocolError as error:
            self._server.refused += 1
            _log.debug("%s: %s", self.peer, error)
            self._end(ErrorCodes.PROTOCOL_ERROR)
            return
        if self._nuisance.too_much:
            self._server.refused += 1
            self._end(ErrorCodes.ENHANCE_YOUR_CALM)
            return
        self._pump()

    def eof_received(self) -> bool:
        """Close: nobody waits for an answer any more."""
        return False

    def pause_writing(self) -> None:
        """Take nothing more in: its acknowledgements could not leave either."""
        self._writing = False
        self._transport.pause_reading()
        size = self._transport.get_write_buffer_size()
        allowed = self._config.write_timeout_seconds + size / self._config.write_rate_bytes_min
        self.deadline = self._loop.time() + allowed

    def resume_writing(self) -> None:
        """Go on."""
        self._writing = True
        if not self._closed:
            self._transport.resume_reading()
            self._pump()

    # What the server says.

    def is_idle(self) -> bool:
        """Say whether it has been served and rests until its next request."""
        return self._last_id > 0 and not self._streams and self._writing

    def expire(self) -> None:
        """End what is too slow: streams, or the connection."""
        if self._closed:
            self._transport.abort()
            return
        now = self._loop.time()
        late = [each for each in self._streams.values() if each.deadline < now]
        if not self._writing or not late:
            self._end(ErrorCodes.NO_ERROR)
            return
        for stream in late:
            if not stream.received:
                self._refuse(stream.id, faults.Fault(408, "RequestTimeout", "It took too long."))
            self._reset(stream, ErrorCodes.CANCEL)
        self._pump()

    def drain(self) -> None:
        """Take no new requests; close when those in progress are answered."""
        if self._leaving or self._closed:
            return
        self._leaving = True
        self._flush()
        # The library would send nothing more after a GOAWAY of its own.
        self._transport.write(GoAwayFrame(0, last_stream_id=self._last_id).serialize())
        if not self._streams:
            self._close()

    def abort(self) -> None:
        """Close at once."""
        self._closed = True
        self._transport.abort()

    # Requests.

    def _take(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                self._begin(event)
            case events.DataReceived():
                self._data(event)
            case events.StreamEnded():
                stream = self._streams.get(event.stream_id or 0)
                if stream is not None and not stream.received:
                    self._dispatch(stream)
            case events.StreamReset():
                self._nuisance.count()
                stream = self._streams.get(event.stream_id or 0)
                if stream is not None:
                    self._drop(stream)
            case events.ConnectionTerminated():
                self._leaving = True
                if not self._streams:
                    self._close()
            case events.WindowUpdated():
                if not self._streams:
                    self._nuisance.count()
            case (
                events.PingReceived()
                | events.RemoteSettingsChanged()
                | events.PriorityUpdated()
                | events.UnknownFrameReceived()
            ):
                self._nuisance.count()

    def _begin(self, event: events.RequestReceived) -> None:
        stream_id = event.stream_id or 0
        self._last_id = max(self._last_id, stream_id)
        if len(self._streams) >= STREAMS_MAX or self._leaving:
            self._nuisance.count()
            self._h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        server = self._server
        try:
            request = http2_head.request(
                cast("list[tuple[bytes, bytes]]", event.headers or []), self.peer, self._config,
                trust=server.trust, slow_names=server.slow_headers,
            )  # fmt: skip
            stream = Stream(stream_id, request)
            if event.stream_ended is None:
                self._expect_body(stream)
        except faults.Fault as fault:
            self._refuse(stream_id, fault)
            return
        self._streams[stream_id] = stream

    def _expect_body(self, stream: Stream) -> None:
        """Settle how much of a body may come, and by when."""
        said = stream.request.headers.get("content-length")
        length = int(said) if said.isdigit() and len(said) < 19 else -1
        stream.limit = self._config.body_bytes_max
        stream.until = self._loop.time() + self._config.body_timeout_seconds
        if length < 0 or length > stream.limit:
            stream.upload = self._server.uploads.admit(stream.request)
            if stream.upload:
                stream.limit = self._config.large_body_bytes_max
        if length > stream.limit:
            raise faults.Fault(
                413, "BodyTooLarge", f"A body may have {stream.limit} bytes at most."
            )
        stream.deadline = stream.until
        if stream.request.headers.get("expect").lower() == "100-continue":
            self._h2.send_headers(stream.id, [(":status", "100")])

    def _data(self, event: events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id or 0)
        flowed = event.flow_controlled_length or 0
        if stream is None or stream.received:
            if flowed:  # of a stream that was refused; the connection goes on
                self._h2.acknowledge_received_data(flowed, event.stream_id or 0)
            return
        data = event.data or b""
        if not data:
            self._nuisance.count()
        stream.body += data
        waiting = sum(len(e.body) for e in self._streams.values() if not (e.received or e.upload))
        if len(stream.body) > stream.limit:
            text = f"A body may have {stream.limit} bytes at most."
            self._give_up(stream, faults.Fault(413, "BodyTooLarge", text))
        elif waiting > BODIES_MAX * self._config.body_bytes_max:
            text = "Too many unfinished bodies on one connection."
            self._give_up(stream, faults.Fault(503, "TooManyBodies", text))
        limits = self._config
        rate = limits.large_body_rate_bytes_min if stream.upload else limits.body_rate_bytes_min
        stream.deadline = stream.until + len(stream.body) / rate
        if flowed:
            self._h2.acknowledge_received_data(flowed, stream.id)

    def _give_up(self, stream: Stream, fault: faults.Fault) -> None:
        self._refuse(stream.id, fault)
        self._forget(stream)

    def _dispatch(self, stream: Stream) -> None:
        """Answer at once if that can be done, else let the handler work."""
        server, request = self._server, stream.request
        server.requests += 1
        stream.received = True
        stream.deadline = math.inf
        request.body = bytes(stream.body)
        stream.body = bytearray()
        self._end_upload(stream)
        if server.fast is not None and not request.body and not request.marked:
            answer = self._ask_fast(request)
            if isinstance(answer, message.Response):
                self._reply(stream, answer)
                return
        request.request_id = ids.request_id()
        request.inform = functools.partial(self._inform, stream)
        stream.task = self._loop.create_task(self._run(stream))
        server.keep(stream.task)

    def _ask_fast(self, request: message.Request) -> message.Response | bytes | None:
        assert self._server.fast is not None
        try:
            return self._server.fast(request)
        except Exception:  # noqa: BLE001 - the handler may still be able to answer
            _log.exception("Fast path failed: %s %s", request.method, request.path)
            return None

    async def _run(self, stream: Stream) -> None:
        request = stream.request
        try:
            response = await self._server.handler(request)
        except Exception:  # noqa: BLE001 - whatever a handler raises must become an answer
            _log.exception("Handler failed: %s %s", request.method, request.path)
            response = faults.refusal(500, "InternalError", "Something failed inside the server.")
        if response.pieces is not None:
            await self._stream_out(stream, response)
        elif stream.id in self._streams:
            self._reply(stream, response)
            self._pump()

    async def _stream_out(self, stream: Stream, response: message.Response) -> None:
        """Send an answer piece by piece; the next is asked for when the one before has left."""
        assert response.pieces is not None
        async with contextlib.aclosing(response.pieces) as pieces:
            try:
                if not self._head(stream, response, len_known=False):
                    self._pump()
                    return
                async for piece in pieces:
                    stream.outgoing = memoryview(piece)
                    self._pump()
                    while stream.outgoing and stream.id in self._streams:
                        stream.room = self._loop.create_future()
                        await stream.room
                    if stream.id not in self._streams:
                        return
            except Exception:  # noqa: BLE001 - whoever makes the pieces may fail midway
                _log.exception("Stream broke: %s", stream.request.path)
                with contextlib.suppress(ProtocolError):
                    self._h2.reset_stream(stream.id, ErrorCodes.INTERNAL_ERROR)
                self._forget(stream)
                self._pump()
                return
        stream.ended = True
        self._told(stream, response)
        self._pump()

    # Responses.

    def _inform(self, stream: Stream, status: int, headers: message.Headers) -> None:
        """Send an informational answer, unless the real one has begun."""
        if stream.id in self._streams and not stream.begun and not self._closed:
            with contextlib.suppress(ProtocolError, writing.UnsafeHeader):
                self._h2.send_headers(stream.id, http2_head.answer(status, headers, ""))
                self._flush()

    def _reply(self, stream: Stream, response: message.Response) -> None:
        """Queue one whole answer."""
        if self._head(stream, response, len_known=True):
            stream.outgoing = memoryview(response.body)
            stream.ended = True
        self._told(stream, response)

    def _head(self, stream: Stream, response: message.Response, *, len_known: bool) -> bool:
        """Send an answer's headers; whether a body is to follow."""
        stream.begun = True
        method, date = stream.request.method, self._server.date.now()
        try:
            block = http2_head.answer(response.status, response.headers, date)
        except writing.UnsafeHeader as error:
            _log.error("Answer refused: %s: %s %s", error, method, stream.request.path)
            response = faults.refusal(500, "InternalError", "The answer's headers were not valid.")
            block = http2_head.answer(response.status, response.headers, date)
            len_known = True
        length = writing.content_length(method, response) if len_known else None
        said = response.headers.get("content-length")
        if length is None and said.isdigit() and not len_known:
            length = int(said)
        if length is not None and not writing.bodiless(response.status):
            block.append(("content-length", str(length)))
        bare = method == "HEAD" or writing.bodiless(response.status)
        bare = bare or (len_known and not response.body)
        try:
            self._h2.send_headers(stream.id, block, end_stream=bare)
        except ProtocolError:
            bare = True
        if bare:
            self._forget(stream)
        return not bare

    def _told(self, stream: Stream, response: message.Response) -> None:
        if self._server.on_response is not None:
            seconds = (time.monotonic_ns() - stream.request.arrived_ns) / 1e9
            self._server.on_response(stream.request, response, seconds)

    def _refuse(self, stream_id: int, fault: faults.Fault) -> None:
        """Answer a request that is not taken in; what else comes of it is dropped."""
        self._server.refused += 1
        self._nuisance.count()
        response = fault.response()
        block = http2_head.answer(response.status, response.headers, self._server.date.now())
        with contextlib.suppress(ProtocolError):
            self._h2.send_headers(stream_id, block)
            self._h2.send_data(stream_id, response.body, end_stream=True)
        with contextlib.suppress(ProtocolError):  # raised where both sides have ended
            self._h2.reset_stream(stream_id, ErrorCodes.NO_ERROR)

    def _pump(self) -> None:
        """Send what the windows and the socket take, each stream in its turn."""
        progress = True
        while progress and self._writing and not self._closed:
            progress = False
            for stream in tuple(self._streams.values()):
                progress = self._send_some(stream) or progress
            self._flush()
        self._settle()

    def _send_some(self, stream: Stream) -> bool:
        """Send one chunk; whether that got the stream further."""
        if not stream.outgoing and not stream.ended:
            return False
        try:
            window = max(0, self._h2.local_flow_control_window(stream.id))
            size = min(window, CHUNK_BYTES, self._h2.max_outbound_frame_size, len(stream.outgoing))
            if stream.outgoing and not size:
                if stream.deadline == math.inf:
                    wait = self._config.write_timeout_seconds
                    stream.deadline = self._loop.time() + wait
                return False
            last = stream.ended and size == len(stream.outgoing)
            self._h2.send_data(stream.id, bytes(stream.outgoing[:size]), end_stream=last)
        except ProtocolError:
            self._drop(stream)
            return False
        stream.outgoing = stream.outgoing[size:]
        stream.deadline = math.inf
        if not stream.outgoing and stream.room is not None and not stream.room.done():
            stream.room.set_result(None)
        if last:
            self._forget(stream)
        return True

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    # Ends.

    def _reset(self, stream: Stream, code: ErrorCodes) -> None:
        with contextlib.suppress(ProtocolError):
            self._h2.reset_stream(stream.id, code)
        self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        """Forget a stream whose client does not want it any more."""
        if stream.task is not None and not stream.task.done():
            self._server.cancelled += 1
            stream.task.cancel()
        self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._end_upload(stream)
        if stream.room is not None and not stream.room.done():
            stream.room.set_result(None)

    def _end_upload(self, stream: Stream) -> None:
        if stream.upload:
            stream.upload = False
            self._server.uploads.leave()

    def _settle(self) -> None:
        """Set the deadline for whatever is waited for; leave if all is said."""
        if self._closed:
            return
        if self._server.stopping:
            self.drain()
        if self._leaving and not self._streams:
            self._close()
        elif self._writing:
            idle = self._loop.time() + self._config.idle_timeout_seconds
            late = min((each.deadline for each in self._streams.values()), default=idle)
            self.deadline = late

    def _end(self, code: ErrorCodes) -> None:
        """Say why, and close."""
        with contextlib.suppress(ProtocolError):
            self._h2.close_connection(code)
        self._flush()
        self._close()

    def _close(self) -> None:
        """Send what is unsent, then close; a reader too slow for that is cut off."""
        self._closed = True
        for stream in tuple(self._streams.values()):
            self._drop(stream)
        size = self._transport.get_write_buffer_size()
        allowed = self._config.write_timeout_seconds + size / self._config.write_rate_bytes_min
        self.deadline = self._loop.time() + allowed
        self._transport.close()
