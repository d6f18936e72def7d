"""The Runtime API, call by call: its states, its errors, its bodies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dynimo.runtime import wire
from dynimo.runtime.executed import supervisor
from dynimo.runtime.executed.api import RESPONSE_BYTES_MAX, RuntimeApi
from dynimo.runtime.executed.exchange import Exchange
from dynimo.runtime.executed.lifecycle import Lifecycle

BASE = "/2018-06-01/runtime"
HTTP = "application/vnd.awslambda.http-integration-response"


class Rig:
    """A platform on one side, a runtime on the other."""

    def __init__(self) -> None:
        self.platform, self.inside = socket.socketpair()
        self.platform.setblocking(False)
        self.ended = asyncio.Event()
        self.gave_up = asyncio.Event()
        self.exchange = Exchange(self.inside, self.ended.set, lambda: 42)
        self.api = RuntimeApi(self.exchange, Lifecycle(), self.gave_up.set)
        self.listener = supervisor.listen()
        self.address = self.listener.getsockname()
        self._decoder = wire.Decoder()
        self._frames: list[tuple[dict[str, Any], bytes]] = []

    def invoke(self, request_id: str = "r-1", event: bytes = b"{}", **more: Any) -> None:
        meta = {"type": "invoke", "id": request_id, "deadline_ms": 1000, "arn": "arn:x", **more}
        self.platform.send(wire.encode(meta, event) + event)

    async def said(self) -> tuple[dict[str, Any], bytes]:
        """The next frame that is not ``ready``."""
        while (frame := await self.frame())[0]["type"] == "ready":
            pass
        return frame

    async def frame(self) -> tuple[dict[str, Any], bytes]:
        loop = asyncio.get_running_loop()
        while not self._frames:
            count = await loop.sock_recv_into(self.platform, self._decoder.free())
            self._frames += self._decoder.advance(count)
        return self._frames.pop(0)

    async def send(self, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(text)
        return reader, writer

    async def call(
        self, method: str, path: str, body: bytes = b"", *headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
        if not any("chunked" in header for header in headers):
            lines.append(f"Content-Length: {len(body)}")
        reader, writer = await self.send("\r\n".join([*lines, "", ""]).encode() + body)
        answer = await read(reader)
        writer.close()
        return answer


async def read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, body


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    await made.api.open(made.listener)
    listening = asyncio.create_task(made.exchange.listen())
    async with asyncio.timeout(60):
        yield made
    made.platform.close()
    await listening
    made.inside.close()
    await made.api.drain(1)


async def given(rig: Rig, request_id: str = "r-1", **more: Any) -> None:
    """Bring the runtime to run ``request_id``."""
    asking = asyncio.create_task(rig.call("GET", f"{BASE}/invocation/next"))
    rig.invoke(request_id, **more)
    status, _, _ = await asking
    assert status == 200


async def outcome(rig: Rig) -> tuple[dict[str, Any], bytes]:
    """The next frame that ends an invocation."""
    while True:
        meta, body = await rig.frame()
        if meta["type"] == "outcome":
            return meta, body


async def test_next_gives_the_event_with_awss_headers(rig: Rig) -> None:
    """It waits for an invocation; headers without a value are left out."""
    asking = asyncio.create_task(rig.call("GET", f"{BASE}/invocation/next"))
    await asyncio.sleep(0.05)
    assert not asking.done()
    rig.invoke(event=b'{"a":1}', trace="Root=1", client_context='{"custom":"\u00fc"}')
    status, headers, body = await asking
    assert (status, body) == (200, b'{"a":1}')
    told = {name: headers[name] for name in headers if name.startswith("lambda-")}
    assert told.pop("lambda-runtime-client-context").encode() == '{"custom":"\u00fc"}'.encode()
    assert told == {
        "lambda-runtime-aws-request-id": "r-1",
        "lambda-runtime-deadline-ms": "1000",
        "lambda-runtime-invoked-function-arn": "arn:x",
        "lambda-runtime-trace-id": "root=1",
    }


async def test_a_response_is_the_outcome(rig: Rig) -> None:
    """202 for the runtime, the bytes as they are for the platform, and what it took."""
    await given(rig)
    answer = await rig.call("POST", f"{BASE}/invocation/r-1/response", b"\xff any")
    assert (answer[0], json.loads(answer[2])) == (202, {"status": "OK"})
    meta, body = await outcome(rig)
    assert (meta["id"], meta["value"], meta["max_rss_kib"], body) == ("r-1", True, 42, b"\xff any")
    assert 0 < meta["started_ns"] <= meta["ended_ns"]


async def test_an_error_is_told_as_it_was_posted(rig: Rig) -> None:
    """Any JSON object; what is none becomes a message under the type in the header."""
    await given(rig)
    told = {"errorMessage": "m", "errorType": "T", "more": [1]}
    body = json.dumps(told).encode()
    assert (await rig.call("POST", f"{BASE}/invocation/r-1/error", body))[0] == 202
    assert (await outcome(rig))[0]["error"] == told
    await given(rig, "r-2")
    header = "Lambda-Runtime-Function-Error-Type: Mine"
    await rig.call("POST", f"{BASE}/invocation/r-2/error", b"boom", header)
    assert (await outcome(rig))[0]["error"] == {"errorType": "Mine", "errorMessage": "boom"}


async def test_an_id_that_is_not_the_current_one(rig: Rig) -> None:
    """400 InvalidRequestID, before the first invocation and for a wrong id."""
    wanted = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    for _ in range(2):
        status, _, body = await rig.call("POST", f"{BASE}/invocation/other/response", b"1")
        assert (status, json.loads(body)) == (400, wanted)
        if rig.exchange.current is None:
            await given(rig)


async def test_a_second_response_and_a_late_init_error(rig: Rig) -> None:
    """403 InvalidStateTransition; the first answer stands."""
    await given(rig)
    await rig.call("POST", f"{BASE}/invocation/r-1/response", b"1")
    for path in ("invocation/r-1/response", "invocation/r-1/error", "init/error"):
        status, _, body = await rig.call("POST", f"{BASE}/{path}", b"{}")
        assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")
    await outcome(rig)
    rig.platform.setblocking(False)
    with pytest.raises(BlockingIOError):
        rig.platform.recv(1)


async def test_asking_again_while_it_runs_gives_the_same(rig: Rig) -> None:
    """An answer lost on its way is no event lost."""
    await given(rig, event=b"7")
    status, headers, body = await rig.call("GET", f"{BASE}/invocation/next")
    assert (status, headers["lambda-runtime-aws-request-id"], body) == (200, "r-1", b"7")


async def test_who_asks_last_is_answered(rig: Rig) -> None:
    """A waiting connection that somebody has given up does not take the event."""
    request = f"GET {BASE}/invocation/next HTTP/1.1\r\n\r\n".encode()
    lost, first = await rig.send(request)
    await asyncio.sleep(0.05)
    asking = asyncio.create_task(rig.call("GET", f"{BASE}/invocation/next"))
    with contextlib.suppress(ConnectionError):
        assert await lost.read() == b""
    rig.invoke()
    assert (await asking)[0] == 200
    first.close()


async def test_a_response_over_the_limit(rig: Rig) -> None:
    """413 for the runtime, ResponseSizeTooLarge for the caller; at the limit all is well."""
    await given(rig)
    path = f"{BASE}/invocation/r-1/response"
    status, _, body = await rig.call("POST", path, b"x" * (RESPONSE_BYTES_MAX + 1))
    assert (status, json.loads(body)) == (
        413,
        {
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "RequestEntityTooLarge",
        },
    )
    assert (await outcome(rig))[0]["error"] == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size"
        " (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    await given(rig, "r-2")
    posting = rig.call("POST", f"{BASE}/invocation/r-2/response", b"x" * RESPONSE_BYTES_MAX)
    posted = asyncio.create_task(posting)
    _, body = await outcome(rig)
    assert len(body) == RESPONSE_BYTES_MAX
    assert (await posted)[0] == 202


async def test_a_stream_with_a_head(rig: Rig) -> None:
    """The head inside the body becomes the beginning, in however many pieces it comes."""
    await given(rig)
    head = json.dumps({"statusCode": 418, "headers": {"a": "b"}, "cookies": ["c=1"]}).encode()
    pieces = [head[:9], head[9:] + b"\0" * 5, b"\0" * 3 + b"one", b"two"]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    mode = "Lambda-Runtime-Function-Response-Mode: streaming"
    headers = (mode, "Transfer-Encoding: chunked", f"Content-Type: {HTTP}")
    answer = await rig.call("POST", f"{BASE}/invocation/r-1/response", body, *headers)
    assert answer[0] == 202
    meta, _ = await rig.said()
    assert meta["type"] == "begin"
    assert (meta["status"], meta["headers"]) == (418, [["a", "b"], ["set-cookie", "c=1"]])
    taken = b""
    while (frame := await rig.frame())[0]["type"] == "chunk":
        taken += frame[1]
    assert (taken, frame[0]["streamed"], frame[0].get("error")) == (b"onetwo", True, None)


async def test_a_stream_that_fails_midway(rig: Rig) -> None:
    """The error is in the trailers, its document in base64."""
    await given(rig)
    told = {"errorType": "E", "errorMessage": "midway"}
    trailer = base64.b64encode(json.dumps(told).encode()).decode()
    body = (
        b"3\r\none\r\n0\r\nLambda-Runtime-Function-Error-Type: E\r\n"
        + f"Lambda-Runtime-Function-Error-Body: {trailer}\r\n\r\n".encode()
    )
    mode = "Lambda-Runtime-Function-Response-Mode: streaming"
    path = f"{BASE}/invocation/r-1/response"
    await rig.call("POST", path, body, mode, "Transfer-Encoding: chunked")
    assert (await rig.said())[1] == b"one"
    meta, _ = await rig.frame()
    assert (meta["streamed"], meta["error"]) == (True, told)


async def test_an_unknown_response_mode(rig: Rig) -> None:
    """Refused, and the caller is told."""
    await given(rig)
    mode = "Lambda-Runtime-Function-Response-Mode: telepathy"
    status, _, body = await rig.call("POST", f"{BASE}/invocation/r-1/response", b"1", mode)
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidFunctionResponseMode")
    assert (await outcome(rig))[0]["error"]["errorType"] == "Runtime.InvalidResponseModeHeader"


async def test_a_response_that_breaks_off(rig: Rig) -> None:
    """Runtime.TruncatedResponse, whole or streamed."""
    mode = "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    for request_id, more in (("r-1", ""), ("r-2", mode)):
        await given(rig, request_id)
        path = f"{BASE}/invocation/{request_id}/response"
        head = f"POST {path} HTTP/1.1\r\n{more}Content-Length: 9\r\n"
        _, writer = await rig.send(head.encode() + b"\r\nfour")
        writer.close()
        meta, _ = await outcome(rig)
        assert meta["error"]["errorType"] == "Runtime.TruncatedResponse"


async def test_an_init_error_is_kept_for_who_asks_next(rig: Rig) -> None:
    """202, and the environment knows."""
    told = {"errorType": "Runtime.ImportModuleError", "errorMessage": "m", "requestId": ""}
    answer = await rig.call("POST", f"{BASE}/init/error", json.dumps(told).encode())
    assert answer[0] == 202
    assert rig.gave_up.is_set()
    telling = asyncio.create_task(rig.exchange.fail_next(told))
    rig.invoke("r-9")
    meta, _ = await outcome(rig)
    await telling
    assert (meta["id"], meta["error"]) == ("r-9", told)


async def test_the_rest(rig: Rig) -> None:
    """Ping, restore, unknown paths, wrong methods, and what is no HTTP at all."""
    assert (await rig.call("GET", "/2018-06-01/ping"))[2] == b"pong"
    assert (await rig.call("GET", f"{BASE}/restore/next"))[0] == 200
    assert (await rig.call("GET", "/2020-01-01/extension/register"))[0] == 404
    assert (await rig.call("GET", f"{BASE}/invocation/r-1/response"))[0] == 405
    reader, writer = await rig.send(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert await reader.read() == b""
    writer.close()


async def test_the_time_of_the_start_is_not_the_functions(rig: Rig) -> None:
    """Who waited for a start is told ``ready``, and the deadline moves by as much; once."""
    rig.invoke()
    await asyncio.sleep(0.2)
    _, headers, _ = await rig.call("GET", f"{BASE}/invocation/next")
    assert 1150 <= int(headers["lambda-runtime-deadline-ms"]) < 20_000
    assert (await rig.frame())[0] == {"type": "ready", "id": "r-1"}
    await rig.call("POST", f"{BASE}/invocation/r-1/response", b"1")
    rig.invoke("r-2")
    await asyncio.sleep(0.1)
    _, headers, _ = await rig.call("GET", f"{BASE}/invocation/next")
    assert headers["lambda-runtime-deadline-ms"] == "1000"


async def test_expect_100_continue(rig: Rig) -> None:
    """Curl waits for it before it sends a large body."""
    await given(rig)
    head = f"POST {BASE}/invocation/r-1/response HTTP/1.1\r\nContent-Length: 2\r\n"
    reader, writer = await rig.send(head.encode() + b"Expect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await read(reader))[0] == 202
    writer.close()
