"""The benchmark that Dynimo exists for: a spike from nowhere, with nothing prescaled, open loop.

Four profiles, each at 5, 10 and 20 times: A, supply that must follow; B, more work than there are
cores; C, many who want the same; D, everything purged. Goals are those of the specification. Here
the parts are run and their goals are set; each profile is a file beside this one.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import processor
from bench.figures import Report
from bench.setting import ROOT, Setting, Unavailable
from bench.spike import coalescing, elastic, overload, plots, purging, scale, shots
from bench.spike.elastic import Elastic
from bench.spike.scale import Scale
from dynimo.simulating import validating

NAME = "spike"
ABOUT = "a spike from nowhere, open loop: supply, overload, coalescing, purge"
PROCESSOR_SHARE_MAX = 0.85
"""Of the machine, in profiles where the processor shall not be what is short."""


def run(setting: Setting) -> Report:
    """Run the profiles that were asked for."""
    size = scale.QUICK if setting.quick else scale.FULL
    size = replace(
        size,
        factors=setting.factors or size.factors,
        profiles=setting.profiles or size.profiles,
    )
    return measure(setting, size)


def measure(setting: Setting, size: Scale) -> Report:
    """Run profiles at this scale."""
    report = Report(bench=NAME)
    report.notes.append(f"commit {_commit()}; 1 run of each")
    parts: dict[str, Callable[[Report, Setting, Scale], None]] = {
        "A": _elastic,
        "B": _overload,
        "C": _coalescing,
        "D": _purging,
    }
    for profile in size.profiles:
        try:
            parts[profile](report, setting, size)
        except KeyError:
            report.missing.append(f"there is no profile {profile!r}")
        except Unavailable as reason:
            report.missing.append(str(reason))
    return report


def _elastic(report: Report, setting: Setting, size: Scale) -> None:
    every: list[Elastic] = []
    for factor in size.factors:
        with _Load(report, f"A at {factor}x"):
            ended = elastic.run(setting, size, factor)
        every += ended
        report.blocks.append(plots.table(ended))
        _elastic_goals(report, ended[-1], goals=factor == 20 and size.base_seconds >= 30)
        _void(report, f"A at {factor}x", [each.late_ms_p99 for each in ended])
    documents = [each.document() for each in every]
    report.details["elastic"] = documents
    _validated(report, documents)
    plot = setting.plot or setting.folder("spike") / "spike.svg"
    highest = [each for each in every if each.phases.factor == max(size.factors)]
    plot.write_text(plots.picture(highest), "utf-8")
    report.notes.append(f"the picture: {plot}")


def _elastic_goals(report: Report, ours: Elastic, *, goals: bool) -> None:
    """Dynimo's own figures; the goals are for 20 times and phases of full length."""
    found, every = ours.found, ours.spans["all"]
    named = f"A {ours.phases.factor:g}x:"

    def add(name: str, value: float, unit: str, goal: float, note: str = "") -> None:
        report.add(f"{named} {name}", value, unit, at_most=goal if goals else None, note=note)

    share = every.failed / max(1, every.offered) * 100
    add("failed", share, "%", 0.1, f"{every.failed} of {every.offered}")
    add("90 % of the supply there after", found.enough, "s", 1.0, "looked at every 50 ms")
    add("p99 after the first 2 s", ours.spans["step after 2 s"].p99_all_ms, "ms", 1000)
    add("calm again after", found.recover, "s", 5)
    add("instance-seconds over busy ones", found.over_provision, "", 2.0)
    add("most supply over need", found.overshoot, "", 1.6)
    add("back near base after", found.scale_in, "s", 30)


