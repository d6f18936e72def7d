"""One synchronous invocation, from accept to outcome, by a function's name.

Knows which fleet serves which function, counts what happened, and writes the REPORT line. How an
environment is found is the pool's business; how one is forked is the sandbox's.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from dynimo import ports
from dynimo.functions.config import Config
from dynimo.functions.fleet import Fleet
from dynimo.functions.pool import Limits
from dynimo.functions.variables import variables
from dynimo.model.errors import DynimoError, FunctionNotFound, PayloadTooLarge
from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome
from dynimo.telemetry import Metrics

log = logging.getLogger("dynimo.functions")


class Invoker:
    """Invokes functions by name. ``deploy`` what it should know, ``close`` it at the end."""

    def __init__(
        self, *, sandbox: ports.Sandbox, clock: ports.Clock, config: Config, metrics: Metrics
    ) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._config = config
        self._metrics = metrics
        self._fleets: dict[str, Fleet] = {}

    async def deploy(
        self, version: Version, *, own: Mapping[str, str], readable: Iterable[Path] = ()
    ) -> None:
        """Serve this version from now on; the one before it finishes what it runs, then ends.

        ``own`` are variables of this deployment, ``readable`` further paths the sandbox may read.

        Raises:
            InitError: its code could not be imported; the version before stays.
        """
        declared = version.configuration
        spec = ports.SandboxSpec(
            function=version.function,
            version=version.label,
            code=version.code,
            handler=declared.handler,
            memory_mib=declared.memory_mib,
            concurrency=declared.concurrency,
            packages=declared.packages,
            readable=tuple(readable),
            variables=variables(version, own),
            init_timeout_seconds=self._config.init_timeout_seconds,
        )
        limits = Limits(
            environments=declared.limit or os.cpu_count() or 1,
            concurrency=declared.concurrency,
            reserve=declared.reserve,
            idle_seconds=declared.idle_seconds,
            queue=self._config.queue_max,
            queue_seconds=self._config.queue_seconds,
        )
        fleet = Fleet(version, spec, limits, sandbox=self._sandbox, clock=self._clock)
        await fleet.open()
        before = self._fleets.get(version.function)
        self._fleets[version.function] = fleet
        if before is not None:
            await before.close(declared.timeout_seconds)

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run it to its end. A function's own failure is an Outcome, not an exception.

        Raises:
            FunctionNotFound: no such function is deployed.
            PayloadTooLarge: the event is over ``request_bytes_max``.
            Throttled: the queue is full, or an environment did not come free in time.
            Stopping: the platform is going down.
        """
        fleet = self._fleets.get(invocation.function)
        if fleet is None:
            raise FunctionNotFound(invocation.function)
        if len(invocation.event) > self._config.request_bytes_max:
            raise PayloadTooLarge(
                f"{len(invocation.event)} bytes; request_bytes_max is"
                f" {self._config.request_bytes_max}."
            )
        future: asyncio.Future[Outcome | DynimoError] = asyncio.get_running_loop().create_future()

        def done(result: Outcome | DynimoError) -> None:
            if not future.done():
                future.set_result(result)

        try:
            fleet.run(invocation, done)
            result = await future
        except asyncio.CancelledError:
            fleet.withdraw(invocation.id)
            raise
        if isinstance(result, DynimoError):
            self._metrics.refused(type(result).__name__)
            raise result
        self._metrics.finished(result)
        if self._config.report_lines:
            log.info(
                "%s",
                result.report(fleet.version.configuration.memory_mib),
                extra={"function": str(fleet.version), "request": result.id},
            )
        return result

    @property
    def fleets(self) -> Mapping[str, Fleet]:
        """Function name → its fleet, for statistics."""
        return self._fleets

    async def close(self, grace_seconds: float) -> None:
        """Let everything that runs finish for ``grace_seconds``, then end it all."""
        async with asyncio.TaskGroup() as group:
            for fleet in self._fleets.values():
                group.create_task(fleet.close(grace_seconds))
