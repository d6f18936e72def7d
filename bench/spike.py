"""A step to 20 times the load, open loop: what those get who come at that moment.

Arrivals are computed before the run (Poisson, fixed seed) and sent when due, whatever the answers
do; latency counts from the scheduled time, so waiting callers cannot hide it. Every request is a
picture nobody has asked for (a small one, at a size of its own). The step is well within what two
cores can render, so whatever fails or waits does so because supply came too late.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass

from bench import corpus, figures, load
from bench.figures import Report
from bench.peers.contender import Recipe
from bench.peers.dynimo import Dynimo
from bench.setting import Setting

NAME = "spike"
ABOUT = "a 20-fold step of requests for new pictures, open loop"
BASE_PER_SECOND = 3.0
FACTOR = 20
BASE_SECONDS, STEP_SECONDS, AFTER_SECONDS = 5.0, 10.0, 5.0
DEADLINE_SECONDS = 5.0
SEED = 20
SIDE_MIN, SIDE_COUNT = 64, 256
LATE_MAX_MS = 10.0


@dataclass(slots=True)
class _Shot:
    due: float
    target: str
    late: float = 0.0
    seconds: float = 0.0
    status: int = 0


def run(setting: Setting) -> Report:
    """Run base, step and base again."""
    report = Report(bench=NAME)
    smallest = sorted(corpus.load(setting).pictures, key=lambda path: path.stat().st_size)[:12]
    sources = setting.folder("sources", "spike")
    corpus.under_new_names(tuple(smallest), sources)
    dynimo = Dynimo(setting)
    dynimo.install()
    shots = _schedule(dynimo, [path.name for path in smallest])
    with dynimo.start(sources, Recipe()) as running:
        began = time.monotonic() + 0.5
        threads = [
            threading.Thread(target=_fire, args=(shot, running.port, began), daemon=True)
            for shot in shots
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _figures(report, shots)
    return report


def _schedule(dynimo: Dynimo, names: list[str]) -> list[_Shot]:
    """Make the arrivals, each for a picture of its own."""
    chance = random.Random(SEED)
    phases = (
        (BASE_SECONDS, BASE_PER_SECOND),
        (STEP_SECONDS, BASE_PER_SECOND * FACTOR),
        (AFTER_SECONDS, BASE_PER_SECOND),
    )
    recipes = [(name, SIDE_MIN + side) for side in range(SIDE_COUNT) for name in names]
    chance.shuffle(recipes)
    shots: list[_Shot] = []
    phase_start = 0.0
    for length, rate in phases:
        due = phase_start + chance.expovariate(rate)
        while due < phase_start + length:
            name, side = recipes[len(shots)]
            shots.append(_Shot(due, dynimo.target(name, Recipe(side=side))))
            due += chance.expovariate(rate)
        phase_start += length
    return shots


def _fire(shot: _Shot, port: int, began: float) -> None:
    scheduled = began + shot.due
    time.sleep(max(0.0, scheduled - time.monotonic()))
    shot.late = time.monotonic() - scheduled
    try:
        shot.status = load.get(port, shot.target).status
    except (OSError, http.client.HTTPException):
        shot.status = -1
    shot.seconds = time.monotonic() - scheduled


def _figures(report: Report, shots: list[_Shot]) -> None:
    step_end = BASE_SECONDS + STEP_SECONDS
    phases = {
        "base": [shot for shot in shots if shot.due < BASE_SECONDS],
        "first 2 s of the step": [s for s in shots if BASE_SECONDS <= s.due < BASE_SECONDS + 2],
        "step": [shot for shot in shots if BASE_SECONDS <= shot.due < step_end],
        "after": [shot for shot in shots if shot.due >= step_end],
    }
    for name, of_phase in phases.items():
        good = [s.seconds * 1e3 for s in of_phase if s.status == 200]
        in_time = [s for s in of_phase if s.status == 200 and s.seconds <= DEADLINE_SECONDS]
        lost = len(of_phase) - len(in_time)
        note = f"{len(of_phase)} offered, {lost} failed or later than {DEADLINE_SECONDS:.0f} s"
        report.add(f"{name}: median", figures.median(good), "ms", note=note)
        report.add(f"{name}: p99", figures.percentile(good, 99), "ms")
    late = figures.percentile([shot.late * 1e3 for shot in shots], 99)
    valid = "valid" if late <= LATE_MAX_MS else f"VOID: above {LATE_MAX_MS:.0f} ms"
    report.add("driver's own lateness, p99", late, "ms", note=valid)
