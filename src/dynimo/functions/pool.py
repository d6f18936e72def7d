"""Which waiting invocation goes to which environment? The pool decides; it does nothing.

Rules of this file: all state of one version's environments and queue lives here and changes only
here, at once, inside a method that returns what must now be done. No I/O, no clock (``now`` is an
argument), no asyncio. Whoever calls must carry out every action returned, in order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from dynimo.functions import scaling
from dynimo.functions.kinship import Kinship


@dataclass(frozen=True, slots=True)
class Start:
    """Begin an environment by this name."""

    environment: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Hand this invocation to this environment; ``kin`` others share work with it at this time."""

    environment: str
    invocation: str
    kin: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Let this idle environment go."""

    environment: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer this invocation without running it: ``full`` queue or ``late``."""

    invocation: str
    reason: str


ROOM_SECONDS = 0.1
"""When a start that the machine had no room for is tried again, if nothing ends before."""
LATER_SECONDS = 0.001
"""After somebody's patience has ended: what is compared with it must have passed it."""

KIN_LOOK = 16
"""How far down the queue an environment looks for what shares work with what it did last."""
KIN_FAR_LOOK = 256
"""The same where all of those wait for others: so far down stands who goes instead of them."""
KIN_ROW_MAX = 16
"""After so many that were passed over for the sake of kin, the first of the queue is next."""

