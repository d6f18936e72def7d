"""Ten thousand functions registered, a thousand of them invoked: memory, and the cost of a lookup.

A server for each size, all of them up at once and asked in turns, so that a ratio of sizes is of
the same moment. The first function of each is made through the API; the others get the same code
and configuration through the registry's own classes while the server is down, because making each
active would import it. Then all are served by the real program. At the largest size a thousand are
invoked, a few at a time, and the tree is weighed on the way: with the shipped settings at most
``zygotes_max`` stay imported, the longest unused go.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import aws, figures, light_client, memory, signed
from bench.figures import Report
from bench.peers.dynimo_functions import FUNCTION, DynimoFunctions
from bench.peers.hello import Serving, payloads
from bench.setting import Setting, Unavailable
from dynimo.model.names import Place
from dynimo.registry.config import Config
from dynimo.registry.registry import Registry

NAME = "many"
ABOUT = "10,000 functions registered, 1,000 invoked: memory and lookup"
SIZES, SIZES_QUICK = (1, 100, 1_000, 10_000), (1, 100, 2_000)
INVOKED, INVOKED_QUICK = 1_000, 100
FLAT_GOAL = 1.2
ROUNDS = 20
CALLS_A_ROUND = 100
AT_ONCE = 4
FREE_MIB_MIN = 10_000
"""What a full run may need: the zygotes of ``zygotes_max`` functions."""


@dataclass(slots=True)
class _Size:
    """One server and what was found there."""

    functions: int
    seconds: float
    serving: Serving
    at_rest_mib: float = 0.0
    get_ms: list[float] = field(default_factory=list)
    invoke_ms: list[float] = field(default_factory=list)


def run(setting: Setting) -> Report:
    """Register, serve, weigh, ask in turns, invoke many."""
    report = Report(bench=NAME)
    if not setting.quick and _available_mib() < FREE_MIB_MIN:
        raise Unavailable(f"{FREE_MIB_MIN} MiB of free memory are needed; use --quick")
    with contextlib.ExitStack() as stack:
        sizes = [
            stack.enter_context(_served(setting, functions))
            for functions in (SIZES_QUICK if setting.quick else SIZES)
        ]
        for size in sizes:
            size.at_rest_mib = memory.tree_mib(size.serving.pids)
        _turns(setting, sizes)
        _figures(report, sizes)
        _invoke_many(setting, report, sizes[-1])
    return report


@contextlib.contextmanager
def _served(setting: Setting, functions: int) -> Iterator[_Size]:
    dynimo = DynimoFunctions(setting, folder=f"many-{functions}")
    dynimo.install()
    with dynimo.platform() as serving:
        assert serving.keys is not None, "a platform has keys"
        aws.create(aws.client(serving.port, serving.keys), FUNCTION)
    registry = Registry(dynimo.data, Config())
    try:
        latest = registry.function(Place(), FUNCTION).latest
        for number in range(1, functions):
            registry.create(latest.place, _name(number), latest.configuration, latest.code)
    finally:
        registry.close()
    began = time.monotonic()
    with dynimo.platform(fresh=False) as serving:
        seconds = time.monotonic() - began
        setting.say(f"{NAME}: {functions:,} functions, ready after {seconds:.1f} s")
        yield _Size(functions, seconds, serving)


def _name(number: int) -> str:
    return f"hello-{number:05}" if number else FUNCTION


def _turns(setting: Setting, sizes: list[_Size]) -> None:
    for number in range(-1, setting.rounds(ROUNDS, quick=5)):
        for size in sizes[:: 1 if number % 2 else -1]:
            serving = size.serving
            step = max(1, size.functions // CALLS_A_ROUND)
            paths = [
                f"/2015-03-31/functions/{_name(each * step % size.functions)}"
                for each in range(CALLS_A_ROUND)
            ]
            assert serving.keys is not None, "a platform has keys"
            gets = [signed.request(serving.keys, serving.port, "GET", path) for path in paths]
            got = light_client.sequential(serving.port, gets, b'"FunctionName"')
            calls = serving.requests(payloads(CALLS_A_ROUND))
            called = light_client.sequential(serving.port, calls, aws.EXPECTED)
            if number >= 0:  # the first round warms up
                size.get_ms.append(figures.median(got))
                size.invoke_ms.append(figures.median(called))


def _figures(report: Report, sizes: list[_Size]) -> None:
    for size in sizes:
        note = f"ready after {size.seconds:.1f} s"
        report.add(f"{size.functions:,} registered: memory", size.at_rest_mib, "MiB", note=note)
    for size in sizes:
        name = f"{size.functions:,} registered"
        report.add(f"{name}: GetFunction, median", figures.median(size.get_ms), "ms")
        report.add(f"{name}: warm invocation, median", figures.median(size.invoke_ms), "ms")
    few, many = sizes[1], sizes[-1]
    of = f"{many.functions:,} / {few.functions:,} registered"
    ratio = figures.ratio_of_rounds(many.get_ms, few.get_ms)
    report.add(f"GetFunction, {of}", ratio, "x", at_most=FLAT_GOAL)
    ratio = figures.ratio_of_rounds(many.invoke_ms, few.invoke_ms)
    report.add(f"warm invocation, {of}", ratio, "x", at_most=FLAT_GOAL)
    each = (many.at_rest_mib - few.at_rest_mib) / (many.functions - few.functions)
    report.add("memory of one more registered function", each * 1024, "KiB")


def _invoke_many(setting: Setting, report: Report, size: _Size) -> None:
    """Invoke many functions of the largest size once; weigh at tenths, and ask again."""
    serving = size.serving
    assert serving.keys is not None, "a platform has keys"
    total = setting.rounds(INVOKED, INVOKED_QUICK)
    first_ms: list[float] = []
    weights = [size.at_rest_mib]
    for done in range(0, total, total // 5):
        requests = [
            signed.invocations(serving.keys, serving.port, _name(number), [b"{}"])[0]
            for number in range(done, done + total // 5)
        ]
        drive = light_client.closed_loop(
            serving.port,
            requests,
            aws.EXPECTED,
            lines=AT_ONCE,
            more=lambda drive: drive.answered + drive.failed + AT_ONCE <= total // 5,
        )
        if drive.failed:
            raise Unavailable(f"{drive.failed} functions failed: {drive.errors[0]}")
        first_ms.extend(drive.latencies_ms)
        weight = memory.tree_mib(serving.pids)
        weights.append(weight)
        note = f"{len(memory.tree(serving.pids[0]))} processes"
        report.add(f"{done + total // 5:,} invoked: memory", weight, "MiB", note=note)
        setting.say(f"{NAME}: {done + total // 5:,} invoked, {weight:,.0f} MiB")
    each = (weights[1] - weights[0]) / (total // 5)
    report.add("memory of one more imported function", each, "MiB", note="with its environment")
    note = f"p99 {figures.percentile(first_ms, 99):.0f} ms; {AT_ONCE} at once; its code is imported"
    report.add("first invocation, not imported, median", figures.median(first_ms), "ms", note=note)
    before = figures.median(size.invoke_ms)
    calls = serving.requests(payloads(CALLS_A_ROUND * 5))
    light_client.sequential(serving.port, calls[:CALLS_A_ROUND], aws.EXPECTED)
    after = figures.median(light_client.sequential(serving.port, calls, aws.EXPECTED))
    note = f"{before:.2f} ms before any was, {after:.2f} ms after"
    report.add(f"warm invocation, {total:,} invoked / none", after / before, "x", note=note)


def _available_mib() -> float:
    for line in Path("/proc/meminfo").read_text("utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return 0.0
