"""The core's front processes: begun, watched, begun again, replaced one after another, ended.

The listening socket is made here, once, and shared; so no connection is lost between two fronts,
and a port is never free for somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace

import msgspec

from dynimo.fronts import messages
from dynimo.fronts.desk import Desk, Fast
from dynimo.fronts.link import Link
from dynimo.fronts.messages import Asked, Counted, Forgotten, Left, Ready, Taken
from dynimo.fronts.settings import FrontSettings
from dynimo.web import message

log = logging.getLogger("dynimo.fronts")

READY_SECONDS = 20.0
REST_SECONDS = 10.0
"""How long connections without a request may stay with a front that is replaced."""
GRACE_SECONDS = 900.0
"""How long requests may go on in one: as long as a function may run."""
FORGET_SECONDS = 1.0
"""How long a purge waits for a front; what a stuck one holds is gone by then by itself."""
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0
FRAME_BYTES_MAX = 2**31 - 1
Count = Callable[[list[tuple[int, float]]], None]


@dataclass(slots=True)
class _Front:
    """One front process, as the core sees it."""

    process: asyncio.subprocess.Process
    link: Link
    desk: Desk
    slot: int
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    serves: bool = False
    retired: bool = False
    statistics: Counter[str] = field(default_factory=Counter)
    forgotten: dict[int, asyncio.Future[None]] = field(default_factory=dict)


class Fronts:
    """``count`` fronts for ``handler``. ``fast`` is asked first; ``counted`` hears of answers."""

    def __init__(
        self,
        count: int,
        handler: message.Handler,
        settings: FrontSettings,
        *,
        fast: Fast | None,
        counted: Count,
    ) -> None:
        self._count = count
        self._handler = handler
        self._settings = settings
        self._fast = fast
        self._counted = counted
        self._socket: socket.socket | None = None
        self._https: socket.socket | None = None
        self._fronts: list[_Front] = []
        self._past: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._purges = 0
        self._stopping = False
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Fronts {[front.process.pid for front in self._fronts]}>"

    @property
    def pids(self) -> list[int]:
        """Of the processes that serve now."""
        return [front.process.pid for front in self._serving]

    @property
    def _serving(self) -> list[_Front]:
        return [front for front in self._fronts if front.serves and not front.retired]

    def listen_https(self, host: str, port: int) -> int:
        """Have the fronts serve https too; before ``start``. The port.

        Raises:
            OSError: the address cannot be had.
        """
        self._https = _listening(host, port, self._settings.web.backlog)
        return int(self._https.getsockname()[1])

    async def start(self, host: str, port: int) -> int:
        """Listen, and begin the fronts; the port.

        Raises:
            OSError: the address cannot be had, or no process can be begun.
        """
        self._socket = _listening(host, port, self._settings.web.backlog)
        await asyncio.gather(*(self._begin() for _ in range(self._count)))
        return int(self._socket.getsockname()[1])

    async def reload(self) -> None:
        """Replace every front, one after another: the new one serves before the old one ends."""
        async with self._changing:
            for old in self._serving:
                try:
                    await self._begin()
                except OSError as error:
                    log.error("front process %d stays: %s", old.process.pid, error)
                    return
                self._retire(old, REST_SECONDS, GRACE_SECONDS)
        log.info("fronts were replaced: %s", ", ".join(map(str, self.pids)))

    async def forget(self) -> None:
        """Something was purged: return when no front gives what it had before."""
        self._purges += 1
        loop, waiting = asyncio.get_running_loop(), []
        for front in self._fronts:
            heard = loop.create_future()
            front.forgotten[self._purges] = heard
            front.link.send(messages.frame(messages.Forget(self._purges)))
            waiting.append(heard)
        if waiting:
            await asyncio.wait(waiting, timeout=FORGET_SECONDS)

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, let what is under way finish for ``grace_seconds``, then end all."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for listening in (self._socket, self._https):
            if listening is not None:
                listening.close()
        fronts = list(self._fronts)
        for front in fronts:
            self._retire(front, 0.0, grace_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                for front in fronts:
                    await front.lost.wait()
        for front in fronts:
            if front.process.returncode is None:
                front.process.kill()
            await front.process.wait()
            front.link.close()

    def statistics(self) -> dict[str, int]:
        """What their servers say of themselves, added up."""
        told = Counter(self._past)
        for front in self._fronts:
            told.update(front.statistics)
        return {"fronts": len(self.pids), **told}

    async def _begin(self) -> None:
        assert self._socket is not None
        ours, theirs = socket.socketpair()
        doors = [self._socket, *([self._https] if self._https is not None else [])]
        descriptors = (theirs.fileno(), *(door.fileno() for door in doors))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "dynimo.fronts", *map(str, descriptors),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=descriptors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        finally:
            theirs.close()
        link = await Link.over(
            ours, lambda frame: self._hear(front, frame), lambda: self._lost(front),
            frame_bytes_max=FRAME_BYTES_MAX,
        )  # fmt: skip
        desk = Desk(self._handler, link.send, fast=self._fast, purges=lambda: self._purges)
        slot = min(set(range(len(self._fronts) + 1)) - {each.slot for each in self._fronts})
        front = _Front(process, link, desk, slot)
        self._fronts.append(front)
        settings = msgspec.msgpack.encode(replace(self._settings, slot=slot))
        link.send(len(settings).to_bytes(4, "big") + settings)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                await front.ready.wait()
        if not front.serves:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise OSError("a front process does not start; its words are above")

    def _retire(self, front: _Front, rest_seconds: float, grace_seconds: float) -> None:
        front.retired = True
        front.link.send(messages.frame(messages.Retire(rest_seconds, grace_seconds)))

    def _hear(self, front: _Front, frame: memoryview) -> None:
        told = messages.from_front(frame)
        if isinstance(told, Asked):
            front.desk.ask(told)
        elif isinstance(told, Left):
            front.desk.leave(told.number)
        elif isinstance(told, Taken):
            front.desk.taken(told.number, told.size)
        elif isinstance(told, Counted):
            front.statistics = Counter(told.statistics)
            self._counted(told.requests)
        elif isinstance(told, Forgotten):
            heard = front.forgotten.pop(told.number, None)
            if heard is not None and not heard.done():
                heard.set_result(None)
        elif isinstance(told, Ready):
            front.serves = True
            front.ready.set()

    def _lost(self, front: _Front) -> None:
        """A front is gone: what it asked for is let go; another takes its place if it should."""
        front.desk.close()
        for heard in front.forgotten.values():
            if not heard.done():
                heard.set_result(None)
        front.lost.set()
        front.ready.set()
        if front in self._fronts:
            self._fronts.remove(front)
            self._past.update(
                {name: count for name, count in front.statistics.items() if _is_total(name)}
            )
        if front.serves and not front.retired and not self._stopping:
            log.error("front process %d is gone; another takes its place", front.process.pid)
            self._later(self._again(front))
        else:
            self._later(self._reap(front))

    async def _again(self, front: _Front) -> None:
        await front.process.wait()
        seconds = BACKOFF_SECONDS_MIN
        while not self._stopping:
            try:
                async with self._changing:
                    await self._begin()
            except OSError as error:
                log.error("no front process in its place: %s; next try in %.1f s", error, seconds)
                await asyncio.sleep(seconds)
                seconds = min(BACKOFF_SECONDS_MAX, seconds * 2)
            else:
                return

    async def _reap(self, front: _Front) -> None:
        await front.process.wait()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_total(name: str) -> bool:
    """Whether a figure counts since the start; the others are of now."""
    return name not in {"connections", "requests_in_progress"}


def _listening(host: str, port: int, backlog: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(backlog)
    except OSError:
        made.close()
        raise
    return made
