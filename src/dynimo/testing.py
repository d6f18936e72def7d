"""The public test kit: time that a test owns, and a sandbox that follows a script.

Fakes only at the seams of ``ports``. With these the real pool, fleet and invoker run through an
hour of traffic in milliseconds, the same way every time.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dynimo import ports
from dynimo.functions.fleet import Surroundings
from dynimo.functions.journal import Journal
from dynimo.model.function import Configuration, Version
from dynimo.sdk.context import Caller, Context


class VirtualClock:
    """Time that passes only when a test says so (ports.Clock)."""

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()

    def now(self) -> float:
        """Seconds since the epoch; the same number as ``monotonic``."""
        return self._now

    def monotonic(self) -> float:
        """Seconds, moved by ``run`` only."""
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when virtual time gets there."""
        number = next(self._order)
        heapq.heappush(self._due, (self._now + seconds, number, callback))
        return lambda: self._cancelled.add(number)

    def run(self, until: float) -> None:
        """Let time pass until ``until``, calling whatever falls due, in order."""
        while self._due and self._due[0][0] <= until:
            when, number, callback = heapq.heappop(self._due)
            self._now = max(self._now, when)
            if number in self._cancelled:
                self._cancelled.discard(number)
            else:
                callback()
        self._now = max(self._now, until)


class ScriptedSandbox:
    """A sandbox whose environments only pretend (ports.Sandbox).

    ``service_seconds`` yields how long each invocation takes; ``None`` means that the environment
    crashes instead. Starting one takes ``cold_start_seconds``.
    """

    def __init__(
        self,
        clock: VirtualClock,
        service_seconds: Iterator[float | None],
        *,
        cold_start_seconds: float = 0.005,
    ) -> None:
        self.clock = clock
        self.service_seconds = service_seconds
        self.cold_start_seconds = cold_start_seconds
        self.zygotes: list[ScriptedZygote] = []

    async def start(self, spec: ports.SandboxSpec, on_death: Callable[[], None]) -> ports.Zygote:
        """Give a zygote at once."""
        zygote = ScriptedZygote(self, spec, on_death)
        self.zygotes.append(zygote)
        return zygote

    def describe(self) -> Mapping[str, str]:
        """No measure at all."""
        return {"isolation": "none: scripted"}


class ScriptedZygote:
    """What ``ScriptedSandbox`` starts (ports.Zygote). ``alive`` and ``peak`` count environments."""

    init_ms = 1.0
    init_seconds_max = 0.0
    pid = 0

    def __init__(
        self, sandbox: ScriptedSandbox, spec: ports.SandboxSpec, on_death: Callable[[], None]
    ) -> None:
        self.sandbox = sandbox
        self.spec = spec
        self.on_death = on_death
        self.alive: dict[str, ScriptedProcess] = {}
        self.peak = 0
        self.started = 0

    def fork(
        self,
        environment: str,
        watcher: ports.Watcher,
        variables: Mapping[str, str] = ports.NOTHING,  # noqa: ARG002 - it runs no code
    ) -> ports.Process:
        """Begin one environment."""
        process = ScriptedProcess(self, environment, watcher)
        self.alive[environment] = process
        self.started += 1
        self.peak = max(self.peak, len(self.alive))
        return process

    def die(self) -> None:
        """Be killed from outside, with everything forked from here."""
        self.on_death()
        for process in list(self.alive.values()):
            process.end(-9)

    async def close(self) -> None:
        """End every environment."""
        for process in list(self.alive.values()):
            process.end(-9)


class ScriptedProcess:
    """One pretended environment (ports.Process)."""

    def __init__(self, zygote: ScriptedZygote, name: str, watcher: ports.Watcher) -> None:
        self._zygote = zygote
        self._name = name
        self._watcher = watcher
        self._clock = zygote.sandbox.clock
        self._ready_at = self._clock.monotonic() + zygote.sandbox.cold_start_seconds

    @property
    def pid(self) -> int:
        """There is no process."""
        return 0

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:  # noqa: ARG002 - the port's shape
        """Answer after the scripted time, or crash."""
        seconds = next(self._zygote.sandbox.service_seconds)
        started = max(self._ready_at, self._clock.monotonic())
        delay = started - self._clock.monotonic()
        if seconds is None:
            self._clock.call_later(delay, lambda: self.end(1))
            return
        outcome = {
            "type": "outcome",
            "id": meta["id"],
            "started_ns": int(started * 1e9),
            "ended_ns": int((started + seconds) * 1e9),
            "max_rss_kib": 1024,
            "value": True,
        }

        def answer() -> None:
            if self._zygote.alive.get(self._name) is self:
                self._watcher.on_frame(outcome, b"null")

        self._clock.call_later(delay + seconds, answer)

    def kill(self) -> None:
        """End; the watcher hears of it a moment later, as with a real one."""
        self._clock.call_later(0, lambda: self.end(-9))

    def pause(self) -> None:
        """It says one thing only; there is nothing to hold back."""

    def resume(self) -> None:
        """See ``pause``."""

    def flush(self) -> None:
        """It prints nothing."""

    def end(self, status: int) -> None:
        """Be gone, once."""
        if self._zygote.alive.pop(self._name, None) is not None:
            self._watcher.on_exit(ports.Exit(status=status))


def context(caller: Caller | None = None, **facts: Any) -> Context:
    """The second argument of a handler that a test calls by itself; ``facts`` are its members."""
    given: dict[str, Any] = {
        "aws_request_id": "00000000-0000-0000-0000-000000000000",
        "function_name": "demo-work",
        "function_version": "1",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:000000000000:function:demo-work",
        "memory_limit_in_mb": "128",
        "log_group_name": "/aws/lambda/demo-work",
        "log_stream_name": "test",
        "deadline_ms": int(time.time() * 1000) + 3_000,
    }
    return Context(**(given | facts), caller=caller)


def version(name: str = "demo-work", **declared: Any) -> Version:
    """A version for tests; keywords go to its ``Configuration``."""
    return Version(
        function=name,
        number=1,
        sha256="0" * 64,
        code=Path("code"),
        configuration=Configuration(handler="work.handler", **declared),
    )


class KeptLogs:
    """ports.Logs that keeps every line in a list."""

    def __init__(self) -> None:
        self.lines: list[ports.Line] = []

    def write(self, *lines: ports.Line) -> None:
        """Keep them."""
        self.lines += lines


class KeptMeter:
    """ports.Meter that keeps every record in a list, and adds up what was held."""

    def __init__(self) -> None:
        self.usages: list[ports.Usage] = []
        self.mib_seconds = 0.0

    def record(self, usage: ports.Usage) -> None:
        """Keep it."""
        self.usages.append(usage)

    def held(self, arn: str, version: str, *, mib_seconds: float) -> None:  # noqa: ARG002 - the port's shape
        """Add it."""
        self.mib_seconds += mib_seconds


def surroundings(
    given: Version, sandbox: ports.Sandbox, clock: ports.Clock, logs: ports.Logs | None = None
) -> Surroundings:
    """What a fleet of this version needs besides itself."""
    return Surroundings(
        sandbox=sandbox,
        clock=clock,
        journal=Journal(given, logs or KeptLogs(), clock),
        response_bytes_max=6 * 1024 * 1024,
        stream_bytes_max=200 * 1024 * 1024,
    )