_LONG_AGO = float("-inf")
Action: TypeAlias = Start | Assign | Stop | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one version's pool may do. Times are seconds.

    ``burst`` environments may be started at once, ``burst_per_second`` more as time goes on.
    """

    environments: int
    concurrency: int = 1
    reserve: int = 0
    idle_seconds: float = 10.0
    queue: int = 10_000
    queue_seconds: float = 20.0
    burst: int = 1000
    burst_per_second: float = 100.0


@dataclass(slots=True)
class _Environment:
    """``running`` are the invocations inside; ``idle_since`` means something when it is empty.

    A ``condemned`` one gets nothing more: it has been killed but is not gone yet, or it is ``old``
    and goes when it is empty. ``kin`` is that of the last invocation in it, and others of it wait
    for that one until ``patient``; ``firsts`` are those inside before whom it was another.
    """

    running: set[str] = field(default_factory=set)
    idle_since: float = 0.0
    condemned: bool = False
    old: bool = False
    kin: str = ""
    firsts: set[str] = field(default_factory=set)
    patient: float = _LONG_AGO


class Pool:
    """The environments of one version, and the invocations waiting for one."""

    def __init__(
        self,
        prefix: str,
        limits: Limits,
        cold_start_seconds: float = 0.01,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        """``room`` says whether the machine can take one more environment."""
        self.limits = limits
        self._prefix = prefix
        self._born = 0
        self._suspended = False
        # Insertion order is age; within it the most lately used are tried first (see _free).
        self._environments: dict[str, _Environment] = {}
        self._queue: OrderedDict[str, float] = OrderedDict()  # invocation → when it is late
        self._kin = Kinship()
        self._passed = 0
        self._drained_at = _LONG_AGO
        self._service_seconds = 0.0
        self._cold_start_seconds = cold_start_seconds
        self._burst = scaling.Burst(limits.burst, limits.burst_per_second)
        self._room = room
        self._refused_at: float | None = None

    def arrive(self, invocation: str, now: float, kin: str = "") -> list[Action]:
        """Someone wants to run: an idle environment, a new one, the queue, or no.

        Invocations of one ``kin`` share work: they go to one environment, and wait for it if it is
        at work on it, but not for long.
        """
        self._kin.add(invocation, kin)
        name = self._free(kin)
        awaits = now < self._patient(kin) and self.waiting < self.limits.queue
        if name is not None and (not awaits or self._environments[name].kin == kin):
            return [self._assign(name, invocation, now)]
        if not awaits and self._should_start(now):
            start = self._start(now)
            if self._queue:  # whoever has waited longest comes first, but for kin, also here
                self._queue[invocation] = now + self.limits.queue_seconds
                invocation = self._next("", now) or self._queue.popitem()[0]
            return [start, self._assign(start.environment, invocation, now)]
        if self.waiting >= self.limits.queue:
            self._kin.forget(invocation)
            return [Reject(invocation, "full")]
        self._queue[invocation] = now + self.limits.queue_seconds
        return []

    def finish(self, environment: str, invocation: str, now: float, seconds: float) -> list[Action]:
        """An invocation ended inside an environment that lives on; ``seconds`` it was busy."""
        slot = self._environments.get(environment)
        if slot is None or invocation not in slot.running:
            return []
        slot.running.discard(invocation)
        if self._kin.of(invocation):
            self._kin.observe(seconds, first=invocation in slot.firsts)
        slot.firsts.discard(invocation)
        self._kin.forget(invocation)
        if slot.kin and not any(self._kin.of(each) == slot.kin for each in slot.running):
            slot.patient = _LONG_AGO  # what it does now is no work of theirs
        slot.idle_since = now
        self._service_seconds = scaling.smoothed(self._service_seconds, seconds)
        return self._leave(environment, now) if slot.old else self._drain(now)

    def exit(self, environment: str, now: float) -> list[Action]:
        """An environment is gone, with whatever ran in it. Those behind it must not be stranded."""
        slot = self._environments.pop(environment, None)
        if slot is None:
            return []
        for invocation in slot.running:
            self._kin.forget(invocation)
        return [*self._drain(now), *self.fill(now)]

    def withdraw(self, invocation: str) -> None:
        """Its caller has left: if it still waits, it shall not run."""
        if self._queue.pop(invocation, None) is not None:
            self._kin.forget(invocation)

    def tick(self, now: float) -> list[Action]:
        """Time has passed: turn away the late, let the long idle go, keep the reserve."""
        actions: list[Action] = self._drain(now)
        spare = len(self._environments) - self.limits.reserve
        for name, slot in list(self._environments.items()):
            if spare <= 0:
                break
            if not slot.running and now - slot.idle_since >= self.limits.idle_seconds:
                del self._environments[name]
                actions.append(Stop(name))
                spare -= 1
        return [*actions, *self.fill(now)]

    def limit(self, limits: Limits, now: float) -> list[Action]:
        """Live under other limits from now on; what is too many ends when it is idle."""
        self.limits = limits
        return self.fill(now)

    def condemn(self, environment: str) -> None:
        """It is being killed: give it nothing more. ``exit`` follows."""
        slot = self._environments.get(environment)
        if slot is not None:
            slot.condemned = True

    def retire(self, environment: str, now: float) -> list[Action]:
        """It has lived long enough: another takes its place, and it ends when it is empty."""
        slot = self._environments.get(environment)
        if slot is None:
            return []
        slot.condemned = slot.old = True
        return self._leave(environment, now)

    def suspend(self) -> None:
        """Nothing can be started for now (its zygote is gone); who arrives waits in the queue."""
        self._suspended = True

    def let_go(self) -> list[Action]:
        """Memory is short: let every idle environment go that is not of the reserve."""
        idle = [name for name, slot in self._environments.items() if not slot.running]
        spare = len(self._environments) - self.limits.reserve
        going = idle[: max(0, spare)]
        for name in going:
            del self._environments[name]
        return [Stop(name) for name in going]

    def resume(self, now: float) -> list[Action]:
        """Environments can be started again: serve those who waited."""
        self._suspended = False
        return [*self._drain(now), *self.fill(now)]

    def fill(self, now: float) -> list[Action]:
        """Start what the reserve lacks."""
        if self._suspended:
            return []
        missing = min(self.limits.reserve, self.limits.environments) - len(self._environments)
        return [self._start(now) for _ in range(missing)]

    def next_tick(self) -> float | None:
        """When ``tick`` will have something to do, if nothing else happens before."""
        times = [next(iter(self._queue.values()))] if self._queue else []
        if len(self._environments) > self.limits.reserve:
            times += [
                slot.idle_since + self.limits.idle_seconds
                for slot in self._environments.values()
                if not slot.running
            ]
        patience = self._patience_ends() if self._queue and self._kin else []
        if patience and not self.starved:
            times.append(min(patience) + LATER_SECONDS)
        if self.starved:
            moments = [self._came_first() + self._worth_waiting() + LATER_SECONDS]
            if patience:
                moments.append(min(patience) + LATER_SECONDS)
            moments += [when for when in (self._burst.next_at,) if when is not None]
            moments += [self._refused_at + ROOM_SECONDS] if self._refused_at is not None else []
            times.append(max(moments))
        return min(times, default=None)

    def observe_cold_start(self, seconds: float) -> None:
        """A new environment took this long until its handler began."""
        self._cold_start_seconds = scaling.smoothed(self._cold_start_seconds, seconds)

    @property
    def starved(self) -> bool:
        """Somebody waits although another environment could be started, if not at once."""
        return bool(self._queue and not self._suspended and self.count < self.limits.environments)

    @property
    def patient(self) -> bool:
        """Somebody waits who may have kin, and goes elsewhere before anything else is due."""
        return bool(self._queue and self._kin)

    @property
    def waiting(self) -> int:
        """Invocations in the queue."""
        return len(self._queue)

    @property
    def count(self) -> int:
        """Environments, busy or not."""
        return len(self._environments)

    @property
    def busy(self) -> int:
        """Environments with something running inside."""
        return sum(1 for slot in self._environments.values() if slot.running)

    def runs(self, environment: str, invocation: str) -> bool:
        """Whether this invocation is inside this environment."""
        slot = self._environments.get(environment)
        return slot is not None and invocation in slot.running

    def running(self, environment: str) -> frozenset[str]:
        """The invocations inside an environment."""
        slot = self._environments.get(environment)
        return frozenset(slot.running) if slot else frozenset()

    def _leave(self, environment: str, now: float) -> list[Action]:
        """Let an old one go if nothing runs in it any more."""
        if self._environments[environment].running:
            return self._drain(now)
        del self._environments[environment]
        return [Stop(environment), *self._drain(now), *self.fill(now)]

    def _free(self, kin: str = "") -> str | None:
        """The most lately used environment with room: so the others grow old and can go.

        One whose last work was of this kin comes before.
        """
        best: str | None = None
        best_since = float("-inf")
        for name, slot in self._environments.items():
            room = len(slot.running) < self.limits.concurrency and not slot.condemned
            if room and kin and slot.kin == kin:
                return name
            if room and slot.idle_since > best_since:
                best, best_since = name, slot.idle_since
        return best

    def _patient(self, kin: str) -> float:
        """Until when others of this kin wait for what is being done; long ago, if nothing is."""
        if not kin:
            return _LONG_AGO
        return max(
            (
                slot.patient
                for slot in self._environments.values()
                if slot.kin == kin and slot.running and not slot.condemned
            ),
            default=_LONG_AGO,
        )

    def _patience_ends(self) -> list[float]:
        """When others may go elsewhere who had to wait when the queue was last looked through."""
        return [
            slot.patient
            for slot in self._environments.values()
            if slot.patient > self._drained_at
            and slot.running
            and not slot.condemned
            and self._kin.others(slot.kin)
        ]

    def _next(self, kin: str, now: float) -> str | None:
        """Take one from the queue for an environment whose last work was of ``kin``.

        Its own kin first, then what is nobody's, then the kin of another, if that has waited long
        enough for it; from far behind only if all in front wait for others, and not for ever past
        the first.
        """
        first = next(iter(self._queue))
        chosen = first
        if self._kin and self._passed < KIN_ROW_MAX:
            near = list(islice(self._queue, KIN_LOOK))
            taken = {slot.kin for slot in self._environments.values()} - {kin, ""}
            own = (each for each in near if kin and self._kin.of(each) == kin)
            free = (each for each in near if self._kin.of(each) not in taken)
            chosen = next(own, None) or next(free, first)
            if chosen == first and self._kin.of(first) in (awaited := self._awaited(now) - {kin}):
                far = islice(self._queue, KIN_FAR_LOOK)
                ready = next((each for each in far if self._kin.of(each) not in awaited), None)
                if ready is None:
                    return None
                chosen = ready
        self._passed = 0 if chosen == first else self._passed + 1
        del self._queue[chosen]
        return chosen

    def _awaited(self, now: float) -> set[str]:
        """The kin that had better wait for whoever is at work on it."""
        return {
            slot.kin
            for slot in self._environments.values()
            if slot.kin and slot.running and not slot.condemned and now < slot.patient
        }

    def _start(self, now: float) -> Start:
        self._born += 1
        self._burst.take()
        name = f"{self._prefix}-{self._born}"
        self._environments[name] = _Environment(idle_since=now)
        return Start(name)

    def _assign(self, environment: str, invocation: str, now: float) -> Assign:
        slot = self._environments[environment]
        slot.running.add(invocation)
        kin = self._kin.of(invocation)
        first = slot.kin != kin
        slot.kin, slot.patient = kin, _LONG_AGO
        if kin:
            slot.patient = now + self._kin.patience(first=first)
            if first:
                slot.firsts.add(invocation)
        return Assign(environment, invocation, self._kin.others(kin))

    def _drain(self, now: float) -> list[Action]:
        """Give waiting invocations to whatever has room: first come first served, but for kin."""
        actions = self._turn_away(now)
        self._drained_at = now
        while self._queue:
            name = self._free(self._kin.of(next(iter(self._queue))))
            if name is None and not self._should_start(now):
                break
            invocation = self._next(self._environments[name].kin if name else "", now)
            if invocation is None:
                break
            if name is None:
                start = self._start(now)
                actions.append(start)
                name = start.environment
            actions.append(self._assign(name, invocation, now))
        return actions

    def _turn_away(self, now: float) -> list[Action]:
        """Whoever has waited too long; the queue is in order of arrival, so the first is oldest."""
        actions: list[Action] = []
        while self._queue and next(iter(self._queue.values())) <= now:
            invocation, _ = self._queue.popitem(last=False)
            self._kin.forget(invocation)
            actions.append(Reject(invocation, "late"))
        return actions

    def _came_first(self) -> float:
        """When the first of the queue came."""
        return next(iter(self._queue.values())) - self.limits.queue_seconds

    def _worth_waiting(self) -> float:
        each = self._service_seconds / self.limits.concurrency
        return scaling.worth_waiting(each, self._cold_start_seconds)

    def _should_start(self, now: float) -> bool:
        wanted = (
            not self._suspended
            and self._burst.ready(now)
            and scaling.should_start(
                count=len(self._environments),
                limit=self.limits.environments,
                queued=len(self._queue),
                service_seconds=self._service_seconds / self.limits.concurrency,
                cold_start_seconds=self._cold_start_seconds,
                waited=now - self._came_first() if self._queue else 0.0,
            )
        )
        # The first is always allowed: without it nobody of this version would ever be answered.
        refused = wanted and bool(self._environments) and not self._room()
        self._refused_at = now if refused else None
        return wanted and not refused

    def __repr__(self) -> str:
        return (
            f"<Pool {self._prefix} [environments: {self.busy} busy, {self.count - self.busy} idle"
            f" | invocations: {self.waiting} waiting]>"
        )
