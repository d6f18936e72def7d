"""How fast ``dynimo up`` is ready, and what it weighs when nothing happens.

The first start on fresh data deploys the apps and is reported without a goal; then the same command
is started again on the same data, several times, from exec to ``/readyz``. At the end a small burst
makes environments; when they are gone the whole tree is weighed (PSS).
"""

from __future__ import annotations

import time

from bench import corpus, figures, load, memory
from bench.figures import Report
from bench.peers.contender import Recipe
from bench.peers.dynimo import Dynimo
from bench.setting import Setting, Unavailable

NAME = "up"
ABOUT = "dynimo up to ready on known data, and memory at rest"
READY_GOAL_SECONDS = 2.0
REST_GOAL_MIB = 150.0
STARTS = 7
BURST = 8
REST_SECONDS_MAX = 40.0
POLL_SECONDS = 0.5
STEADY_POLLS = 4


def run(setting: Setting) -> Report:
    """Measure starts, then rest."""
    report = Report(bench=NAME)
    sources = setting.folder("sources", "up")
    pictures = corpus.load(setting).pictures[:BURST]
    corpus.under_new_names(pictures, sources)
    dynimo = Dynimo(setting)
    dynimo.install()
    with dynimo.start(sources, Recipe()) as running:
        report.add("first start, fresh data", running.seconds, "s")
    seconds = []
    for number in range(setting.rounds(STARTS, quick=3)):
        with dynimo.again(sources) as running:
            seconds.append(running.seconds)
            setting.say(f"{NAME}: start {number + 2}: ready after {running.seconds:.2f} s")
    report.add(
        "ready, started again, median",
        figures.median(seconds),
        "s",
        at_most=READY_GOAL_SECONDS,
        note=figures.spread(seconds),
    )
    with dynimo.again(sources) as running:
        roots = running.pids
        before = len(memory.tree(roots[0]))
        targets = [dynimo.target(picture.name, Recipe()) for picture in pictures]
        with memory.Sampler(roots) as sampler:
            load.closed_loop(running.ports, targets, BURST)
        report.add("peak memory in a small burst", sampler.peak_mib, "MiB")
        waited = _until_rest(roots[0], before)
        report.add(
            "memory at rest, PSS of the tree",
            memory.tree_mib(roots),
            "MiB",
            at_most=REST_GOAL_MIB,
            note=f"{before} processes; {waited:.0f} s after the last answer",
        )
        for line in _processes(roots[0]):
            report.notes.append(line)
    return report


def _until_rest(root: int, processes: int) -> float:
    """Wait until the tree has shrunk to what it was before the burst, and stays so.

    Raises:
        Unavailable: it does not.
    """
    began = time.monotonic()
    steady = 0
    while steady < STEADY_POLLS:
        if time.monotonic() - began > REST_SECONDS_MAX:
            raise Unavailable(f"environments are still there after {REST_SECONDS_MAX:.0f} s")
        time.sleep(POLL_SECONDS)
        steady = steady + 1 if len(memory.tree(root)) <= processes else 0
    return time.monotonic() - began


def _processes(root: int) -> list[str]:
    """Describe each process of the tree: name, PSS."""
    lines = []
    for pid in memory.tree(root):
        name = memory.name(pid)
        lines.append(f"{name}: {memory.pss_kib(pid) / 1024:.1f} MiB PSS")
    return lines
