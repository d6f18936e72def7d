"""One version at work without a server: the real sandbox and invoker, and nothing in front of them.

For whoever tries a function at hand. What is kept of it (lines, usage) is what the caller keeps.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from dynimo import ports
from dynimo.backends.clocks import SystemClock
from dynimo.backends.sandboxes.config import Config as SandboxConfig
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.backends.sandboxes.states import States
from dynimo.functions.invoker import Invoker
from dynimo.functions.specs import Deployment
from dynimo.model.caller import Caller
from dynimo.model.function import Route, Version
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import Place
from dynimo.settings import Settings
from dynimo.telemetry import Metrics

LOOPBACK = "127.0.0.1"
"""Where whoever tries a function asks from."""


class _NoMeter:
    """ports.Meter for what nobody is charged for."""

    def record(self, usage: ports.Usage) -> None:
        """Count nothing."""

    def held(self, arn: str, version: str, *, mib_seconds: float) -> None:
        """Count nothing."""


class Single:
    """Invokes one version; made by ``opened``."""

    def __init__(self, version: Version, invoker: Invoker, sandbox: ProcessSandbox) -> None:
        self.version = version
        self._invoker = invoker
        self._sandbox = sandbox

    async def invoke(self, event: bytes, caller: Caller | None = None) -> Outcome:
        """Run it once, to its end; an app's function sees ``caller`` as one who signed.

        Raises:
            DynimoError: the platform refuses, as ``Invoker.invoke``.
        """
        return await self._invoker.invoke(
            Invocation(
                id=str(uuid.uuid4()),
                function=self.version.function,
                place=self.version.place,
                event=event,
                arrived_ns=time.monotonic_ns(),
                caller=caller,
                address=LOOPBACK,
            )
        )

    async def close(self) -> None:
        """End its environments and its zygote."""
        await self._invoker.close(0)
        await self._sandbox.close()


@asynccontextmanager
async def opened(
    version: Version,
    *,
    settings: Settings,
    scratch: Path,
    logs: ports.Logs,
    own: Mapping[str, str],
    readable: tuple[Path, ...] = (),
    state: str = "",
) -> AsyncIterator[Single]:
    """A sandbox for one version, until the block ends.

    ``own`` are variables and ``readable`` paths of this deployment; ``scratch`` is a folder that
    other users of this machine can pass through. With ``state`` (``read``, ``write``) there is one,
    empty, beside it.

    Raises:
        OSError: ``scratch`` cannot be used.
    """
    sandbox = await ProcessSandbox.open(
        SandboxConfig(
            scratch=scratch,
            without=frozenset(settings.sandbox.without),
            uid_first=settings.sandbox.uid_first,
            processes_max=settings.sandbox.processes_max,
        )
    )

    given = Deployment(own=own, readable=readable)
    if state:
        states = States(scratch.with_name("state"), sandbox.state_users)
        kept = ports.State(folder=states.of("run"), writable=state == "write")
        given = replace(given, state=kept)

    def resolve(place: Place, name: str, qualifier: str) -> Route:
        return Route(arn=place.function(name, qualifier), choices=((version, 1.0),))

    invoker = Invoker(
        sandbox=sandbox,
        clock=SystemClock(),
        config=settings.functions,
        metrics=Metrics(),
        resolve=resolve,
        logs=logs,
        meter=_NoMeter(),
        deployment=lambda _: given,
    )
    single = Single(version, invoker, sandbox)
    try:
        yield single
    finally:
        await single.close()
