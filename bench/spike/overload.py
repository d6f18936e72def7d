"""Profile B: more work than there are cores. Beside thumbor and IPX, each at its own capacity.

Real resizes of a 1 MP JPEG, each of a size and name that nobody asked for before. The capacity C is
measured first, in a closed loop; base is C/10, so 10 times is C and 20 times is twice what can be
done. Half of the requests say that they only prefetch (Sec-Purpose), which a server may heed.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import load
from bench.peers.contender import Contender, Recipe, Running
from bench.peers.dynimo import Dynimo
from bench.peers.ipx import Ipx
from bench.peers.thumbor import Thumbor
from bench.setting import Setting, Unavailable
from bench.spike import scale, servers
from bench.spike.scale import Scale
from bench.spike.servers import Serving
from bench.spike.shots import Shot, Volley
from dynimo.simulating import demand, elasticity
from dynimo.simulating.elasticity import OK, SHED, Phases, Request

WIDTH, HEIGHT = 1152, 868
NAMES = 64
SIDES = range(200, 600)
CLIENTS = 4
WARMING, FIRST = 20, 80
"""Requests of the warm-up, and of the first guess at capacity."""
CAPACITY_SECONDS = 6.0
BASE_SHARE = 0.1
PREFETCH_SHARE = 0.5
CALM_FACTOR = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded:
    """One contender at one factor. Rates are a second; times of the step unless said otherwise.

    ``goodput`` is what was answered in time during the step over what could be: capacity, or the
    load where that is less.
    ``silence_seconds`` is the longest time in the step in which nothing was answered well.
    ``calm_seconds`` is how long after the step the last request came that was slow or failed.
    """

    name: str
    factor: int
    capacity: float
    offered: int
    ok: int
    shed: int
    goodput: float
    live_ok_share: float
    prefetch_ok_share: float
    accepted_ms_p99: float
    shed_ms_p99: float
    silence_seconds: float
    calm_seconds: float
    late_ms_p99: float

    def document(self) -> dict[str, Any]:
        """For JSON."""
        document = asdict(self)
        return {key: None if value != value else value for key, value in document.items()}


def run(setting: Setting, size: Scale) -> Iterator[Overloaded | Unavailable]:
    """Every contender at every factor; in place of one that cannot be had, why not."""
    sources = _pictures(setting.folder("spike", "pictures"))
    contenders: list[Contender] = [Dynimo(setting), Thumbor(setting), Ipx(setting)]
    for contender in contenders:
        try:
            contender.install()
            with contender.start(sources, Recipe()) as running:
                yield from _one(setting, size, contender, running)
        except Unavailable as reason:
            yield reason


def _one(
    setting: Setting, size: Scale, contender: Contender, running: Running
) -> Iterator[Overloaded]:
    targets = _targets(contender)
    capacity = _capacity(running, targets)
    serving = Serving(name=contender.name, ports=running.ports, pid=running.pids[0])
    for factor in size.factors:
        of = phases(size, factor, capacity)
        setting.say(f"B, {factor}x: {contender.name}, capacity {capacity:.0f}/s, {of.end:.0f} s")
        (volley,) = servers.send(setting, [serving], schedule(of, targets))
        yield judged(volley, of, name=contender.name, capacity=capacity)
        time.sleep(1)


def phases(size: Scale, factor: int, capacity: float) -> Phases:
    """When what begins."""
    step = size.short_base_seconds
    return Phases(
        begin=0.0,
        step=step,
        step_end=step + size.short_step_seconds,
        end=step + size.short_step_seconds + size.short_after_seconds,
        base_rate=capacity * BASE_SHARE,
        factor=factor,
        service_seconds=1 / capacity,
    )


def schedule(of: Phases, targets: Iterator[str]) -> list[Shot]:
    """Poisson arrivals, half of them prefetches, each for the next target."""
    trace = demand.step(
        of.base_rate,
        of.factor,
        before=of.step,
        during=of.step_end - of.step,
        after=of.end - of.step_end,
    )
    chance = random.Random(scale.SEED)
    drawn = demand.arrivals(trace, demand.Service(), seed=scale.SEED)
    return [Shot(each.due, next(targets), chance.random() < PREFETCH_SHARE) for each in drawn]


def judged(volley: Volley, of: Phases, *, name: str, capacity: float) -> Overloaded:
    """Pure: the figures of one volley."""
    requests = volley.requests()
    during = [each for each in requests if of.step <= each.due < of.step_end]
    good = [each for each in during if each.outcome == OK]
    shed = [each.seconds * 1e3 for each in during if each.outcome == SHED]
    could = min(capacity, of.base_rate * of.factor) * (of.step_end - of.step)
    answered = [
        e for e in requests if e.outcome == OK and of.step <= e.due + e.seconds < of.step_end
    ]
    live, ahead = (
        [e for e, shot in zip(requests, volley.shots, strict=True)
         if of.step <= e.due < of.step_end and shot.prefetch is prefetch]
        for prefetch in (False, True)
    )  # fmt: skip
    return Overloaded(
        name=name,
        factor=int(of.factor),
        capacity=capacity,
        offered=len(during),
        ok=len(good),
        shed=len(shed),
        goodput=len(answered) / could,
        live_ok_share=_ok_share(live),
        prefetch_ok_share=_ok_share(ahead),
        accepted_ms_p99=elasticity.percentile([each.seconds * 1e3 for each in good], 99),
        shed_ms_p99=elasticity.percentile(shed, 99),
        silence_seconds=_silence(requests, of),
        calm_seconds=_calm(requests, of),
        late_ms_p99=volley.late_ms_p99,
    )


def _ok_share(requests: Sequence[Request]) -> float:
    return sum(each.outcome == OK for each in requests) / max(1, len(requests))


def _silence(requests: Sequence[Request], of: Phases) -> float:
    ends = sorted(each.due + each.seconds for each in requests if each.outcome == OK)
    moments = [of.step, *(at for at in ends if of.step < at < of.step_end), of.step_end]
    return max(later - earlier for earlier, later in itertools.pairwise(moments))


def _calm(requests: Sequence[Request], of: Phases) -> float:
    """Seconds from the step's end to the last request that was not as in base."""
    base = [e.seconds for e in requests if e.due < of.step and e.outcome == OK]
    slow = CALM_FACTOR * elasticity.percentile(base, 99)
    late = [
        each.due - of.step_end
        for each in requests
        if each.due >= of.step_end and not (each.outcome == OK and each.seconds <= slow)
    ]
    return max(late, default=0.0)


