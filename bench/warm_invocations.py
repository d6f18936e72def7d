"""Invocations of hello with environments that are there, over HTTP, beside everybody else's.

Each server is started for its turn and stopped after it, so nobody idles on another's cores. The
same light client asks all of them: one connection for the time of a call, ``ENVIRONMENTS`` of them
for calls a second. Dynimo and MiniStack get signed requests; only Dynimo verifies them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import aws, figures, light_client, processor
from bench.figures import Report
from bench.peers.hello import ENVIRONMENTS, Runner, payloads
from bench.setting import Setting, Unavailable

MEDIAN_GOAL_MS, PER_SECOND_GOAL, FASTER_GOAL = 2.0, 1_500.0, 1.0
ROUNDS = 5
WARMING = 300
SEQUENTIAL = 500
SECONDS = 4.0
REQUESTS = 1_000


@dataclass(slots=True)
class _Tally:
    medians_ms: list[float] = field(default_factory=list)
    all_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    client_share: list[float] = field(default_factory=list)
    others_share: list[float] = field(default_factory=list)


def measure(setting: Setting, report: Report, runners: Sequence[Runner]) -> None:
    """Add the warm figures. Who fails in its turn is missing, and not asked again."""
    tallies = {runner.name: _Tally() for runner in runners}
    left = list(runners)
    for number in range(setting.rounds(ROUNDS)):
        for runner in left[:: 1 if number % 2 else -1]:
            try:
                _turn(runner, tallies[runner.name])
            except (Unavailable, OSError) as reason:
                report.missing.append(f"{runner.name}: {reason}")
                left.remove(runner)
                del tallies[runner.name]
                continue
            tally = tallies[runner.name]
            setting.say(
                f"invoke: round {number + 1}: {runner.name} {tally.medians_ms[-1]:.2f} ms,"
                f" {tally.per_second[-1]:,.0f}/s"
            )
    _figures(report, tallies)


def _turn(runner: Runner, tally: _Tally) -> None:
    with runner.start() as serving:
        requests = serving.requests(payloads(REQUESTS))
        light_client.sequential(serving.port, requests[:WARMING], aws.EXPECTED)
        samples = light_client.sequential(serving.port, requests[:SEQUENTIAL], aws.EXPECTED)
        used, machine = processor.seconds(serving.pids), processor.of_machine()
        end = time.perf_counter() + SECONDS
        drive = light_client.closed_loop(
            serving.port,
            requests,
            aws.EXPECTED,
            lines=ENVIRONMENTS,
            more=lambda _: time.perf_counter() < end,
        )
        used = processor.seconds(serving.pids) - used
        others = processor.of_machine() - machine - used - drive.client_seconds
    if drive.failed:
        raise Unavailable(f"{drive.failed} answers were wrong: {drive.errors[0]}")
    tally.medians_ms.append(figures.median(samples))
    tally.all_ms.extend(samples)
    tally.per_second.append(drive.per_second)
    tally.server_ms.append(used / drive.answered * 1e3)
    tally.client_share.append(drive.client_seconds / drive.seconds)
    tally.others_share.append(max(0.0, others) / drive.seconds)


def _figures(report: Report, tallies: dict[str, _Tally]) -> None:
    for name, tally in tallies.items():
        ours = name == "dynimo"
        note = (
            f"p99 {figures.percentile(tally.all_ms, 99):.2f} ms; {figures.spread(tally.medians_ms)}"
        )
        goal = MEDIAN_GOAL_MS if ours else None
        median = figures.median(tally.medians_ms)
        report.add(f"warm, {name}, median", median, "ms", at_most=goal, note=note)
    for name, tally in tallies.items():
        note = (
            f"{figures.spread(tally.per_second)}; "
            f"{figures.median(tally.server_ms):.2f} ms of its processor time each; "
            f"client {figures.median(tally.client_share):.2f} cores, "
            f"others {figures.median(tally.others_share):.2f}"
        )
        goal = PER_SECOND_GOAL if name == "dynimo" else None
        rate = figures.median(tally.per_second)
        report.add(f"{ENVIRONMENTS} at once, {name}", rate, "/s", at_least=goal, note=note)
    ours_tally = tallies.get("dynimo")
    for name, tally in tallies.items():
        if ours_tally is None or name == "dynimo":
            continue
        faster = figures.ratio_of_rounds(tally.medians_ms, ours_tally.medians_ms)
        report.add(f"time of a call, {name} / dynimo", faster, "x", at_least=FASTER_GOAL)
        faster = figures.ratio_of_rounds(ours_tally.per_second, tally.per_second)
        report.add(f"calls a second, dynimo / {name}", faster, "x", at_least=FASTER_GOAL)
