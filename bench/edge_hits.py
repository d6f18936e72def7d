"""Hits of one object of 30 KB and of one of 1 KB from the edge's memory, beside nginx's cache.

Each server is pinned to one core, with all its processes, and driven by ``wrk`` from the other;
only one is driven at a time. Rounds take turns and a ratio is the median of the rounds' ratios.
The object is a real picture, made by the server itself and given to nginx byte for byte. Where the
driver cannot keep nginx's core busy, requests a second flatter Dynimo; requests a second of the
server's own processor time do not. The goal is held against that always, and against the former
where the driver was fast enough.

A driver says the same each time, byte for byte, and Dynimo knows such heads. So the 30 KB are also
asked for in heads that all differ, which nobody can know.

Then Dynimo alone on all cores, with one process that speaks HTTP and with two (``--workers``); the
driver takes its part of the same cores from both.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench import corpus, figures, load, processor
from bench.beside_peers import largest_first
from bench.figures import Report
from bench.peers.contender import Recipe
from bench.peers.dynimo import Dynimo
from bench.peers.nginx import TARGET, Nginx
from bench.setting import Setting, Unavailable

NAME = "edge"
ABOUT = "hits from memory, 30 KB and 1 KB, one core, beside nginx's proxy_cache; two fronts"
GOAL = 0.5
FRONTS_GOAL = 1.7
CONNECTIONS = 32
SECONDS = 4
ROUNDS = 7
BUSY_MIN = 0.9
OBJECTS = {
    "30 KB": (range(27_000, 33_000), (600, 512, 700, 450, 800)),
    "1 KB": (range(700, 1_400), (40, 48, 32, 56, 64)),
}
"""How large it is, and at which sides a picture may come out so."""
DIFFERING = """
local number = 0
request = function()
  number = number + 1
  return wrk.format(nil, nil, {["x-request-id"] = tostring(number)})
end
"""
"""For wrk: no two heads of a connection are the same."""
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99 = re.compile(r"99%\s+([\d.]+)(us|ms|s)")


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    port: int
    target: str
    pid: int


def run(setting: Setting) -> Report:
    """Measure both in turns."""
    report = Report(bench=NAME)
    cores = sorted(os.sched_getaffinity(0))
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not here (on Debian: apt-get install {package})")
    if len(cores) < 2:
        raise Unavailable("two cores are needed: one for the server, one for the driver")
    pinned = ["taskset", "-c", str(cores[0])]
    nginx, dynimo = Nginx(setting, pinned), Dynimo(setting, pinned)
    report.notes.append(
        f"{nginx.install()}; wrk -t1 -c{CONNECTIONS} on core {cores[1]}, servers on {cores[0]}"
    )
    sources = setting.folder("sources", "edge")
    corpus.under_new_names(corpus.load(setting).pictures, sources)
    with dynimo.start(sources, Recipe()) as running:
        for size in OBJECTS:
            target, made = _object(dynimo, running.port, setting, size)
            report.notes.append(f"{size}: {len(made.body)} bytes, {made.media_type}")
            with nginx.start(made.body, made.media_type) as (port, pid):
                servers = (
                    _Server("dynimo", running.port, target, running.program.pid),
                    _Server("nginx", port, TARGET, pid),
                )
                for server in servers:
                    report.notes.append(f"{server.name} answers with: {_headers(server)}")
                driver = ["taskset", "-c", str(cores[1])]
                _beside(report, size, _turns(setting, servers, driver))
                if size == "30 KB":
                    script = setting.folder("edge") / "differing.lua"
                    script.write_text(DIFFERING)
                    _differing(report, _turns(setting, servers, driver, script))
    _fronts(setting, report, sources)
    return report


def _fronts(setting: Setting, report: Report, sources: Path) -> None:
    """One process that speaks HTTP, and two, on all cores."""
    one = Dynimo(setting)
    two = Dynimo(setting, variables={"DYNIMO_WORKERS": "2"}, folder="dynimo-two-fronts")
    with one.start(sources, Recipe()) as first, two.start(sources, Recipe()) as second:
        target, _ = _object(one, first.port, setting, "30 KB")
        load.get(second.port, target)
        servers = (
            _Server("one", first.port, target, first.program.pid),
            _Server("two", second.port, target, second.program.pid),
        )
        tallies = _turns(setting, servers, [])
    for name, tally in tallies.items():
        note = f"{figures.spread(tally.per_second)}; p99 {figures.median(tally.p99_ms):.2f} ms"
        report.add(f"30 KB, all cores, {name}", figures.median(tally.per_second), "/s", note=note)
    ratio = figures.ratio_of_rounds(tallies["two"].per_second, tallies["one"].per_second)
    report.add("two fronts / one process", ratio, note="the driver takes its part of the cores")
    each = figures.ratio_of_rounds(
        tallies["two"].per_processor_second, tallies["one"].per_processor_second
    )
    report.add(
        "twice that per second of processor time",
        2 * each,
        at_least=FRONTS_GOAL,
        note="what two cores of their own would give",
    )


def _object(dynimo: Dynimo, port: int, setting: Setting, size: str) -> tuple[str, load.Answer]:
    """Find a picture and size that give about so many bytes."""
    wanted, sides = OBJECTS[size]
    for side in sides:
        for picture in largest_first(corpus.load(setting).pictures)[::-1]:
            target = dynimo.target(picture.name, Recipe(side=side))
            answer = load.get(port, target)
            if answer.status == 200 and len(answer.body) in wanted:
                return target, answer
    raise Unavailable(f"no picture came out at about {size}")


def _headers(server: _Server) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", server.target)
        response = connection.getresponse()
        size = len(response.read())
        told = {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()
    cache = told.get("cache-status") or told.get("x-cache", "")
    return f"{response.status}, {size} bytes, {len(told)} header lines, {cache}"


@dataclass(slots=True)
class _Tally:
    per_second: list[float] = field(default_factory=list)
    per_processor_second: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


def _turns(
    setting: Setting, servers: tuple[_Server, ...], pinned: list[str], script: Path | None = None
) -> dict[str, _Tally]:
    """Drive each in its turn; ``pinned`` is put before the driver's command."""
    tallies = {server.name: _Tally() for server in servers}
    for number in range(-1, setting.rounds(ROUNDS, quick=3)):
        for server in servers[:: 1 if number % 2 else -1]:
            seconds = 1 if number < 0 else SECONDS
            before = processor.seconds([server.pid])
            rate, p99 = _wrk(server, pinned, seconds, script)
            used = processor.seconds([server.pid]) - before
            if number < 0:
                continue  # the first round warms up
            tally = tallies[server.name]
            tally.per_second.append(rate)
            tally.per_processor_second.append(rate * seconds / used)
            tally.busy.append(used / seconds)
            tally.p99_ms.append(p99)
            setting.say(f"{NAME}: round {number + 1}: {server.name} {rate:,.0f}/s")
    return tallies


