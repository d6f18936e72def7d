"""What the platform costs on top of rendering: the whole chain beside bare loops.

The bare loop calls the images app's own pipeline as a function, in two processes, on the same files
with the same recipe; the chain answers HTTP requests for them, its cache off. Rounds take turns.
Processor time a picture is given as well: it says the same and hardly minds busy neighbours.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from bench import corpus, figures, load, loops, processor
from bench.beside_peers import largest_first
from bench.figures import Report
from bench.peers.contender import Recipe
from bench.peers.dynimo import Dynimo, Running
from bench.setting import Setting

NAME = "render"
ABOUT = "rendering through the whole chain beside a bare loop with the same decoder"
CLIENTS = 4
GOAL = 0.95
LIBVIPS_GOAL = 1.1
CACHE_OFF = ("env", "DYNIMO_EDGE_MEMORY_BYTES=0", "DYNIMO_EDGE_DISK_BYTES=0")
"""Nothing is kept, on either side: what is measured is making pictures."""
ROUNDS = 9
CHAIN, BARE, ONE_LINER = "whole chain", "bare loop, same decoder", "bare loop, libvips alone"


@dataclass(slots=True)
class _Tally:
    per_second: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def add(self, done: load.Round) -> None:
        self.per_second.append(done.per_second)
        self.processor_ms.append(done.processor_seconds / max(1, len(done.answers)) * 1e3)


def run(setting: Setting) -> Report:
    """Measure the chain, the app's bare loop, and libvips' one-liner."""
    report = Report(bench=NAME)
    photographs = corpus.load(setting)
    report.notes.append(photographs.describe())
    pictures = largest_first(photographs.pictures)
    recipe = Recipe()
    dynimo = Dynimo(setting, prefix=CACHE_OFF)
    dynimo.install()
    sources = setting.folder("sources")
    tallies = {name: _Tally() for name in (CHAIN, BARE, ONE_LINER)}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(dynimo.start(sources, recipe))
        bare = stack.enter_context(loops.running("dynimo"))
        one_liner = stack.enter_context(loops.running("libvips"))
        for number in range(-1, setting.rounds(ROUNDS, quick=3)):
            corpus.under_new_names(pictures, sources / f"render-{number}")
            paths = [f"render-{number}/{picture.name}" for picture in pictures]
            rounds = {
                CHAIN: _through_the_chain(report, dynimo, server, paths),
                BARE: bare.round(pictures, recipe),
                ONE_LINER: one_liner.round(pictures, recipe),
            }
            if number < 0:
                continue  # the first round warms up
            for name, done in rounds.items():
                tallies[name].add(done)
            shown = ", ".join(f"{name} {done.per_second:.1f}/s" for name, done in rounds.items())
            setting.say(f"{NAME}: round {number + 1}: {shown}")
    _figures(report, tallies)
    return report


def _through_the_chain(
    report: Report, dynimo: Dynimo, server: Running, paths: list[str]
) -> load.Round:
    targets = [dynimo.target(path, Recipe()) for path in paths]
    before = processor.seconds(server.pids)
    done = load.closed_loop(server.ports, targets, CLIENTS)
    done.processor_seconds = processor.seconds(server.pids) - before
    if done.errors:
        failed = len(targets) - len(done.answers)
        report.missing.append(f"{failed} of {len(targets)} failed, such as {done.errors[0]}")
    return done


def _figures(report: Report, tallies: dict[str, _Tally]) -> None:
    for name, tally in tallies.items():
        note = figures.spread(tally.per_second)
        report.add(name, figures.median(tally.per_second), "/s", note=note)
    chain, bare, one_liner = (tallies[name] for name in (CHAIN, BARE, ONE_LINER))
    ratio = figures.ratio_of_rounds(chain.per_second, bare.per_second)
    report.add("chain / bare loop, same decoder", ratio, at_least=GOAL)
    ratio = figures.ratio_of_rounds(chain.per_second, one_liner.per_second)
    report.add("chain / bare loop, libvips alone", ratio, at_least=LIBVIPS_GOAL)
    for name, tally in tallies.items():
        report.add(f"processor time a picture, {name}", figures.median(tally.processor_ms), "ms")
