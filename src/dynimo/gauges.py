"""What the running parts look like right now, as gauges that are read when somebody asks.

Only the wiring of numbers to names; the parts count, ``telemetry`` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from dynimo.edge.cache import Cache
from dynimo.functions.fleet import Fleet
from dynimo.functions.invoker import Invoker
from dynimo.telemetry import Metrics

_BY_FUNCTION: Mapping[str, tuple[str, Callable[[Fleet], float]]] = {
    "dynimo_workers": ("Environments.", lambda fleet: fleet.pool.count),
    "dynimo_workers_busy": ("Environments at work.", lambda fleet: fleet.pool.busy),
    "dynimo_workers_utilization": (
        "Environments at work over those allowed, 0 to 1.",
        lambda fleet: fleet.pool.busy / fleet.pool.limits.environments,
    ),
    "dynimo_invocations_in_progress": ("Waiting or running.", lambda fleet: fleet.in_progress),
    "dynimo_queue_length": ("Invocations waiting.", lambda fleet: fleet.pool.waiting),
    "dynimo_zygote_restarts": ("Zygotes that died.", lambda fleet: fleet.zygote_restarts),
}


Shedding: TypeAlias = Callable[[], Mapping[str, Mapping[str, float]]]
"""What each lane is at, by the name of its function."""
_BY_LANE = {
    "limit": "Requests that may be in progress before a function.",
    "running": "Requests in progress.",
    "waiting": "Requests that wait before a function.",
}


def expose(
    metrics: Metrics,
    invoker: Invoker,
    cache: Cache,
    server: Callable[[], Mapping[str, int]],
    shedding: Shedding,
) -> None:
    """Let ``metrics`` read all of it; ``server`` gives the counts of whatever speaks HTTP."""
    for key, help_text in _BY_LANE.items():
        metrics.watch(f"dynimo_shedding_{key}", help_text, _of_lanes(shedding, key))
    for name, (help_text, of_fleet) in _BY_FUNCTION.items():
        metrics.watch(name, help_text, _each(invoker, of_fleet))
    expose_edge(metrics, cache, server)


def expose_edge(metrics: Metrics, cache: Cache, server: Callable[[], Mapping[str, int]]) -> None:
    """Let ``metrics`` read the edge alone."""
    metrics.watch("dynimo_edge", "The cache's own counts.", lambda: _numbers(cache.statistics()))
    metrics.watch("dynimo_server", "The server's own counts.", lambda: _numbers(server()))


def _each(invoker: Invoker, of_fleet: Callable[[Fleet], float]) -> Callable[[], dict[str, float]]:
    return lambda: {name: of_fleet(fleet) for name, fleet in invoker.fleets.items()}


def _of_lanes(shedding: Shedding, key: str) -> Callable[[], dict[str, float]]:
    return lambda: {name: lane[key] for name, lane in shedding().items()}


def _numbers(told: Mapping[str, object]) -> dict[str, float]:
    return {name: value for name, value in told.items() if isinstance(value, int | float)}
