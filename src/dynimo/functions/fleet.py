"""One version at work: its environments, and everyone who waits for them.

The pool decides; this file acts: it forks, sends, sets deadlines, kills, and tells each caller how
it ended. ``root`` keeps the zygote alive, and a ``ticket`` holds an answer that comes in pieces. It
reads time only through the clock and touches processes only through ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dynimo import ports
from dynimo.functions import frames, outcomes
from dynimo.functions.journal import Journal
from dynimo.functions.pool import Action, Assign, Limits, Pool, Reject, Start, Stop
from dynimo.functions.root import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN, Root
from dynimo.functions.ticket import Done, Ticket
from dynimo.model.errors import DynimoError, Stopping, Throttled
from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome

log = logging.getLogger("dynimo.functions")

FAILURES_MAX = 3
"""Environments that may die in a row without answering before starting more is slowed down."""

LIFE_SECONDS = 24 * 3600.0
"""How long an environment is given work: less than its credentials hold, whatever it is doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a fleet is given besides its version, and where it tells what happens.

    ``own_variables`` makes the variables of one environment (its credentials); ``held`` hears how
    many MiB-seconds an environment's memory was kept while it was idle; ``room`` says whether the
    machine can take one more.
    """

    sandbox: ports.Sandbox
    clock: ports.Clock
    journal: Journal
    response_bytes_max: int
    stream_bytes_max: int
    own_variables: Callable[[], Mapping[str, str]] = dict
    held: Callable[[float], None] = lambda _: None
    room: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Environment:
    """A forked process and what is known of it. ``killed`` is why we ended it, if we did.

    ``unfit`` is (invocation, why) of the one for whose sake it is killed. ``idle_since`` is the
    clock's, ``max_rss_kib`` as of its last answer.
    """

    process: ports.Process
    stream: str
    idle_since: float
    cancel_life: Callable[[], None]
    answered: int = 0
    fresh: bool = True
    killed: str = ""
    unfit: tuple[str, str] = ("", "")
    output_of: str = ""
    max_rss_kib: int = 0


class Fleet:
    """Runs one version's invocations. Created by the Invoker; ``open`` before use."""

    def __init__(
        self,
        version: Version,
        spec: ports.SandboxSpec,
        limits: Limits,
        around: Surroundings,
    ) -> None:
        self.version = version
        self.pool = Pool(str(version), limits, room=around.room)
        self.used_at = around.clock.monotonic()
        self._around = around
        self._root = Root(
            around.sandbox, spec, name=str(version), on_death=self._bereft, on_life=self._resume
        )
        self._clock = around.clock
        self._journal = around.journal
        self._tickets: dict[str, Ticket] = {}
        self._environments: dict[str, _Environment] = {}
        self._failures = 0
        self._stopping = False
        self._soonest = min(limits.idle_seconds, limits.queue_seconds)
        self._tick_at: float | None = None
        self._cancel_tick: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        """Start the zygote and the reserve.

        Raises:
            InitError: the code could not be imported.
        """
        await self._root.open()
        self._act(self.pool.fill(self._clock.monotonic()))

    def run(self, invocation: Invocation, done: Done, arn: str = "") -> None:
        """Run it, or queue it, or turn it away; ``done`` is called exactly once, later or now.

        ``arn`` is what was asked for, as the code sees it; the version's own if empty.
        """
        if self._stopping:
            done(Stopping(f"({self.version})"))
            return
        self.used_at = now = self._clock.monotonic()
        self._tickets[invocation.id] = Ticket(invocation, done, arn or self.version.arn)
        self._idle.clear()
        self._act(self.pool.arrive(invocation.id, now, invocation.kin))

    @property
    def zygote(self) -> ports.Zygote | None:
        """What it forks; None while it is being started."""
        return self._root.zygote

    @property
    def zygote_restarts(self) -> int:
        """How often its zygote died and another was started."""
        return self._root.restarts

    async def settled(self) -> None:
        """Wait until its zygote lives, if another one is being started."""
        await self._root.settled()

    @property
    def in_progress(self) -> int:
        """Invocations that wait or run."""
        return len(self._tickets)

    @property
    def ready(self) -> int:
        """Environments that exist as processes."""
        return sum(1 for each in self._environments.values() if each.process.pid)

    def limit(self, limits: Limits) -> None:
        """Live under other limits from now on."""
        self._act(self.pool.limit(limits, self._clock.monotonic()))

    def let_go(self) -> None:
        """Memory is short: end what is idle."""
        self._act(self.pool.let_go())

    def withdraw(self, invocation_id: str) -> bool:
        """The caller has left. What still waits is dropped (True); what runs runs to its end."""
        ticket = self._tickets.get(invocation_id)
        waiting = ticket is not None and not ticket.assigned
        if waiting:
            self.pool.withdraw(invocation_id)
            self._forget(invocation_id)
        return waiting

    async def close(self, grace_seconds: float) -> None:
        """Take nothing new, let what runs finish for ``grace_seconds``, then end everything."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_seconds)
        self._root.stop()
        self.pool.suspend()
        if self._cancel_tick is not None:
            self._cancel_tick()
        for invocation_id in list(self._tickets):
            self._answer(invocation_id, Stopping(f"({self.version})"))
        await self._root.close()

    # What the pool decided, carried out.

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Start(environment):
                    self._begin(environment)
                case Assign(environment, invocation_id, kin):
                    self._hand_over(environment, invocation_id, kin)
                case Stop(environment):
                    self._end(environment, "idle")
                case Reject(invocation_id, reason):
                    self._answer(invocation_id, Throttled(f"({self.version}: {reason})"))
        self._set_tick()

    def _begin(self, name: str) -> None:
        zygote = self._root.zygote
        assert zygote is not None, "the pool starts nothing while it is suspended"
        stream = self._journal.stream()
        own = {"AWS_LAMBDA_LOG_STREAM_NAME": stream, **self._around.own_variables()}
        process = zygote.fork(name, _Watcher(self, name), own)
        cancel = self._clock.call_later(LIFE_SECONDS, lambda: self._retire(name))
        self._environments[name] = _Environment(process, stream, self._clock.monotonic(), cancel)

    def _hand_over(self, name: str, invocation_id: str, kin: int) -> None:
        ticket, environment = self._tickets[invocation_id], self._environments[name]
        now = self._clock.monotonic()
        ticket.assigned, ticket.cold, environment.fresh = now, environment.fresh, False
        seconds = self.version.configuration.timeout_seconds
        zygote = self._root.zygote
        starting = zygote.init_seconds_max if zygote and ticket.cold else 0.0
        ticket.starting = starting > 0
        environment.output_of = invocation_id
        invocation = ticket.invocation
        meta = frames.invoke(
            invocation,
            self.version,
            arn=ticket.arn,
            deadline=self._clock.now() + seconds,
            kin=kin,
        )
        environment.process.send(meta, invocation.event)
        # From here on the environment is at work, so what follows costs the caller nothing.
        self._hold(environment, now)
        self._limit_time(name, ticket, seconds + starting)
        ticket.tail = self._journal.begins(environment.stream, invocation, cold=ticket.cold)

    def _limit_time(self, name: str, ticket: Ticket, seconds: float) -> None:
        """Kill the environment if the invocation is not over by then."""
        if ticket.cancel_deadline is not None:
            ticket.cancel_deadline()
        ticket.cancel_deadline = self._clock.call_later(
            seconds, lambda: self._unfit(name, ticket.invocation.id, "time")
        )

    def _end(self, name: str, why: str) -> None:
        environment = self._environments.get(name)
        if environment is not None and not environment.killed:
            environment.killed = why
            self.pool.condemn(name)
            environment.process.kill()

    def _retire(self, name: str) -> None:
        """It has lived long enough."""
        self._act(self.pool.retire(name, self._clock.monotonic()))

    def _unfit(self, name: str, invocation_id: str, why: str) -> None:
        """Kill an environment for the sake of what one invocation in it did."""
        environment = self._environments.get(name)
        if environment is not None and invocation_id in self._tickets:
            environment.unfit = (invocation_id, why)
            self._end(name, why)

    def _hold(self, environment: _Environment, now: float) -> None:
        """It stops being idle: tell how much memory it kept till now."""
        if environment.answered and environment.idle_since:
            mib = environment.max_rss_kib / 1024
            self._around.held((now - environment.idle_since) * mib)
        environment.idle_since = 0.0

    # What the environments say.

    def on_frame(self, name: str, meta: dict[str, Any], body: bytes) -> None:
        """An environment said something of an invocation.

        Raises:
            wire.WireError: it is nothing that a runtime says; the channel breaks.
        """
        environment = self._environments.get(name)
        ticket = self._tickets.get(str(meta.get("id")))
        if environment is None or ticket is None:
            # Hostile or late: an environment may say anything; only its own open invocations count.
            return
        if not self.pool.runs(name, ticket.invocation.id):
            return
        match meta.get("type"):
            case "outcome":
                self._finish(name, environment, ticket, meta, body)
            case "ready" if ticket.starting:  # once, or it could put off its end for ever
                ticket.starting = False
                self._limit_time(name, ticket, self.version.configuration.timeout_seconds)
            case "begin":
                ticket.begin(meta, gather_bytes_max=self._around.response_bytes_max)
            case "chunk":
                self._take_piece(name, environment, ticket, body)

    def _finish(
        self,
        name: str,
        environment: _Environment,
        ticket: Ticket,
        meta: dict[str, Any],
        body: bytes,
    ) -> None:
        now = self._clock.monotonic()
        outcome = outcomes.answered(
            ticket.run(self.version),
            meta,
            body,
            ticket.gathered,
            bytes_max=self._around.response_bytes_max,
            now=now,
        )
        environment.answered += 1
        self._failures = 0
        if ticket.cold:
            self.pool.observe_cold_start(outcome.init_ms / 1000)
        environment.process.flush()  # what it printed comes before the line that ends it
        environment.idle_since, environment.max_rss_kib = now, outcome.max_rss_kib
        if ticket.tail is None:
            self._answer(ticket.invocation.id, outcome)
            # The caller has its answer first: it is woken by what was called soon before this.
            told = (environment.stream, ticket.invocation, outcome, None)
            self._loop.call_soon(self._journal.ends, *told)
        else:
            self._answer(ticket.invocation.id, self._told(environment, ticket, outcome))
        seconds = now - ticket.assigned - outcome.init_ms / 1000
        self._act(self.pool.finish(name, ticket.invocation.id, now, max(0.0, seconds)))

    def _take_piece(
        self, name: str, environment: _Environment, ticket: Ticket, piece: bytes
    ) -> None:
        fits = ticket.take(
            piece,
            environment.process,
            gather_bytes_max=self._around.response_bytes_max,
            stream_bytes_max=self._around.stream_bytes_max,
        )
        if not fits:
            self._unfit(name, ticket.invocation.id, "size")

    def on_output(self, name: str, line: str) -> None:
        """An environment printed a line."""
        environment = self._environments.get(name)
        request_id = environment.output_of if environment else ""
        log.info(
            "%s", line, extra={"function": str(self.version), "request": request_id, "output": True}
        )
        if environment is not None:
            ticket = self._tickets.get(request_id)
            tail = ticket.tail if ticket is not None else None
            self._journal.printed(environment.stream, request_id, line, tail)

    def on_exit(self, name: str, ended: ports.Exit) -> None:
        """An environment is gone; whatever ran in it gets an error."""
        environment = self._environments.pop(name, None)
        if environment is None:
            return
        environment.cancel_life()
        now = self._clock.monotonic()
        self._hold(environment, now)
        for invocation_id in self.pool.running(name):
            ticket = self._tickets.get(invocation_id)
            if ticket is not None:
                killed = environment.unfit[1] if environment.unfit[0] == invocation_id else ""
                outcome = outcomes.lost(
                    ticket.run(self.version),
                    ended,
                    killed=killed,
                    now=now,
                    stream_max=self._around.stream_bytes_max,
                )
                self._answer(invocation_id, self._told(environment, ticket, outcome))
        if not environment.killed and not environment.answered:
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                self._slow_down()
        self._act(self.pool.exit(name, now))

    def _told(self, environment: _Environment, ticket: Ticket, outcome: Outcome) -> Outcome:
        """Write the lines that end an invocation; the outcome, with its tail if it has one."""
        self._journal.ends(environment.stream, ticket.invocation, outcome, ticket.tail)
        return outcome if ticket.tail is None else outcome.but(log_tail=bytes(ticket.tail))

    def _answer(self, invocation_id: str, result: Outcome | DynimoError) -> None:
        ticket = self._forget(invocation_id)
        if ticket is not None:
            ticket.done(result)

    def _forget(self, invocation_id: str) -> Ticket | None:
        ticket = self._tickets.pop(invocation_id, None)
        if ticket is not None and ticket.cancel_deadline is not None:
            ticket.cancel_deadline()
        if not self._tickets:
            self._idle.set()
        return ticket

    # Time, and things going wrong.

    def _set_tick(self) -> None:
        """Wake up when the pool has something to do; an earlier wake-up will do."""
        soon = self._tick_at is not None and (
            self._tick_at <= self._clock.monotonic() + self._soonest
        )
        if soon and not self.pool.starved and not self.pool.patient:
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
        if self._root.zygote is not None and not self._stopping:
            self._act(self.pool.resume(self._clock.monotonic()))

    def _bereft(self) -> None:
        """Its zygote died, and with that all its environments."""
        self.pool.suspend()
        for name in list(self._environments):
            self.on_exit(name, ports.Exit(status=-9))

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
