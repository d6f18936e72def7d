"""May this server be asked now? A circuit breaker, as numbers. Pure: told the time, told chance.

Closed, it lets all pass and counts. Open, it lets nothing pass until its rest is over. Half-open,
it lets one probe at a time pass; good ones close it, a bad one opens it for longer.
"""

from __future__ import annotations

from collections.abc import Callable

from dynimo.upstreams.policy import Policy

JITTER = 0.2
"""Share of a rest by which it may be shorter: so that not all who rest come back at once."""

_DOUBLINGS_MAX = 30


class Breaker:
    """The state of one server; times are seconds of a clock that only goes forward."""

    __slots__ = (
        "_bad", "_chance", "_closed_at", "_counted_at", "_good", "_in_a_row", "_policy", "_probed",
        "_probing", "_rests", "_until",
    )  # fmt: skip

    def __init__(self, policy: Policy, chance: Callable[[], float]) -> None:
        """``chance`` gives numbers from 0 up to 1."""
        self._policy = policy
        self._chance = chance
        self._until: float | None = None
        self._rests = 0
        self._closed_at = 0.0
        self._probing = False
        self._probed = 0
        self._in_a_row = 0
        self._good = self._bad = 0.0
        self._counted_at = 0.0

    @property
    def open(self) -> bool:
        """Whether it is open or half-open."""
        return self._until is not None

    def probe_due(self, now: float) -> bool:
        """Whether it waits for a probe."""
        return self._until is not None and now >= self._until and not self._probing

    def allows(self, now: float) -> bool:
        """Whether a request may pass."""
        return self._until is None or self.probe_due(now)

    def rest_seconds(self, now: float) -> float:
        """How long until a probe may pass."""
        return max(0.0, self._until - now) if self._until is not None else 0.0

    def begin(self) -> None:
        """Take note that a request passes."""
        self._probing = self.open

    def abandoned(self) -> None:
        """Take note that nobody waited for the end: it says nothing of the server."""
        self._probing = False

    def succeeded(self, now: float) -> bool:
        """Take note of a good answer; whether it closed the circuit."""
        self._in_a_row = 0
        if self._until is None:
            self._decay(now)
            self._good += 1
            return False
        if now < self._until:
            return False  # begun before it opened
        self._probing = False
        self._probed += 1
        if self._probed < self._policy.probes:
            return False
        self._until = None
        self._closed_at = now
        return True

    def failed(self, now: float) -> None:
        """Take note of a failure."""
        if self._until is not None:
            self._probing = False
            if now >= self._until:
                self._rest(now)
            return
        self._decay(now)
        self._bad += 1
        self._in_a_row += 1
        policy, ended = self._policy, self._good + self._bad
        often = ended >= policy.failures_of and self._bad >= policy.failures_share * ended
        if often or self._in_a_row >= policy.failures_max:
            if now - self._closed_at > policy.rest_seconds_max:
                self._rests = 0  # it was well for long: the past is forgotten
            self._rest(now)

    def _rest(self, now: float) -> None:
        doubled = self._policy.rest_seconds * 2.0 ** min(self._rests, _DOUBLINGS_MAX)
        rest = min(doubled, self._policy.rest_seconds_max)
        self._rests += 1
        self._until = now + rest * (1 - JITTER * self._chance())
        self._in_a_row = self._probed = 0
        self._good = self._bad = 0.0

    def _decay(self, now: float) -> None:
        """Let what was long ago count less: by half for each ``lately_seconds``."""
        share = 0.5 ** ((now - self._counted_at) / self._policy.lately_seconds)
        self._good *= share
        self._bad *= share
        self._counted_at = now
