"""One version at work: its zygote, its environments, and everyone who waits for them.

The pool decides; this file acts: it forks, sends, sets deadlines, kills, and tells each caller how
it ended. It reads time only through the clock and touches processes only through ports.Zygote.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dynimo import ports
from dynimo.functions import faults
from dynimo.functions.pool import Action, Assign, Limits, Pool, Reject, Start, Stop
from dynimo.model.errors import DynimoError, InitError, Stopping, Throttled
from dynimo.model.function import Version
from dynimo.model.invocation import HttpReply, Invocation, Outcome

log = logging.getLogger("dynimo.functions")

FAILURES_MAX = 3
"""Environments that may die in a row without answering before starting more is slowed down."""
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0

Done: TypeAlias = Callable[[Outcome | DynimoError], None]


@dataclass(slots=True)
class _Ticket:
    """An invocation on its way through. ``assigned`` is the clock's, 0 while it waits."""

    invocation: Invocation
    done: Done
    assigned: float = 0.0
    cold: bool = False
    cancel_deadline: Callable[[], None] | None = None


@dataclass(slots=True)
class _Environment:
    """A forked process and what is known of it. ``killed`` is why we ended it, if we did."""

    process: ports.Process
    answered: int = 0
    fresh: bool = True
    killed: str = ""
    late: str = ""
    output_of: str = field(default="")


