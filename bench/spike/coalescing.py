"""Profile C: one key makes one run, however many ask. Zipf over 1,000 keys on a cold cache.

The same step in load; and a hundred clients who ask for one more key in the same moment, half-way
through the step. Beside it, where nginx is: its ``proxy_cache_lock`` in front of a fixed fleet.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.setting import Setting
from bench.spike import nginx_lock, scale, servers, shots
from bench.spike.scale import Scale
from bench.spike.shots import Shot, Volley
from dynimo.simulating import demand, elasticity, plans

KEYS, HOT_CLIENTS = 1_000, 100
HOT = "hot"
LINES = HOT_CLIENTS + 50
"""Connections opened beforehand: how long connecting takes is not what is asked here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalesced:
    """What came of it. A waiter is a request that came while a run for its key was under way."""

    name: str
    factor: int
    offered: int
    failed: int
    keys: int
    runs: int
    waiters: int
    behind_ms_p99: float
    behind_ms_max: float
    hot_runs: int
    late_ms_p99: float

    @property
    def runs_a_key(self) -> float:
        """1 is right."""
        return self.runs / self.keys if self.keys else 0.0

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "runs_a_key": self.runs_a_key}


def schedule(size: Scale, factor: int) -> list[Shot]:
    """Requests for keys by Zipf's law; each key takes its own time, the same for all who ask."""
    trace = demand.step(
        scale.BASE_PER_SECOND,
        factor,
        before=size.short_base_seconds,
        during=size.short_step_seconds,
        after=size.short_after_seconds,
    )
    service = demand.Service(mean_seconds=scale.SERVICE_SECONDS, sigma=scale.SIGMA)
    times = [each.due for each in demand.arrivals(trace, service, seed=scale.SEED)]
    keys = shots.zipf(len(times), KEYS, seed=scale.SEED)
    chance = random.Random(scale.SEED)
    takes = [service.draw(chance) for _ in range(KEYS)]
    asked = [
        Shot(due, f"/spike/kept/{key}?seconds={takes[key]:.5f}")
        for due, key in zip(times, keys, strict=True)
    ]
    hot = size.short_base_seconds + size.short_step_seconds / 2
    burst = [Shot(hot, f"/spike/kept/{HOT}?seconds={scale.SERVICE_SECONDS}")] * HOT_CLIENTS
    return sorted([*asked, *burst])


def run(setting: Setting, size: Scale, factor: int) -> Coalesced:
    """Dynimo at this factor, its cache cold."""
    sent = schedule(size, factor)
    with servers.dynimo(setting) as ours:
        setting.say(f"C, {factor}x: Dynimo, {sent[-1].due:.0f} s")
        before = servers.runs_so_far(ours.ports[0])
        (volley,) = servers.send(setting, [ours], sent, lines=LINES)
        runs = servers.runs_so_far(ours.ports[0]) - before
    return judged(volley, name="Dynimo", factor=factor, runs=runs)


def beside(setting: Setting, size: Scale, factor: int) -> Coalesced:
    """The lock of nginx at this factor, its cache cold, in front of a fleet sized for the peak.

    Raises:
        Unavailable: nginx is not here.
    """
    sent = schedule(size, factor)
    rate = scale.BASE_PER_SECOND * factor
    peak = plans.sized(rate, scale.SERVICE_SECONDS, plans.TARGET_UTILISATION)
    with nginx_lock.start(setting, peak) as (theirs, came):
        setting.say(f"C, {factor}x: nginx, {sent[-1].due:.0f} s")
        before = came()
        (volley,) = servers.send(setting, [theirs], sent, lines=LINES)
        runs = came() - before
    return judged(volley, name=theirs.name, factor=factor, runs=runs)


def judged(volley: Volley, *, name: str, factor: int, runs: int) -> Coalesced:
    """Pure: the figures of one volley."""
    behind = behind_leaders_ms(volley)
    hot = {
        shown.run
        for shot, shown in zip(volley.shots, volley.shown, strict=True)
        if f"/{HOT}?" in shot.target and shown.status == 200
    }
    return Coalesced(
        name=name,
        factor=factor,
        offered=len(volley.shots),
        failed=sum(each.status != 200 for each in volley.shown),
        keys=len({each.target for each in volley.shots}),
        runs=runs,
        waiters=len(behind),
        behind_ms_p99=elasticity.percentile(behind, 99),
        behind_ms_max=max(behind, default=0.0),
        hot_runs=len(hot),
        late_ms_p99=volley.late_ms_p99,
    )


def behind_leaders_ms(volley: Volley) -> list[float]:
    """For each waiter: how much later than its key's first answer it had its own.

    A waiter came (was sent) before that answer was there. The first answer need not be that of the
    first who asked: the server is free to wake them in any order.
    """
    first: dict[str, float] = {}
    ended = [
        (shot.due + shown.late, shot.due + shown.seconds, shot.target)
        for shot, shown in zip(volley.shots, volley.shown, strict=True)
        if shown.status == 200
    ]
    for _, end, target in ended:
        first[target] = min(end, first.get(target, end))
    behind: list[float] = []
    for sent, end, target in ended:
        if sent < first[target] < end:
            behind.append((end - first[target]) * 1e3)
    return behind


def lines(found: Sequence[Coalesced]) -> list[str]:
    """For a person."""
    return [
        f"  C at {each.factor}x, {each.name}: {each.offered:,} offered, {each.failed} failed;"
        f" {each.keys} keys, {each.runs} runs ({each.runs_a_key:.2f} a key);"
        f" {each.waiters:,} waited, behind the first answer p99 {each.behind_ms_p99:.1f} ms,"
        f" max {each.behind_ms_max:.1f} ms"
        for each in found
    ]