def _capacity(running: Running, targets: Iterator[str]) -> float:
    """Good answers a second in a closed loop, after a warm-up."""
    first = 0.0
    for count in (WARMING, FIRST):
        done = load.closed_loop(running.ports, [next(targets) for _ in range(count)], CLIENTS)
        if not done.answers:
            raise Unavailable(f"B: nothing was answered: {done.errors[:1]}")
        first = done.per_second
    count = int(first * CAPACITY_SECONDS)
    return load.closed_loop(
        running.ports, [next(targets) for _ in range(count)], CLIENTS
    ).per_second


def _targets(contender: Contender) -> Iterator[str]:
    """Targets that differ in name or size, in an order that mixes sizes."""
    every = [(name, side) for name in range(NAMES) for side in SIDES]
    random.Random(scale.SEED).shuffle(every)
    for name, side in every:
        yield contender.target(f"{name:02}.jpg", Recipe(side=side))


def _pictures(folder: Path) -> Path:
    """A made-up photograph of 1 MP (smooth shapes and some noise) under many names."""
    first = folder / "00.jpg"
    if not first.exists():
        # Heavy, and needed once in the life of a checkout.
        import numpy as np  # noqa: PLC0415
        import simplejpeg  # noqa: PLC0415

        chance = np.random.default_rng(scale.SEED)
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        planes = [
            128 + 90 * np.sin(x / (40 + 30 * n)) * np.cos(y / (55 + 25 * n)) for n in range(3)
        ]
        pixels = np.stack(planes, axis=-1) + chance.normal(0, 8, (HEIGHT, WIDTH, 3))
        whole = np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8))
        first.write_bytes(simplejpeg.encode_jpeg(whole, quality=85, colorsubsampling="420"))
    for number in range(1, NAMES):
        path = folder / f"{number:02}.jpg"
        if not path.exists():
            os.link(first, path)
    return folder


def lines(found: Sequence[Overloaded]) -> list[str]:
    """For a person."""
    head = (
        f"  {'B':<24}{'capacity':>10}{'offered':>9}{'ok':>7}{'shed':>7}{'goodput':>9}{'live ok':>9}"
        f"{'prefetch':>10}{'ok p99 ms':>11}{'shed p99':>10}{'silent s':>10}{'calm s':>8}"
    )
    return [head] + [
        f"    {each.name + f' {each.factor}x':<22}{each.capacity:>8.0f}/s{each.offered:>9,}"
        f"{each.ok:>7,}{each.shed:>7,}{each.goodput:>9.2f}{each.live_ok_share:>9.1%}"
        f"{each.prefetch_ok_share:>10.1%}{each.accepted_ms_p99:>11,.0f}{each.shed_ms_p99:>10.1f}"
        f"{each.silence_seconds:>10.1f}{each.calm_seconds:>8.1f}"
        for each in found
    ]
