"""Eight sizes of each photograph, asked for together, as new artwork is: beside thumbor and IPX.

Method as in `beside_peers`: the servers take turns round by round, each source under a name that no
cache has seen; all sizes of a source follow each other, in an order that differs from source to
source, with eight requests under way. Also a loop of bare decoding and resizing without sharing.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import beside_peers, corpus, figures, load, memory
from bench.figures import Report
from bench.peers.contender import Contender, Recipe, Running
from bench.setting import Setting, Unavailable

NAME = "sizes"
ABOUT = "eight sizes of each picture asked for together, beside thumbor and IPX: one decode for all"
SIDES = (160, 240, 320, 480, 640, 800, 1_024, 1_280)
CLIENTS = 8
ROUNDS = 5
SEED = 1
FASTER_GOAL = 2.5
"""Times as many pictures a second as the faster peer."""


@dataclass(slots=True)
class _Tally:
    per_second: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bytes_each: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


@dataclass(slots=True)
class _Here:
    """A contender that runs, and what came of its rounds."""

    contender: Contender
    running: Running
    tally: _Tally = field(default_factory=_Tally)

    @property
    def name(self) -> str:
        """How figures call it."""
        return self.contender.name


def run(setting: Setting) -> Report:
    """Measure."""
    report = Report(bench=NAME)
    photographs = corpus.load(setting)
    report.notes.append(photographs.describe())
    contenders = beside_peers.installed(setting, report)
    here: list[_Here] = []
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            try:
                started = contender.start(setting.folder("sources"), Recipe())
                here.append(_Here(contender, stack.enter_context(started)))
            except Unavailable as reason:
                report.missing.append(str(reason))
        for each in here:  # everything is imported, and the files are in the page cache
            _ask(setting, each, photographs.pictures[:4], "warm")
        for number in range(setting.rounds(ROUNDS)):
            shift = number % max(1, len(here))
            for each in (*here[shift:], *here[:shift]):
                report.missing += _round(each, setting, photographs.pictures, number)
        for each in here:
            _look(each, setting, photographs.pictures)
    _figures(report, {each.name: each.tally for each in here})
    return report


def _round(
    contender: _Here, setting: Setting, pictures: Sequence[Path], number: int
) -> Iterator[str]:
    """Let one have its turn; what failed comes out."""
    tally = contender.tally
    done = _ask(setting, contender, pictures, f"sizes-{number}")
    if done.errors:
        yield f"{contender.name}: failed, such as {done.errors[0]}"
    tally.per_second.append(done.per_second)
    tally.seconds.extend(answer.seconds for answer in done.answers)
    tally.bytes_each.extend(len(answer.body) for answer in done.answers)
    setting.say(f"{NAME}: round {number + 1}: {contender.name} {done.per_second:.1f}/s")


def _look(contender: _Here, setting: Setting, pictures: Sequence[Path]) -> None:
    """Measure memory, in a round that counts for nothing else: looking costs a tenth of it."""
    with memory.Sampler(contender.running.pids) as sampler:
        _ask(setting, contender, pictures, "memory")
    contender.tally.peak_mib = sampler.peak_mib


def _ask(setting: Setting, here: _Here, pictures: Sequence[Path], label: str) -> load.Round:
    folder = f"{label}-{here.name}"
    corpus.under_new_names(tuple(pictures), setting.folder("sources") / folder)
    order = random.Random(SEED)
    targets = []
    for path in pictures:
        for side in order.sample(SIDES, len(SIDES)):
            recipe = replace(Recipe(), side=side)
            targets.append(here.contender.target(f"{folder}/{path.name}", recipe))
    return load.closed_loop(here.running.ports, targets, CLIENTS)


def _figures(report: Report, tallies: dict[str, _Tally]) -> None:
    for name, tally in tallies.items():
        p99 = figures.percentile(tally.seconds, 99) * 1e3
        note = f"{figures.spread(tally.per_second)}; latency p99 {p99:.0f} ms"
        report.add(f"{name}", figures.median(tally.per_second), "/s", note=note)
        report.add(f"{name}, mean bytes", figures.median(tally.bytes_each) / 1e3, "kB")
        report.add(f"{name}, peak memory (PSS of the tree)", tally.peak_mib, "MiB")
    ours = tallies.get("dynimo")
    peers = {name: tally for name, tally in tallies.items() if name != "dynimo"}
    if ours is None or not peers:
        return
    for name, tally in peers.items():
        ratio = figures.ratio_of_rounds(ours.per_second, tally.per_second)
        report.add(f"dynimo / {name}", ratio, "x")
    best = max(peers, key=lambda name: figures.median(peers[name].per_second))
    ratio = figures.ratio_of_rounds(ours.per_second, peers[best].per_second)
    report.add(f"dynimo / the faster of them ({best})", ratio, "x", at_least=FASTER_GOAL)
