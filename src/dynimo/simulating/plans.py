"""The ways of supply that are compared: prescaled, autoscaled by a metric, and Dynimo's own.

Values and arithmetic only. What Dynimo decides is in ``functions``; the autoscaler here is the
simplest fair one, and the real benchmark's baseline uses it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dynimo.functions.pool import Limits

TARGET_UTILISATION = 0.7
"""The share of its capacity that a fleet is sized to use, as autoscalers are commonly set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """A fleet that follows a metric: the request rate, averaged over each ``metric_seconds``.

    What it orders is there ``start_seconds`` later. It lets go only when ``calm_windows`` in a row
    ask for less (Kubernetes' default is five minutes). The rate, not the load of its processors, is
    what it watches: load saturates at 100 %, which would make it slower still.
    """

    metric_seconds: float = 60.0
    start_seconds: float = 60.0
    calm_windows: int = 5
    target: float = TARGET_UTILISATION
    minimum: int = 1

    def desired(self, windows: Sequence[float], service_seconds: float) -> int:
        """Environments to have, given the mean rates of all windows until now (newest last)."""
        recent = windows[-self.calm_windows :]
        return max(sized(rate, service_seconds, self.target, self.minimum) for rate in recent)


def sized(rate: float, service_seconds: float, target: float, minimum: int = 1) -> int:
    """Little's law over a target: environments for ``rate`` a second at ``target`` utilisation."""
    # Rounded first: 20 x 0.1 / 0.5 is 4, and not 5 for the sake of a last binary digit.
    return max(minimum, math.ceil(round(rate * service_seconds / target, 9)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way of supply. ``cold_start_seconds`` is from the order to the handler's first line.

    ``overhead_seconds`` is how much longer than its service a request keeps an environment: what
    handing over and taking back cost.
    """

    name: str
    limits: Limits
    cold_start_seconds: float
    overhead_seconds: float = 0.0
    autoscaling: Autoscaling | None = None


def fixed(name: str, environments: int, *, queue_seconds: float, queue: int) -> Plan:
    """So many environments, always."""
    limits = Limits(
        environments=environments,
        reserve=environments,
        queue=queue,
        queue_seconds=queue_seconds,
        burst=environments,
    )
    return Plan(name=name, limits=limits, cold_start_seconds=0.0)


def autoscaled(
    name: str, scaling: Autoscaling, environments: int, *, queue_seconds: float, queue: int
) -> Plan:
    """A fleet that begins with ``environments`` and follows its metric."""
    beginning = fixed(name, environments, queue_seconds=queue_seconds, queue=queue)
    # What is ordered comes whole, when it comes; what is too many goes as soon as it is idle.
    limits = replace(beginning.limits, idle_seconds=0.0, burst=10**9)
    return replace(beginning, limits=limits, autoscaling=scaling)


def on_demand(name: str, limits: Limits, cold_start_seconds: float) -> Plan:
    """Dynimo: decided at each arrival."""
    return Plan(name=name, limits=limits, cold_start_seconds=cold_start_seconds)