class Fleet:
    """Runs one version's invocations. Created by the Invoker; ``open`` before use."""

    def __init__(
        self,
        version: Version,
        spec: ports.SandboxSpec,
        limits: Limits,
        *,
        sandbox: ports.Sandbox,
        clock: ports.Clock,
    ) -> None:
        self.version = version
        self.pool = Pool(str(version), limits)
        self.zygote: ports.Zygote | None = None
        self.zygote_restarts = 0
        self._spec = spec
        self._sandbox = sandbox
        self._clock = clock
        self._tickets: dict[str, _Ticket] = {}
        self._environments: dict[str, _Environment] = {}
        self._failures = 0
        self._stopping = False
        self._restart: asyncio.Task[None] | None = None
        self._soonest = min(limits.idle_seconds, limits.queue_seconds)
        self._tick_at: float | None = None
        self._cancel_tick: Callable[[], None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        """Start the zygote and the reserve.

        Raises:
            InitError: the code could not be imported.
        """
        self.zygote = await self._sandbox.start(self._spec, self._zygote_died)
        self._act(self.pool.fill(self._clock.monotonic()))

    def run(self, invocation: Invocation, done: Done) -> None:
        """Run it, or queue it, or turn it away; ``done`` is called exactly once, later or now."""
        if self._stopping:
            done(Stopping(f"({self.version})"))
            return
        self._tickets[invocation.id] = _Ticket(invocation, done)
        self._idle.clear()
        self._act(self.pool.arrive(invocation.id, self._clock.monotonic()))

    @property
    def in_progress(self) -> int:
        """Invocations that wait or run."""
        return len(self._tickets)

    def withdraw(self, invocation_id: str) -> None:
        """The caller has left. What still waits is dropped; what runs runs to its end."""
        ticket = self._tickets.get(invocation_id)
        if ticket is not None and not ticket.assigned:
            self.pool.withdraw(invocation_id)
            self._forget(invocation_id)

    async def close(self, grace_seconds: float) -> None:
        """Take nothing new, let what runs finish for ``grace_seconds``, then end everything."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_seconds)
        if self._restart is not None:
            self._restart.cancel()
        self.pool.suspend()
        if self._cancel_tick is not None:
            self._cancel_tick()
        for invocation_id in list(self._tickets):
            self._answer(invocation_id, Stopping(f"({self.version})"))
        if self.zygote is not None:
            await self.zygote.close()

    # What the pool decided, carried out.

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Start(environment):
                    self._begin(environment)
                case Assign(environment, invocation_id):
                    self._hand_over(environment, invocation_id)
                case Stop(environment):
                    self._end(environment, "idle")
                case Reject(invocation_id, reason):
                    self._answer(invocation_id, Throttled(f"({self.version}: {reason})"))
        self._set_tick()

    def _begin(self, name: str) -> None:
        assert self.zygote is not None, "the pool starts nothing while it is suspended"
        process = self.zygote.fork(name, _Watcher(self, name))
        self._environments[name] = _Environment(process)

    def _hand_over(self, name: str, invocation_id: str) -> None:
        ticket, environment = self._tickets[invocation_id], self._environments[name]
        now = self._clock.monotonic()
        ticket.assigned, ticket.cold, environment.fresh = now, environment.fresh, False
        seconds = self.version.configuration.timeout_seconds
        ticket.cancel_deadline = self._clock.call_later(
            seconds, lambda: self._too_late(name, invocation_id)
        )
        environment.output_of = invocation_id
        meta = {
            "type": "invoke",
            "id": invocation_id,
            "deadline_ms": int((self._clock.now() + seconds) * 1000),
            "arn": self.version.arn,
            "trace": ticket.invocation.trace or None,
            "client_context": None,
        }
        environment.process.send(meta, ticket.invocation.event)

    def _end(self, name: str, why: str) -> None:
        environment = self._environments.get(name)
        if environment is not None and not environment.killed:
            environment.killed = why
            self.pool.condemn(name)
            environment.process.kill()

    def _too_late(self, name: str, invocation_id: str) -> None:
        environment = self._environments.get(name)
        if environment is not None and invocation_id in self._tickets:
            environment.late = invocation_id
            self._end(name, "time")

    # What the environments say.

    def on_frame(self, name: str, meta: dict[str, Any], body: bytes) -> None:
        """An environment answered an invocation."""
        environment = self._environments.get(name)
        ticket = self._tickets.get(str(meta.get("id")))
        if environment is None or ticket is None or meta.get("type") != "outcome":
            # Hostile or late: an environment may say anything; only its own open invocations count.
            return
        if ticket.invocation.id not in self.pool.running(name):
            return
        environment.answered += 1
        self._failures = 0
        outcome = self._outcome(ticket, meta, body)
        if ticket.cold:
            self.pool.observe_cold_start(outcome.init_ms / 1000)
        now = self._clock.monotonic()
        self._answer(ticket.invocation.id, outcome)
        seconds = now - ticket.assigned - outcome.init_ms / 1000
        self._act(self.pool.finish(name, ticket.invocation.id, now, max(0.0, seconds)))

    def on_output(self, name: str, line: str) -> None:
        """An environment printed a line."""
        environment = self._environments.get(name)
        request_id = environment.output_of if environment else ""
        log.info(
            "%s", line, extra={"function": str(self.version), "request": request_id, "output": True}
        )

    def on_exit(self, name: str, ended: ports.Exit) -> None:
        """An environment is gone; whatever ran in it gets an error."""
        environment = self._environments.pop(name, None)
        if environment is None:
            return
        for invocation_id in self.pool.running(name):
            ticket = self._tickets.get(invocation_id)
            if ticket is not None:
                self._answer(invocation_id, self._lost(ticket, environment, ended))
        now = self._clock.monotonic()
        if not environment.killed and not environment.answered:
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                self._slow_down()
        self._act(self.pool.exit(name, now))

    # Outcomes.

    def _outcome(self, ticket: _Ticket, meta: dict[str, Any], body: bytes) -> Outcome:
        started_ns, ended_ns = int(meta.get("started_ns", 0)), int(meta.get("ended_ns", 0))
        reply, error = meta.get("reply"), meta.get("error")
        waited = ticket.assigned - ticket.invocation.arrived_ns / 1e9
        return Outcome(
            id=ticket.invocation.id,
            function=self.version.function,
            version=self.version.label,
            value=body if reply is None and error is None else None,
            reply=_reply(reply, body) if reply is not None else None,
            error=error,
            queue_ms=max(0.0, waited * 1000),
            init_ms=max(0.001, started_ns / 1e6 - ticket.assigned * 1000) if ticket.cold else 0.0,
            duration_ms=max(0.0, (ended_ns - started_ns) / 1e6),
            max_rss_kib=int(meta.get("max_rss_kib", 0)),
            started_ns=started_ns,
        )

    def _lost(self, ticket: _Ticket, environment: _Environment, ended: ports.Exit) -> Outcome:
        invocation = ticket.invocation
        if environment.late == invocation.id:
            killed = "time"
            error = faults.timed_out(invocation.id, self.version.configuration.timeout_seconds)
        else:
            killed = "memory" if ended.out_of_memory else "crash"
            error = faults.exited(invocation.id, ended)
        return Outcome(
            id=invocation.id,
            function=self.version.function,
            version=self.version.label,
            error=error,
            killed=killed,
            queue_ms=max(0.0, ticket.assigned * 1000 - invocation.arrived_ns / 1e6),
            duration_ms=(self._clock.monotonic() - ticket.assigned) * 1000,
            max_rss_kib=ended.max_rss_kib,
        )

    def _answer(self, invocation_id: str, result: Outcome | DynimoError) -> None:
        ticket = self._forget(invocation_id)
        if ticket is not None:
            ticket.done(result)

    def _forget(self, invocation_id: str) -> _Ticket | None:
        ticket = self._tickets.pop(invocation_id, None)
        if ticket is not None and ticket.cancel_deadline is not None:
            ticket.cancel_deadline()
        if not self._tickets:
            self._idle.set()
        return ticket

    # Time, and things going wrong.

    def _set_tick(self) -> None:
        """Wake up when the pool has something to do; an earlier wake-up will do."""
        if self._tick_at is not None and self._tick_at <= self._clock.monotonic() + self._soonest:
            return  # nothing that began just now can be due before that
        when = None if self._stopping else self.pool.next_tick()
        if when is None or (self._tick_at is not None and self._tick_at <= when):
            return
        if self._cancel_tick is not None:
            self._cancel_tick()
        self._tick_at = when
        self._cancel_tick = self._clock.call_later(
            max(0.001, when - self._clock.monotonic()), self._tick
        )

    def _tick(self) -> None:
        self._tick_at = self._cancel_tick = None
        self._act(self.pool.tick(self._clock.monotonic()))

    def _slow_down(self) -> None:
        seconds = min(
            BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN * 2 ** (self._failures - FAILURES_MAX)
        )
        log.error(
            "%s: environments die before they answer; next try in %.1f s", self.version, seconds
        )
        self.pool.suspend()
        self._clock.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self.zygote is not None and not self._stopping:
            self._act(self.pool.resume(self._clock.monotonic()))

    def _zygote_died(self) -> None:
        if self._stopping:
            return
        log.error("%s: its zygote died; starting another", self.version)
        self.zygote = None
        self.pool.suspend()
        for name in list(self._environments):
            self.on_exit(name, ports.Exit(status=-9))
        self._restart = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        seconds = BACKOFF_SECONDS_MIN
        while not self._stopping:
            try:
                self.zygote = await self._sandbox.start(self._spec, self._zygote_died)
            except InitError as error:
                log.error("%s: %s; next try in %.1f s", self.version, error, seconds)
                await asyncio.sleep(seconds)
                seconds = min(BACKOFF_SECONDS_MAX, seconds * 2)
            else:
                self.zygote_restarts += 1
                self._resume()
                return

    def __repr__(self) -> str:
        return f"<Fleet {self.version} {self.pool!r}>"


class _Watcher:
    """Adds an environment's name to what it says (ports.Watcher)."""

    __slots__ = ("_fleet", "_name")

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet = fleet
        self._name = name

    def on_frame(self, meta: dict[str, Any], body: bytes) -> None:
        self._fleet.on_frame(self._name, meta, body)

    def on_output(self, line: str) -> None:
        self._fleet.on_output(self._name, line)

    def on_exit(self, exit: ports.Exit) -> None:  # noqa: A002 - the word of the trade
        self._fleet.on_exit(self._name, exit)


def _reply(declared: dict[str, Any], body: bytes) -> HttpReply:
    headers = tuple((str(name).lower(), str(value)) for name, value in declared.get("headers", []))
    return HttpReply(status=int(declared.get("status", 200)), headers=headers, body=body)
