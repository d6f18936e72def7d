"""Dynimo beside thumbor and IPX: the same pictures, recipe, quality and encoder effort, cold cache.

Method. All servers run at once and take turns, round by round; each round asks for every picture
once, under names no cache has seen, largest first (so that no round ends with one worker idle), in
a closed loop. A ratio is the median of the rounds' ratios. Memory is sampled in a round of its own.
Equal effort is not assumed: outputs are compared marker by marker, and with a slow reference.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import corpus, fidelity, figures, jpeg, load, memory, processor
from bench.figures import Report
from bench.peers.contender import Contender, Recipe, Running
from bench.peers.dynimo import Dynimo
from bench.peers.ipx import Ipx
from bench.peers.thumbor import Thumbor
from bench.setting import Setting, Unavailable

NAME = "peers"
ABOUT = "rendering beside thumbor and IPX: requests a second, memory, processor time"
CLIENTS = (4, 8)
GOALS: dict[str, dict[str, float]] = {
    "jpeg": {"thumbor": 1.15, "ipx": 1.35},
    "webp": {"thumbor": 1.05, "ipx": 1.3},
    "png": {"ipx": 1.15},
    "avif": {"thumbor": 1.0, "ipx": 1.0},
}
"""Times as many pictures a second, by format and peer."""
PEERS = ("thumbor", "ipx")
LIKENESS_SLACK = 0.5
"""Points of SSIMULACRA2 by which a mean may be below a peer's: the metric differs as much from one
implementation to the next."""
UNLIKE_SHARE_MAX = 0.05
"""Of the pictures, how many may come out with another encoder effort (one is grey)."""
FORMATS = ("jpeg", "webp", "png", "avif")
EVERY_OTHER = {"jpeg": 1, "webp": 3, "png": 3, "avif": 6}
"""Of how many pictures one is used: slow encoders get fewer."""


@dataclass(slots=True)
class _Tally:
    """What rounds of one contender gave. ``first`` is its first round, for looking at outputs."""

    per_second: dict[int, list[float]] = field(default_factory=dict)
    latencies: dict[int, list[float]] = field(default_factory=dict)
    processor_seconds: float = 0.0
    pictures: int = 0
    peak_mib: float = 0.0
    first: load.Round = field(default_factory=load.Round)

    @property
    def processor_ms(self) -> float:
        """Processor time a picture."""
        return self.processor_seconds / self.pictures * 1e3 if self.pictures else math.nan


def run(setting: Setting) -> Report:
    """Measure all formats."""
    report = Report(bench=NAME)
    photographs = corpus.load(setting)
    report.notes.append(photographs.describe())
    contenders = installed(setting, report)
    formats = FORMATS[:1] if setting.quick else FORMATS
    for kind in formats:
        pictures = largest_first(photographs.pictures)[:: EVERY_OTHER[kind]]
        _one_format(setting, report, contenders, pictures, Recipe(format=kind))
    return report


def installed(setting: Setting, report: Report) -> list[Contender]:
    """Give all that can be had here; the report says how each is run, and who is missing."""
    contenders: list[Contender] = []
    for contender in (Dynimo(setting), Thumbor(setting), Ipx(setting)):
        try:
            report.notes.append(f"{contender.install()}: {contender.settings()}")
            contenders.append(contender)
        except Unavailable as reason:
            report.missing.append(str(reason))
    return contenders


def largest_first(pictures: Sequence[Path]) -> tuple[Path, ...]:
    """Order by size of file, which goes with the time to decode."""
    return tuple(sorted(pictures, key=lambda path: path.stat().st_size, reverse=True))


def _one_format(
    setting: Setting,
    report: Report,
    contenders: Sequence[Contender],
    pictures: tuple[Path, ...],
    recipe: Recipe,
) -> None:
    sources = setting.folder("sources")
    tallies: dict[str, _Tally] = {}
    with contextlib.ExitStack() as stack:
        running: dict[str, Running] = {}
        for contender in contenders:
            setting.say(f"{NAME}: starting {contender.name} for {recipe.format}")
            try:
                running[contender.name] = stack.enter_context(contender.start(sources, recipe))
                tallies[contender.name] = _Tally()
            except Unavailable as reason:
                report.missing.append(str(reason))
        taking_turns = [contender for contender in contenders if contender.name in running]
        turns = _Turns(setting, taking_turns, running, tallies, pictures, recipe, report)
        turns.warm()
        rounds = setting.rounds(7 if recipe.format == "jpeg" else 3)
        for number in range(rounds):
            for clients in CLIENTS:
                turns.timed(number, clients)
        turns.weighed()
    _figures(report, tallies, recipe, pictures)


@dataclass(slots=True)
class _Turns:
    """Lets every contender do each round, the first one changing from round to round."""

    setting: Setting
    contenders: Sequence[Contender]
    running: dict[str, Running]
    tallies: dict[str, _Tally]
    pictures: tuple[Path, ...]
    recipe: Recipe
    report: Report

    def warm(self) -> None:
        """Let everything be imported, and the files be in the page cache."""
        for contender in self.contenders:
            self._ask(contender, "warm", self.pictures[-8:], CLIENTS[0])

    def timed(self, number: int, clients: int) -> None:
        """Run one timed round of each."""
        shift = number % max(1, len(self.contenders))
        for contender in (*self.contenders[shift:], *self.contenders[:shift]):
            tally = self.tallies[contender.name]
            roots = self.running[contender.name].pids
            before = processor.seconds(roots)
            done = self._ask(contender, f"{number}-{clients}", self.pictures, clients)
            tally.processor_seconds += processor.seconds(roots) - before
            tally.pictures += len(done.answers)
            tally.per_second.setdefault(clients, []).append(done.per_second)
            seconds = [answer.seconds for answer in done.answers]
            tally.latencies.setdefault(clients, []).extend(seconds)
            if not tally.first.answers:
                tally.first = done
            self.setting.say(
                f"{NAME}: {self.recipe.format} round {number + 1}, {clients} clients: "
                f"{contender.name} {done.per_second:.1f}/s"
            )

    def weighed(self) -> None:
        """Run one round of each with its memory sampled."""
        for contender in self.contenders:
            with memory.Sampler(self.running[contender.name].pids) as sampler:
                self._ask(contender, "weighed", self.pictures, CLIENTS[0])
            self.tallies[contender.name].peak_mib = sampler.peak_mib

    def _ask(
        self, contender: Contender, label: str, pictures: tuple[Path, ...], clients: int
    ) -> load.Round:
        folder = f"{self.recipe.format}-{label}"
        corpus.under_new_names(pictures, self.setting.folder("sources") / folder)
        targets = [contender.target(f"{folder}/{path.name}", self.recipe) for path in pictures]
        done = load.closed_loop(self.running[contender.name].ports, targets, clients)
        if done.errors:
            self.report.missing.append(
                f"{contender.name}: {len(targets) - len(done.answers)} of {len(targets)} "
                f"{self.recipe.format} requests failed, such as {done.errors[0]}"
            )
        return done


def _figures(
    report: Report, tallies: dict[str, _Tally], recipe: Recipe, pictures: tuple[Path, ...]
) -> None:
    kind = recipe.format
    ours = tallies.get("dynimo")
    for clients in CLIENTS:
        for name, tally in tallies.items():
            rates = tally.per_second[clients]
            latencies = tally.latencies[clients]
            report.add(
                f"{kind}, {clients} clients: {name}",
                figures.median(rates),
                "/s",
                note=f"{figures.spread(rates)}; latency p50 {figures.median(latencies) * 1e3:.0f}, "
                f"p99 {figures.percentile(latencies, 99) * 1e3:.0f} ms",
            )
        for name in PEERS:
            if ours and name in tallies:
                ratio = figures.ratio_of_rounds(
                    ours.per_second[clients], tallies[name].per_second[clients]
                )
                wanted = GOALS[kind].get(name)
                report.add(f"{kind}, {clients} clients: dynimo / {name}", ratio, at_least=wanted)
    for name in PEERS:
        if ours and name in tallies:
            ratio = tallies[name].processor_ms / ours.processor_ms
            report.add(f"{kind}: dynimo / {name}, by processor time", ratio)
    for name, tally in tallies.items():
        report.add(f"{kind}: {name} processor time a picture", tally.processor_ms, "ms")
        report.add(f"{kind}: {name} peak memory (PSS of the tree)", tally.peak_mib, "MiB")
    _outputs(report, tallies, kind, pictures)


def _outputs(
    report: Report, tallies: dict[str, _Tally], kind: str, pictures: tuple[Path, ...]
) -> None:
    """Compare what came out: effort by markers (JPEG), bytes, and nearness to a reference."""
    efforts: dict[str, dict[str, jpeg.Facts]] = {}
    nearness: dict[str, list[fidelity.Nearness]] = {}
    by_name = {path.name: path for path in pictures}
    for name, tally in tallies.items():
        bodies = {_file_of(answer.target): answer.body for answer in tally.first.answers}
        nearness[name] = list(fidelity.judge(by_name, bodies).values())
        likeness = [one.likeness for one in nearness[name]]
        size = sum(len(body) for body in bodies.values()) / max(1, len(bodies)) / 1000
        report.add(
            f"{kind}: {name} mean bytes a picture",
            size,
            "kB",
            note=f"PSNR to a reference: median "
            f"{figures.median([one.decibels for one in nearness[name]]):.2f} dB",
        )
        mean = sum(likeness) / max(1, len(likeness))
        note = f"worst picture {min(likeness, default=math.nan):.1f}"
        report.add(f"{kind}: {name} mean likeness to it (SSIMULACRA2)", mean, "", note=note)
        if kind == "jpeg":
            efforts[name] = {file: jpeg.read(body) for file, body in bodies.items()}
    _liken(report, nearness, kind)
    if efforts:
        _compare(report, efforts)


def _liken(report: Report, nearness: dict[str, list[fidelity.Nearness]], kind: str) -> None:
    """Say by how much our pictures are more like the reference than a peer's, in the mean."""
    ours = nearness.get("dynimo")
    for name in PEERS:
        theirs = nearness.get(name)
        if ours and theirs:
            means = (sum(one.likeness for one in each) / len(each) for each in (ours, theirs))
            more = next(means) - next(means)
            label = f"{kind}: likeness, dynimo - {name}"
            report.add(label, more, "points", at_least=-LIKENESS_SLACK)


