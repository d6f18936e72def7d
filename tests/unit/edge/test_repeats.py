"""The same head again, byte for byte: the same answer without reading it, while that holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynimo.edge import cache, config
from dynimo.fronts.shelf import Shelf, prepared
from dynimo.web import message, parsing, repeats, server
from tests.unit.edge.conftest import Clock, Origin, reply

HOST = b"Host: a.example\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
CHOICE = b"GET /choice HTTP/1.1\r\n" + HOST + b"Accept: type/one\r\n\r\n"


@dataclass
class Line:
    """A connection that asks one thing after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, port: int) -> Line:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, head: bytes) -> tuple[bytes, bytes]:
        """(head, body) of the answer."""
        async with asyncio.timeout(60):
            self.writer.write(head)
            told = await self.reader.readuntil(b"\r\n\r\n")
            length = int(told.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            return told, await self.reader.readexactly(length)


@dataclass
class Served:
    """A rig behind a server; ``read`` counts the heads that were read, ``told`` has who asked."""

    rig: Any
    server: server.Server
    line: Line
    port: int
    read: list[bytes]
    told: list[tuple[str, str]]


@pytest.fixture
async def served(make_rig: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A cache with ``/a``, and ``/choice`` that leads to ``/made``."""
    rig = await make_rig()
    read, told = list[bytes](), list[tuple[str, str]]()
    parse = parsing.HeadParser.parse

    def counted(self: Any, head: bytes, *more: Any) -> message.Request:
        read.append(head)
        return parse(self, head, *more)

    monkeypatch.setattr(parsing.HeadParser, "parse", counted)
    rig.origin.answers["/a"] = reply(b"1", cache_control="max-age=60", surrogate_key="red")
    rig.origin.answers["/choice"] = reply(
        dynimo_forward="/made", cache_control="max-age=60", vary="Accept"
    )
    rig.origin.answers["/made"] = reply(b"m", cache_control="max-age=60")
    http = server.Server(
        rig.cache, fast=rig.cache.lookup_nowait,
        on_response=lambda request, answer, _: told.append((request.peer, request.target)),
    )  # fmt: skip
    port = await http.start("127.0.0.1", 0)
    line = await Line.to(port)
    yield Served(rig, http, line, port, read, told)
    line.writer.close()
    await http.stop(1)


@pytest.mark.parametrize("head", [GET, CHOICE])
async def test_a_known_head_is_not_read_again(served: Served, head: bytes) -> None:
    """From the second hit on they are answered unread, on any connection, and counted."""
    answers = [await served.line.ask(head) for _ in range(5)]
    other = await Line.to(served.port)
    answers.append(await other.ask(head))
    other.writer.close()

    assert len(served.read) == 3
    assert answers[1:] == [answers[1]] * 5
    assert b"cache-status: Dynimo; hit; ttl=60" in answers[5][0]
    assert served.rig.cache.statistics()["hits"] == 5
    assert (len(served.told), served.server.requests) == (6, 6)
    assert served.told[4] == ("127.0.0.1", "/a" if head == GET else "/choice")


async def test_its_age_goes_on(served: Served) -> None:
    """A known answer is made anew each second, and asked for anew when it is stale."""
    for _ in range(4):
        await served.line.ask(GET)
    served.rig.clock.time += 5
    aged, _ = await served.line.ask(GET)
    served.rig.origin.answers["/a"] = reply(b"2", cache_control="max-age=60")
    served.rig.clock.time += 55
    _, body = await served.line.ask(GET)

    assert b"\r\nage: 5\r\n" in aged
    assert body == b"2"


async def test_what_is_fresh_for_half_a_second_is_given_for_half_a_second(served: Served) -> None:
    """An answer may end within the second that it was made for."""
    served.rig.clock.time += 0.5
    for _ in range(4):
        await served.line.ask(GET)
    served.rig.origin.answers["/a"] = reply(b"2", cache_control="max-age=60")
    served.rig.clock.time += 59.8
    assert [(await served.line.ask(GET))[1] for _ in range(3)] == [b"1"] * 3
    served.rig.clock.time += 0.25
    assert (await served.line.ask(GET))[1] == b"2"


@pytest.mark.parametrize("how", [{"url": "/a"}, {"tag": "red"}, {"everything": True}])
async def test_a_purge_ends_it(served: Served, how: dict[str, Any]) -> None:
    """At once, by whatever name."""
    for _ in range(4):
        await served.line.ask(GET)
    served.rig.origin.answers["/a"] = reply(b"2", cache_control="max-age=60")
    await served.rig.cache.purge(**how)

    assert (await served.line.ask(GET))[1] == b"2"


async def test_a_decision_that_changes_ends_it(served: Served) -> None:
    """Though the object that it led to is still what it was."""
    for _ in range(4):
        await served.line.ask(CHOICE)
    served.rig.origin.answers["/choice"] = reply(
        dynimo_forward="/other", cache_control="max-age=60", vary="Accept"
    )
    served.rig.origin.answers["/other"] = reply(b"o", cache_control="max-age=60")
    await served.rig.cache.purge("/choice")

    assert (await served.line.ask(CHOICE))[1] == b"o"


async def test_a_newer_variant_stands_before_it(served: Served) -> None:
    """What would be selected now is given, not what was selected when the head was read."""
    plain = b"GET /v HTTP/1.1\r\n" + HOST + b"\r\n"
    served.rig.origin.answers["/v"] = reply(b"old", cache_control="max-age=60", vary="x-a")
    for _ in range(4):
        assert (await served.line.ask(plain))[1] == b"old"
    served.rig.origin.answers["/v"] = reply(b"new", cache_control="max-age=60", vary="x-b")
    other = b"GET /v HTTP/1.1\r\n" + HOST + b"x-a: 1\r\n\r\n"
    assert (await served.line.ask(other))[1] == b"new"

    assert (await served.line.ask(plain))[1] == b"new"


@pytest.mark.parametrize("line", [
    b"Connection: close\r\n", b"X-Forwarded-For: 10.0.0.1\r\n",
    b"Range: bytes=0-0\r\n", b"Cookie: " + b"c" * repeats.HEAD_BYTES_MAX + b"\r\n",
])  # fmt: skip
async def test_what_concerns_one_client_is_read_each_time(served: Served, line: bytes) -> None:
    """The end of a connection, a proxy's claims, parts, and what is long."""
    await served.line.ask(GET)
    head = GET[:-2] + line + b"\r\n"
    for _ in range(3):
        asking = await Line.to(served.port)
        await asking.ask(head)
        asking.writer.close()

    assert served.read.count(head) == 3
    assert len(served.server.repeats) == 0


def test_it_is_bounded() -> None:
    """One more than so many, and it begins anew."""
    known, request = repeats.Repeats(), message.Request(method="GET", path="/")
    answer = message.Prepared(head=b"", again=lambda: True)
    for number in range(repeats.HEADS_MAX + 5):
        for _ in range(2):
            known.keep(b"%d" % number, request, answer)

    assert len(known) == 5


def test_what_comes_once_is_not_kept() -> None:
    """Where all heads differ, none of them is, nor is their number without a bound."""
    known, request = repeats.Repeats(), message.Request(method="GET", path="/")
    answer = message.Prepared(head=b"", again=lambda: True)
    for number in range(3 * repeats.ONCE_MAX):
        known.keep(b"%d" % number, request, answer)

    assert len(known) == 0
    known.keep(b"%d" % (3 * repeats.ONCE_MAX - 1), request, answer)
    assert len(known) == 1


def test_a_front_gives_it_until_a_purge() -> None:
    """The shelf of a front says the same of its answers, and counts them."""
    time = [0.0]
    shelf = Shelf(lambda: time[0])
    answer = prepared(200, message.Headers(), b"x", b"head")
    request = message.Request(method="GET", path="/", headers=message.Headers([("host", "a")]))
    shelf.put(request, answer, [], 1.0)
    assert answer.again is not None
    time[0] = 0.9
    assert (answer.again(), shelf.hits) == (True, 1)
    shelf.clear()
    assert (answer.again(), shelf.hits) == (False, 1)
    shelf.put(request, answer, [], 1.0)
    time[0] = 1.9
    assert not answer.again()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "purge", "soft", "wait", "change", "vary"]),
        st.sampled_from([b"/a", b"/choice", b"/b"]),
        st.sampled_from([b"", b"x-a: 1\r\n", b"Accept: type/two\r\n"]),
        st.floats(0.05, 40.0),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_nobody_can_tell(steps: list[tuple[str, bytes, bytes, float]]) -> None:
    """Whatever happens, a known head gets what the same request in other words gets."""
    asyncio.run(_compared(steps))


