"""Which server of an upstream is asked? The less busy of two that chance picks. Pure.

Two choices are nearly as good as looking at all, and do not send everybody to the same one. A
server that is new or came back gets a tenth of its share at first, and all of it after a while.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from dynimo.upstreams.breaker import Breaker
from dynimo.upstreams.policy import Policy

START_SHARE = 0.1
"""What a server gets of its share at first."""


class Server:
    """What is known of one server; ``since`` is when it began to be used."""

    __slots__ = ("answered", "breaker", "busy", "failed", "name", "since")

    def __init__(self, name: str, breaker: Breaker, since: float) -> None:
        self.name = name
        self.breaker = breaker
        self.since = since
        self.busy = 0
        self.answered = 0
        self.failed = 0

    def weight(self, now: float, slow_start_seconds: float) -> float:
        """Its share of a full one, from ``START_SHARE`` to 1."""
        if slow_start_seconds <= 0:
            return 1.0
        return min(1.0, START_SHARE + (1 - START_SHARE) * (now - self.since) / slow_start_seconds)


def choose(
    servers: Sequence[Server],
    now: float,
    policy: Policy,
    chance: Callable[[], float],
    *,
    tried: Collection[Server] = (),
    probing: bool = True,
) -> Server | None:
    """The server for one request, not one of ``tried``; None if there is none to be asked.

    A server that waits for a probe gets one request that is ``probing``: it may be tried again
    elsewhere. Others come there only when there is nowhere else.
    """
    left = [each for each in servers if each not in tried]
    due = [each for each in left if each.breaker.probe_due(now)]
    if probing and due:
        return due[int(chance() * len(due))]
    closed = [each for each in left if not each.breaker.open]
    if not closed:
        return due[int(chance() * len(due))] if due else None
    weights = [each.weight(now, policy.slow_start_seconds) for each in closed]
    first = _drawn(weights, chance())
    if len(closed) == 1:
        return closed[first]
    rest = [index for index in range(len(closed)) if index != first]
    second = rest[_drawn([weights[index] for index in rest], chance())]
    busier = closed[first].busy / weights[first] > closed[second].busy / weights[second]
    return closed[second if busier else first]


def _drawn(weights: Sequence[float], chance: float) -> int:
    """An index, each as often as its weight says."""
    point = chance * sum(weights)
    for index, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return index
    return len(weights) - 1
