"""Does memory stay where it is over a million invocations? PSS of the server and of the rest.

The light client asks as fast as it is answered. Every so often it stops and the tree is weighed:
the server's process, and everything else (zygotes, environments). A line is fitted to the second
half, when pools and caches are full; its slope is what the goal is about. The requests are signed
anew before their quarter of an hour is over.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from bench import aws, light_client, memory
from bench.figures import Report
from bench.peers.dynimo_functions import DynimoFunctions
from bench.peers.hello import ENVIRONMENTS, Serving, payloads
from bench.setting import Setting, Unavailable
from bench.signed import VALID_SECONDS

NAME = "leak"
ABOUT = "memory over a million invocations through HTTP"
INVOCATIONS, INVOCATIONS_QUICK = 1_000_000, 50_000
SAMPLES = 40
SLOPE_GOAL_KIB = 1_024.0
PER = 100_000
"""The slope is given per this many invocations."""
REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class _Weighed:
    invocations: int
    server_kib: int
    rest_kib: int


def run(setting: Setting) -> Report:
    """Drive, weigh, fit."""
    report = Report(bench=NAME)
    dynimo = DynimoFunctions(setting)
    report.notes.append(f"{dynimo.install()}: {dynimo.settings()}")
    with dynimo.start() as serving:
        began = time.monotonic()
        weighed = _drive(setting, serving)
        seconds = time.monotonic() - began
    half = weighed[len(weighed) // 2 :]
    total = weighed[-1].invocations
    report.add("invocations", total, note=f"{total / seconds:,.0f}/s, weighing included")
    server = [each.server_kib for each in half]
    rest = [each.rest_kib for each in half]
    for name, column in (("server", server), ("zygotes and environments", rest)):
        slope, noise = _slope([each.invocations for each in half], column)
        report.add(
            f"slope of the second half, {name}",
            slope,
            f"KiB per {PER:,}",
            at_most=SLOPE_GOAL_KIB,
            note=f"samples lie {noise:,.0f} KiB around it; {column[0]:,} to {column[-1]:,} KiB",
        )
    report.add("server after start", weighed[0].server_kib / 1024, "MiB, PSS")
    report.add("server at the end", weighed[-1].server_kib / 1024, "MiB, PSS")
    return report


def _drive(setting: Setting, serving: Serving) -> list[_Weighed]:
    total = setting.rounds(INVOCATIONS, INVOCATIONS_QUICK)
    weighed = [_weigh(serving, 0)]
    done, signed_at = 0, float("-inf")
    requests: list[bytes] = []
    for number in range(1, SAMPLES + 1):
        if time.monotonic() - signed_at > VALID_SECONDS / 2:
            requests, signed_at = serving.requests(payloads(REQUESTS)), time.monotonic()
        until = total * number // SAMPLES - done
        drive = light_client.closed_loop(
            serving.port,
            requests,
            aws.EXPECTED,
            lines=ENVIRONMENTS,
            more=lambda drive, until=until: drive.answered + ENVIRONMENTS <= until,
        )
        if drive.failed:
            raise Unavailable(f"{drive.failed} answers were wrong: {drive.errors[0]}")
        done += drive.answered
        weighed.append(_weigh(serving, done))
        if number % (SAMPLES // 20) == 0:
            server, rest = weighed[-1].server_kib / 1024, weighed[-1].rest_kib / 1024
            weights = f"server {server:.1f} MiB, the rest {rest:.1f} MiB"
            setting.say(f"{NAME}: {done:,} done, {drive.per_second:,.0f}/s, {weights}")
    return weighed


def _weigh(serving: Serving, done: int) -> _Weighed:
    server = serving.pids[0]
    rest = sum(memory.pss_kib(pid) for pid in memory.tree(server) if pid != server)
    return _Weighed(done, memory.pss_kib(server), rest)


def _slope(invocations: list[int], kib: list[int]) -> tuple[float, float]:
    """The fitted KiB per ``PER`` invocations, and how far the samples lie around the line."""
    fitted = statistics.linear_regression(invocations, kib)
    off = [
        value - (fitted.slope * count + fitted.intercept)
        for count, value in zip(invocations, kib, strict=True)
    ]
    return fitted.slope * PER, statistics.pstdev(off)