async def _compared(steps: list[tuple[str, bytes, bytes, float]]) -> None:
    clock, origin = Clock(), Origin()
    settings_ = config.Config(soft_purge_seconds=0.0)
    cached = cache.Cache(origin, settings=settings_, clock=clock, offers=lambda _: ())
    await cached.open()
    version = {b"/a": 0, b"/b": 0, b"/choice": 0}
    _publish(origin, version, "x-a")
    http = server.Server(cached, fast=cached.lookup_nowait)
    line = await Line.to(await http.start("127.0.0.1", 0))
    for number, (step, path, more, seconds) in enumerate(steps):
        head = b"GET " + path + b" HTTP/1.1\r\n" + HOST + more
        if step == "purge" or step == "soft":
            await cached.purge(path.decode(), soft=step == "soft")
        elif step == "wait":
            clock.time += seconds
        elif step == "ask":
            await line.ask(head + b"\r\n")
            other = await line.ask(head + b"x-number: %d\r\n\r\n" % number)
            for _ in range(3):
                assert await line.ask(head + b"\r\n") == other
        else:
            version[path] += 1
            _publish(origin, version, "x-a" if step == "change" else "accept")
    line.writer.close()
    await http.stop(1)
    await cached.close()


def _publish(origin: Origin, version: dict[bytes, int], vary: str) -> None:
    """Answer with what is new; what was stored stays as it was."""
    for path in (b"/a", b"/b"):
        body = b"%s %d" % (path, version[path])
        origin.answers[path.decode()] = reply(body, cache_control="max-age=30", vary=vary)
    made = f"/made{version[b'/choice']}"
    origin.answers["/choice"] = reply(dynimo_forward=made, cache_control="max-age=20", vary=vary)
    origin.answers[made] = reply(made.encode(), cache_control="max-age=25")
