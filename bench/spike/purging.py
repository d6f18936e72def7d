"""Profile D: everything is purged in the midst of the load, and nobody should notice.

Zipf over 1,000 keys that are all stored, at base times the factor. A soft purge leaves what is
stored to be served stale while it is made anew; a hard one drops it.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.setting import Setting, Unavailable
from bench.spike import scale, servers, shots
from bench.spike.scale import Scale
from bench.spike.shots import Shot, Volley
from dynimo.datafolder import KEY_FILE
from dynimo.simulating import demand, elasticity

KEYS = 1_000
FRESH_SECONDS = (5, 35)
"""How long answers are fresh, each key by its own: so that there is a steady rate of runs."""
SETTLE_SECONDS = 15.0
FILL_PER_SECOND = 250.0
AFTER_SECONDS = 5.0
"""The stretch after the purge in which runs are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What came of one purge. Rates are runs of the handler a second, before and after it."""

    factor: int
    kind: str
    offered: int
    failed: int
    runs_before: float
    runs_after: float
    p99_before_ms: float
    p99_after_ms: float
    late_ms_p99: float

    @property
    def times_base(self) -> float:
        """How many times as many runs."""
        return self.runs_after / self.runs_before if self.runs_before else float("inf")

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "times_base": self.times_base}


def schedule(size: Scale, factor: int) -> tuple[list[Shot], float, float]:
    """The requests, when the measured stretch begins, and when the purge is due."""
    chance = random.Random(scale.SEED)
    service = demand.Service(mean_seconds=scale.SERVICE_SECONDS, sigma=scale.SIGMA)
    targets = [
        f"/spike/kept/{key}?seconds={service.draw(chance):.5f}&max_age={chance.randint(*FRESH_SECONDS)}"
        for key in range(KEYS)
    ]
    filled = KEYS / FILL_PER_SECOND
    fill = [Shot(key / FILL_PER_SECOND, target) for key, target in enumerate(targets)]
    begin = filled + SETTLE_SECONDS
    before = max(AFTER_SECONDS, size.short_base_seconds)
    trace = demand.Trace(
        name="steady",
        times=(0.0,),
        rates=(scale.BASE_PER_SECOND * factor,),
        seconds=SETTLE_SECONDS + before + size.short_step_seconds,
    )
    times = [each.due for each in demand.arrivals(trace, service, seed=scale.SEED)]
    keys = shots.zipf(len(times), KEYS, seed=scale.SEED)
    asked = [Shot(filled + due, targets[key]) for due, key in zip(times, keys, strict=True)]
    return [*fill, *asked], begin, begin + before


def run(setting: Setting, size: Scale, factor: int, kind: str) -> Purged:
    """One purge of this kind (``soft``, ``hard``) on a fresh Dynimo.

    Raises:
        Unavailable: this version cannot purge so.
    """
    sent, begin, due = schedule(size, factor)
    counted: dict[str, int] = {}
    with servers.dynimo(setting) as ours:
        port = ours.ports[0]
        key = (setting.folder("spike", "dynimo", "data") / KEY_FILE).read_text().strip()
        _purge(port, key, kind)  # of nothing yet: a version that cannot says so at once

        def meanwhile(began: float) -> None:
            for name, at in (("begin", begin), ("purge", due), ("end", due + AFTER_SECONDS)):
                time.sleep(max(0.0, began + at - time.monotonic()))
                counted[name] = servers.runs_so_far(port)
                if name == "purge":
                    _purge(port, key, kind)

        setting.say(f"D, {factor}x, {kind}: {sent[-1].due:.0f} s")
        (volley,) = servers.send(setting, [ours], sent, during=meanwhile)
    return judged(volley, factor=factor, kind=kind, begin=begin, due=due, counted=counted)


def judged(
    volley: Volley, *, factor: int, kind: str, begin: float, due: float, counted: dict[str, int]
) -> Purged:
    """Pure: the figures of one volley."""
    requests = volley.requests()
    deadline = scale.DEADLINE_SECONDS
    before = elasticity.span(requests, begin, due, deadline)
    after = elasticity.span(requests, due, due + AFTER_SECONDS, deadline)
    every = elasticity.span(requests, begin, float("inf"), deadline)
    return Purged(
        factor=factor,
        kind=kind,
        offered=every.offered,
        failed=every.failed,
        runs_before=(counted["purge"] - counted["begin"]) / (due - begin),
        runs_after=(counted["end"] - counted["purge"]) / AFTER_SECONDS,
        p99_before_ms=before.p99_all_ms,
        p99_after_ms=after.p99_all_ms,
        late_ms_p99=volley.late_ms_p99,
    )


def _purge(port: int, key: str, kind: str) -> None:
    asked = {"everything": True, **({"soft": True} if kind == "soft" else {})}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"x-dynimo-key": key}
        connection.request("POST", "/_dynimo/purge", json.dumps(asked), headers)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Unavailable(f"D: this version cannot purge {kind}: {said.decode()[:200]}")


def lines(found: Sequence[Purged]) -> list[str]:
    """For a person."""
    return [
        f"  D at {each.factor}x, {each.kind}: {each.offered:,} offered, {each.failed} failed;"
        f" runs a second {each.runs_before:.1f} before, {each.runs_after:.1f} after"
        f" ({each.times_base:.1f} times); p99 {each.p99_before_ms:.0f} and"
        f" {each.p99_after_ms:.0f} ms"
        for each in found
    ]
