"""An edge with a million objects on its disk: how soon it serves, what it weighs, how it purges.

The index is made by the edge's own code; bodies are 4 KB, and 1,000 of them are shared by all
objects, for what is measured here does not read them. The program is the real one, started anew and
once more after kill -9. Each purge is timed from the client's side, HTTP and fsync included, and is
checked: what it names is not served from the store any more, and its neighbour is. A sweep may go
on behind the purges that follow; that is how it is in life.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import figures, memory
from bench.figures import Report
from bench.programs import Program, free_port
from bench.setting import Setting, Unavailable
from dynimo.edge import bodies, index
from dynimo.edge.stored import OVERHEAD_BYTES, Stored

NAME = "objects"
ABOUT = "an edge with 1,000,000 objects on disk: start, memory, and every kind of purge"
OBJECTS, QUICK_OBJECTS = 1_000_000, 50_000
BODIES, BODY_BYTES = 1000, 4096
HOST = "bench.example"
START_GOAL_SECONDS = 3.0
PURGE_GOAL_MS = 10.0
PURGES = 10
BATCH = 20_000
LEARN_SECONDS_MAX = 120.0
GROUP = 1000
WIDE = 100
"""So many groups have one wide tag and one wide prefix: 100,000 objects each, of a million."""


def run(setting: Setting) -> Report:
    """Fill, start twice, weigh, purge."""
    report = Report(bench=NAME)
    count = QUICK_OBJECTS if setting.quick else OBJECTS
    data = setting.folder("objects")
    shutil.rmtree(data)
    try:
        began = time.monotonic()
        _fill(data / "cache", count, setting)
        report.notes.append(
            f"{count:,} objects of {BODY_BYTES} bytes, two tags each, filled in"
            f" {time.monotonic() - began:.0f} s; {BODIES} bodies are shared by all"
        )
        size = (data / "cache" / "index.sqlite").stat().st_size
        report.add("index on disk, per object", size / count, "bytes")
        _started(report, data, count, setting)
        _purged(report, data, count, setting)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return report


def _target(number: int) -> str:
    group = number // GROUP
    return f"/w{group // WIDE}/g{group}/o{number}"


def _object(number: int, body: bytes) -> Stored:
    group = number // GROUP
    return Stored(
        # A stamp of 1 is older than any purge: purges are numbered by the time.
        key=HOST + _target(number), names=(), values=(), status=200, body=body,
        born=time.time(), lifetime=86_400.0, stamp=1, uses=number % 7,
        headers=(
            ("content-type", "image/avif"), ("cache-control", "max-age=86400"), ("etag", '"1"'),
            ("surrogate-key", f"wide{group // WIDE} group{group}"),
        ),
    )  # fmt: skip


def _fill(folder: Path, count: int, setting: Setting) -> None:
    files = bodies.Bodies(folder)
    files.open()
    made = [os.urandom(BODY_BYTES) for _ in range(BODIES)]
    for body in made:
        files.write(bodies.name_of(body), body)
    names = [bodies.name_of(body) for body in made]
    connection = index.connect(folder / "index.sqlite")
    connection.execute("PRAGMA journal_mode = OFF")  # while filling; the edge has its own
    connection.execute("PRAGMA cache_size = -400000")
    written = index.Index(connection)
    for first in range(0, count, BATCH):
        written.begin()
        for number in range(first, first + BATCH):
            which = number % BODIES
            written.put(_object(number, made[which]), names[which], float(number), 16)
        written.commit()
        if first % (count // 5) == 0:
            setting.say(f"{NAME}: {first:,} objects")
    written.close()


@contextmanager
def _serving(data: Path, setting: Setting) -> Iterator[tuple[Program, int]]:
    port = free_port()
    command = [
        sys.executable, "-m", "dynimo", "edge", "--upstream", "http://127.0.0.1:9",
        "--port", str(port), "--data", str(data),
    ]  # fmt: skip
    with Program("dynimo edge", command, log=setting.folder("logs") / "objects.log") as program:
        program.wait_ready(port, "/_dynimo/readyz", 200)
        yield program, port


def _started(report: Report, data: Path, count: int, setting: Setting) -> None:
    """From exec to the first object served from disk; the second time after kill -9."""
    for name in (f"start on {count:,} objects", "start after kill -9"):
        with _serving(data, setting) as (program, port):
            if not _is_stored(port, _target(count // 2)):
                raise Unavailable("the edge does not find what was stored")
            seconds = time.monotonic() - program.started
            report.add(f"{name}, to the first hit", seconds, "s", at_most=START_GOAL_SECONDS)
            if name == "start after kill -9":
                _until(data / "cache" / "presence")
            resting = memory.tree_mib([program.pid])
            os.kill(program.pid, 9)
    report.add("memory with all known, PSS", resting, "MiB")
    with _serving(_empty(data), setting) as (program, port):
        note = "the same program with nothing on its disk, to compare"
        report.add("start on no object", time.monotonic() - program.started, "s", note=note)
        time.sleep(1)
        empty = memory.tree_mib([program.pid])
    each = (resting - empty) * 1024 * 1024 / count
    note = f"an edge with nothing on disk takes {empty:.0f} MiB"
    report.add("memory per object on disk", each, "bytes", note=note)
    note = "a count by the edge of its own bookkeeping, beside body and headers"
    report.add("memory per object in memory", OVERHEAD_BYTES, "bytes", note=note)


def _until(path: Path) -> None:
    """Wait until the edge has written down which keys it has: then it has been through them all."""
    began = time.monotonic()
    while not path.exists():
        if time.monotonic() - began > LEARN_SECONDS_MAX:
            raise Unavailable(f"the edge did not write {path.name}")
        time.sleep(0.1)


def _empty(data: Path) -> Path:
    empty = data / "empty"
    empty.mkdir(exist_ok=True)
    return empty


class _Kind(NamedTuple):
    """One kind of purge: what is asked for the n-th time, and an object that this takes."""

    name: str
    times: int
    asked: Callable[[int], dict[str, object]]
    taken: Callable[[int], int]


def _kinds(count: int, *, soft: bool) -> list[_Kind]:
    """Return the kinds there are objects enough for; hard and soft ones take different objects."""
    group, wide = (25, 5) if soft else (5, 1)
    kinds = [
        _Kind("one URL", PURGES, lambda n: {"url": _target(n + PURGES * soft)},
              lambda n: n + PURGES * soft),
        _Kind("a prefix of 1,000", PURGES, lambda n: {"prefix": f"/w0/g{group + n}/"},
              lambda n: (group + n) * GROUP),
        _Kind("a tag of 1,000", PURGES, lambda n: {"tag": f"group{group + PURGES + n}"},
              lambda n: (group + PURGES + n) * GROUP),
        _Kind("a prefix of 100,000", PURGES, lambda n: {"prefix": f"/w{wide + n % 2}/"},
              lambda n: (wide + n % 2) * WIDE * GROUP),
        _Kind("a tag of 100,000", PURGES, lambda n: {"tag": f"wide{wide + 2 + n % 2}"},
              lambda n: (wide + 2 + n % 2) * WIDE * GROUP),
    ]  # fmt: skip
    return [kind for kind in kinds if kind.taken(kind.times - 1) < count - GROUP]


def _purged(report: Report, data: Path, count: int, setting: Setting) -> None:
    """Time each kind of purge, and look that it took what it names and not its neighbour."""
    neighbour = _target(count - 1)
    with _serving(data, setting) as (_, port):
        key = (data / "admin.key").read_text().strip()
        _add(report, "fdatasync of one line alone", _synced(data))
        for soft in (False, True):
            word = "soft" if soft else "hard"
            for kind in _kinds(count, soft=soft):
                took = []
                for number in range(kind.times):
                    took.append(_timed(port, key, {**kind.asked(number), "soft": soft}))
                    if _is_stored(port, _target(kind.taken(number))):
                        report.missing.append(f"a {word} purge of {kind.name} left what it names")
                if not _is_stored(port, neighbour):
                    report.missing.append(f"a {word} purge of {kind.name} took its neighbour")
                _add(report, f"{word} purge of {kind.name}", took)
        for soft in (True, False):
            took = [_timed(port, key, {"everything": True, "soft": soft}) for _ in range(5)]
            _add(report, f"{'soft' if soft else 'hard'} purge of everything", took)
            if _is_stored(port, neighbour):
                report.missing.append("a purge of everything left something")


def _add(report: Report, name: str, took: list[float]) -> None:
    goal = PURGE_GOAL_MS if "purge" in name else None
    note = f"{figures.spread(took)}; {len(took)} of them"
    report.add(name, figures.median(took), "ms", at_most=goal, note=note)


def _synced(data: Path) -> list[float]:
    """Time what no durable purge can do without, on the same disk."""
    took = []
    with (data / "line").open("ab", buffering=0) as file:
        for _ in range(PURGES * 3):
            began = time.perf_counter()
            file.write(b"x" * 100 + b"\n")
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return took


def _timed(port: int, key: str, asked: dict[str, object]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps(asked).encode()
    try:
        connection.connect()
        began = time.perf_counter()
        connection.request("POST", "/_dynimo/purge", body, {"x-dynimo-key": key})
        answer = connection.getresponse()
        told = answer.read()
        took = time.perf_counter() - began
    finally:
        connection.close()
    if answer.status != 200:
        raise Unavailable(f"a purge was answered {answer.status}: {told!r}")
    return took * 1000


def _is_stored(port: int, target: str) -> bool:
    """Say whether it is served from the store, and fresh."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"host": HOST, "cache-control": "only-if-cached"}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status == 200 and len(answer.read()) == BODY_BYTES
    finally:
        connection.close()