def _file_of(target: str) -> str:
    return target.partition("?")[0].rpartition("/")[2]


def _compare(report: Report, efforts: dict[str, dict[str, jpeg.Facts]]) -> None:
    for name, facts in efforts.items():
        counts: dict[str, int] = {}
        for fact in facts.values():
            words = (
                f"{fact.frame}, {fact.sampling}, {fact.scans} scan(s), tables {fact.tables}, "
                f"Huffman tables {'own' if fact.optimised else 'standard'}"
            )
            counts[words] = counts.get(words, 0) + 1
        shown = "; ".join(f"{count} x ({words})" for words, count in sorted(counts.items()))
        report.notes.append(f"markers of {name}: {shown}")
    first, *others = efforts
    for other in others:
        common = efforts[first].keys() & efforts[other].keys()
        unlike = [n for n in common if efforts[first][n].effort != efforts[other][n].effort]
        sizes = [n for n in common if not _same_size(efforts[first][n], efforts[other][n])]
        report.notes.append(
            f"{first} and {other}: equal encoder effort in {len(common) - len(unlike)} of "
            f"{len(common)}, equal size (within 1 px) in {len(common) - len(sizes)}"
        )
        if len(unlike) > len(common) * UNLIKE_SHARE_MAX:
            report.missing.append(
                f"a fair comparison with {other}: the markers differ; level peers/contender.py"
            )


def _same_size(one: jpeg.Facts, other: jpeg.Facts) -> bool:
    return abs(one.width - other.width) <= 1 and abs(one.height - other.height) <= 1
