"""Ten thousand resting connections and a thousand slow senders beside live traffic.

Live traffic is hits of one object at a fixed rate, from this process, each timed from when it was
due. Rounds with and without the crowd (a process of its own) take turns on one server, as shipped;
a ratio is the median of the rounds' ratios. Memory is the growth of the server's PSS while the
resting ones are there, over their number.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from bench import corpus, figures, load, memory, processor
from bench.beside_peers import largest_first
from bench.figures import Report
from bench.peers.contender import Recipe
from bench.peers.dynimo import Dynimo
from bench.setting import ROOT, Setting, Unavailable

NAME = "idle"
ABOUT = "live traffic beside 10,000 resting connections and 1,000 slow senders"
RATIO_GOAL = 2.0
IDLE, SLOW = 10_000, 1_000
FILES_KEPT = 600
"""Open files that the server and the clients need for all else."""
PER_SECOND, SECONDS = 250, 8
CONNECTIONS = 16
ROUNDS = 5
ANSWER_SECONDS_MAX = 10.0


@dataclass(slots=True)
class _Tally:
    p99_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    failed: int = 0


class _Crowd:
    """The other process; see ``idle_clients``."""

    def __init__(self, port: int, target: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.idle_clients", str(port), target],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()

    def tell(self, command: str) -> int:
        """Let it do something; return its number."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise Unavailable(f"the clients ended while they were told: {command}")
        return int(answer)


def run(setting: Setting) -> Report:
    """Measure in turns."""
    report = Report(bench=NAME)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    idle = min(IDLE, hard - FILES_KEPT - SLOW)
    if idle < IDLE:
        report.missing.append(f"{IDLE:,} resting ones: only {hard:,} open files are allowed here")
    dynimo = Dynimo(setting)
    report.notes.append(f"{dynimo.install()}: {dynimo.settings()}; hits at {PER_SECOND}/s")
    sources = setting.folder("sources", "edge")
    pictures = corpus.load(setting).pictures
    corpus.under_new_names(pictures, sources)
    target = dynimo.target(largest_first(pictures)[-1].name, Recipe(side=100))
    with dynimo.start(sources, Recipe()) as running, _Crowd(running.port, target) as crowd:
        if load.get(running.port, target).status != 200:
            raise Unavailable("the object could not be made")
        _turns(setting, report, crowd, (running.port, target, running.program.pid), idle)
    return report


def _turns(
    setting: Setting, report: Report, crowd: _Crowd, server: tuple[int, str, int], idle: int
) -> None:
    port, target, pid = server
    alone, beside = _Tally(), _Tally()
    per_connection: list[float] = []
    still = idle
    asyncio.run(_live(port, target, _Tally(), seconds=2))  # the first warms up
    for number in range(setting.rounds(ROUNDS)):
        _measured(server, alone)
        before = memory.pss_kib(pid)
        opened = crowd.tell(f"idle {idle}")
        if opened < idle:
            raise Unavailable(f"only {opened:,} of {idle:,} connections were answered")
        per_connection.append((memory.pss_kib(pid) - before) / idle)
        crowd.tell(f"slow {SLOW}")
        _measured(server, beside)
        still = min(still, crowd.tell("count"))
        ended = crowd.tell("close")
        _wait_gone(port)
        setting.say(
            f"{NAME}: round {number + 1}: p99 {alone.p99_ms[-1]:.2f} ms alone, "
            f"{beside.p99_ms[-1]:.2f} beside; {ended} slow ones ended so far"
        )
    for name, tally in (("alone", alone), ("beside them", beside)):
        report.add(f"p50, {name}", figures.median(tally.p50_ms), "ms")
        spread = figures.spread(tally.p99_ms)
        report.add(f"p99, {name}", figures.median(tally.p99_ms), "ms", note=spread)
        report.add(f"failed, {name}", tally.failed, at_most=0)
        report.add(f"a core's time in use, {name}", figures.median(tally.busy) * 100, "%")
    ratio = figures.ratio_of_rounds(beside.p99_ms, alone.p99_ms)
    report.add("p99 beside / alone", ratio, at_most=RATIO_GOAL)
    report.add("resting connections held", still, at_least=idle, note=f"and {SLOW:,} slow senders")
    report.add("memory of one", per_connection[0], "KiB", note="the server's PSS, first round")


def _measured(server: tuple[int, str, int], tally: _Tally) -> None:
    """One round of live traffic, and what processor time the server took for everything."""
    port, target, pid = server
    before = processor.seconds([pid])
    asyncio.run(_live(port, target, tally, seconds=SECONDS))
    tally.busy.append((processor.seconds([pid]) - before) / SECONDS)


def _wait_gone(port: int) -> None:
    """Wait until the server has let go of the crowd."""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while time.monotonic() < deadline:
        told = load.get(port, "/metrics").body.decode()
        line = next(each for each in told.splitlines() if 'dynimo_server{of="connections"}' in each)
        if float(line.rpartition(" ")[2]) < SLOW:
            return
        time.sleep(0.1)
    raise Unavailable("the server did not let go of connections that were reset")


async def _live(port: int, target: str, tally: _Tally, *, seconds: int) -> None:
    """Ask at a fixed rate, over a few connections that are kept."""
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    due = iter(number / PER_SECOND for number in range(PER_SECOND * seconds))
    began = time.perf_counter() + 0.1
    took: list[float] = []

    async def client(when: Iterator[float]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for offset in when:
            await asyncio.sleep(max(0.0, began + offset - time.perf_counter()))
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    writer.write(request)
                    good = await _answer(reader)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                good = False
            if not good:
                tally.failed += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            took.append(time.perf_counter() - began - offset)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(client(due))
    milliseconds = [each * 1000 for each in took]
    tally.p99_ms.append(figures.percentile(milliseconds, 99))
    tally.p50_ms.append(figures.percentile(milliseconds, 50))


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200 ")