def _overload(report: Report, setting: Setting, size: Scale) -> None:
    """Dynimo's own figures with their goals, where the load is twice the capacity."""
    found = []
    for each in overload.run(setting, size):
        if isinstance(each, Unavailable):
            report.missing.append(str(each))
        else:
            found.append(each)
    for each in found:
        if each.name != "dynimo" or each.factor < 20:
            continue
        named = f"B {each.factor}x:"
        report.add(f"{named} goodput over capacity", each.goodput, at_least=0.9)
        report.add(f"{named} live answered", each.live_ok_share * 100, "%", at_least=99,
                   note=f"prefetch {each.prefetch_ok_share:.1%}")  # fmt: skip
        report.add(f"{named} accepted, p99", each.accepted_ms_p99, "ms", at_most=2500)
        if each.shed:
            report.add(f"{named} turned away within, p99", each.shed_ms_p99, "ms", at_most=20)
        report.add(f"{named} calm after", each.calm_seconds, "s", at_most=2)
    report.blocks += overload.lines(found)
    report.details["overload"] = [each.document() for each in found]
    _void(report, "B", [each.late_ms_p99 for each in found])


def _coalescing(report: Report, setting: Setting, size: Scale) -> None:
    found = []
    for factor in size.factors:
        with _Load(report, f"C at {factor}x"):
            found.append(coalescing.run(setting, size, factor))
        last = found[-1]
        report.add(f"C {factor}x: failed", last.failed, at_most=0)
        report.add(f"C {factor}x: runs a key", last.runs_a_key, at_most=1.0)
        note = f"{last.waiters} waiters, max {last.behind_ms_max:.1f} ms"
        behind = f"C {factor}x: behind the first answer, p99"
        report.add(behind, last.behind_ms_p99, "ms", at_most=10, note=note)
    try:
        found.append(coalescing.beside(setting, size, max(size.factors)))
    except Unavailable as reason:
        report.notes.append(str(reason))
    report.blocks += coalescing.lines(found)
    report.details["coalescing"] = [each.document() for each in found]
    _void(report, "C", [each.late_ms_p99 for each in found])


def _purging(report: Report, setting: Setting, size: Scale) -> None:
    found = []
    for kind, factors in (("soft", size.factors), ("hard", (max(size.factors),))):
        try:
            for factor in factors:
                with _Load(report, f"D at {factor}x, {kind}"):
                    found.append(purging.run(setting, size, factor, kind))
        except Unavailable as reason:
            report.missing.append(str(reason))
    for each in found:
        named = f"D {each.factor}x, {each.kind}:"
        report.add(f"{named} failed", each.failed, at_most=0)
        goal = 2.0 if each.kind == "soft" else None
        report.add(f"{named} runs, times base", each.times_base, at_most=goal)
    report.blocks += purging.lines(found)
    report.details["purging"] = [each.document() for each in found]
    _void(report, "D", [each.late_ms_p99 for each in found])


def _validated(report: Report, documents: Sequence[dict[str, object]]) -> None:
    """How far the simulator is off, over all runs of profile A."""
    compared = validating.compare({"reports": [{"bench": NAME, "details": {"elastic": documents}}]})
    report.details["validation"] = [each.document() for each in compared]
    report.blocks.append("  the simulator beside the measurement, same arrivals:")
    report.blocks += [f"    {each.line()}" for each in compared]


def _void(report: Report, what: str, late_ms: Sequence[float]) -> None:
    worst = max(late_ms, default=0.0)
    note = "" if worst <= shots.LATE_MS_MAX else f"VOID: above {shots.LATE_MS_MAX:.0f} ms"
    report.add(f"{what}: the sender's own lateness, p99", worst, "ms", note=note)


def _commit() -> str:
    ran = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ran.stdout.strip() or "unknown"


class _Load:
    """Says what share of the machine was busy meanwhile, and voids what was short of processor."""

    def __init__(self, report: Report, what: str) -> None:
        self._report = report
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic(), processor.of_machine()

    def __exit__(self, *_: object) -> None:
        began, used = self._began
        cores = len(os.sched_getaffinity(0))
        share = (processor.of_machine() - used) / max(1e-9, time.monotonic() - began) / cores
        if share > PROCESSOR_SHARE_MAX:
            self._report.notes.append(f"{self._what}: VOID, the processor was {share:.0%} busy")
        self._report.details.setdefault("processor_share", {})[self._what] = round(share, 3)