def _beside(report: Report, size: str, tallies: dict[str, _Tally]) -> None:
    """Add the figures of Dynimo beside nginx."""
    for name, tally in tallies.items():
        note = (
            f"{figures.spread(tally.per_second)}; p99 {figures.median(tally.p99_ms):.2f} ms; "
            f"its core {figures.median(tally.busy):.0%} in use by it"
        )
        report.add(f"{size}, {name}", figures.median(tally.per_second), "/s", note=note)
    ours, theirs = tallies["dynimo"], tallies["nginx"]
    ratio = figures.ratio_of_rounds(ours.per_second, theirs.per_second)
    driven = figures.median(theirs.busy) >= BUSY_MIN
    report.add(
        f"{size}, dynimo / nginx",
        ratio,
        at_least=GOAL if driven else None,
        note="" if driven else "flattered: the driver could not keep nginx's core busy",
    )
    ratio = figures.ratio_of_rounds(ours.per_processor_second, theirs.per_processor_second)
    report.add(f"{size}, dynimo / nginx, per second of processor time", ratio, at_least=GOAL)


def _differing(report: Report, tallies: dict[str, _Tally]) -> None:
    """Add the figures for heads that nobody can know."""
    ours, theirs = tallies["dynimo"], tallies["nginx"]
    for name, tally in tallies.items():
        rate = figures.median(tally.per_second)
        note = f"its core {figures.median(tally.busy):.0%} in use by it"
        report.add(f"30 KB, heads that differ, {name}", rate, "/s", note=note)
    ratio = figures.ratio_of_rounds(ours.per_processor_second, theirs.per_processor_second)
    report.add("heads that differ, dynimo / nginx, per second of processor time", ratio)


def _wrk(
    server: _Server, pinned: list[str], seconds: int, script: Path | None
) -> tuple[float, float]:
    """Drive one server; return requests a second and the p99 in milliseconds."""
    url = f"http://127.0.0.1:{server.port}{server.target}"
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", url]
    if script is not None:
        options[:0] = ["-s", str(script)]
    ran = subprocess.run(
        [*pinned, "wrk", *options],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    rate, p99 = _RATE.search(ran.stdout), _P99.search(ran.stdout)
    if rate is None or "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise Unavailable(f"wrk on {server.name} said: {ran.stdout}{ran.stderr}")
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    return float(rate[1]), float(p99[1]) * unit[p99[2]] if p99 else float("nan")
