"""Which fleet runs a version? Made on first use, kept while used, let go when idle or replaced.

Holds fleets and closes them; how a fleet runs an invocation is its own business. Fleets of apps are
*pinned*: they are made when the app is deployed and stay until its next deployment.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from dynimo import ports
from dynimo.functions.config import Config
from dynimo.functions.fleet import Fleet
from dynimo.model.errors import InitError
from dynimo.model.function import Version

log = logging.getLogger("dynimo.functions")

INIT_RETRY_SECONDS = 1.0
"""How long a failed import is answered from memory, so that nobody can make us try all the time."""

FAILED_MAX = 1_000
SWEEP_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class _Failed:
    """An import that failed, and until when that is believed."""

    version: Version
    error: InitError
    until: float


class Fleets:
    """Every fleet there is, by the version's ARN."""

    def __init__(
        self, make: Callable[[Version], Fleet], clock: ports.Clock, config: Config
    ) -> None:
        self._make = make
        self._clock = clock
        self._config = config
        self._held: dict[str, Fleet] = {}
        self._pinned: set[str] = set()
        self._opening: dict[str, tuple[Version, asyncio.Task[Fleet]]] = {}
        self._failed: dict[str, _Failed] = {}
        self._leaving: dict[asyncio.Task[None], Fleet] = {}
        self._room = asyncio.Semaphore(2 * (os.cpu_count() or 1))
        self._cancel_sweep: Callable[[], None] | None = None
        self._stopped = False

    def __iter__(self) -> Iterator[Fleet]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def find(self, version: Version) -> Fleet | None:
        """The fleet that runs exactly this, if there is one."""
        fleet = self._held.get(version.arn)
        return fleet if fleet is not None and same(fleet.version, version) else None

    def pinned(self, arn: str) -> Fleet | None:
        """The app's fleet under this ARN."""
        return self._held.get(arn) if arn in self._pinned else None

    async def open(self, version: Version) -> Fleet:
        """The fleet that runs this, started if need be; everybody who waits shares one start.

        Raises:
            InitError: its code cannot be imported.
        """
        arn = version.arn
        while True:
            fleet = self.find(version)
            if fleet is not None:
                return fleet
            failed = self._failed.get(arn)
            if failed is not None and same(failed.version, version):
                if self._clock.monotonic() < failed.until:
                    raise failed.error
                del self._failed[arn]
            under_way = self._opening.get(arn)
            if under_way is None:
                task = asyncio.get_running_loop().create_task(self._start(version))
                self._opening[arn] = (version, task)
                return await asyncio.shield(task)
            if same(under_way[0], version):
                return await asyncio.shield(under_way[1])
            await asyncio.wait([under_way[1]])

    def pin(self, fleet: Fleet) -> None:
        """Keep an app's fleet, which is open, until another takes its place or ``unpin``."""
        self._pinned.add(fleet.version.arn)
        self._keep(fleet)

    def unpin(self, arn: str) -> None:
        """Let an app's fleet go, once it has finished what runs."""
        self._pinned.discard(arn)
        self._drop(arn)

    def let_go(self) -> None:
        """Memory is short: end every idle environment, and the longest idle version's zygote."""
        for fleet in list(self._held.values()):
            fleet.let_go()
        idle = [
            fleet
            for arn, fleet in self._held.items()
            if arn not in self._pinned and _is_idle(fleet)
        ]
        if idle:
            self._drop(min(idle, key=lambda fleet: fleet.used_at).version.arn)

    def retire(self, version: Version) -> None:
        """Let go of a version that is replaced or gone: its fleet finishes what runs, then ends."""
        self._failed.pop(version.arn, None)
        fleet = self._held.get(version.arn)
        if fleet is not None and same(fleet.version, version):
            self._drop(version.arn)

    async def close(self, grace_seconds: float) -> None:
        """Let everything that runs finish for ``grace_seconds``, then end it all."""
        self._stopped = True
        if self._cancel_sweep is not None:
            self._cancel_sweep()
        opening = [task for _, task in self._opening.values()]
        for each in opening:
            each.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        fleets = [*self._held.values(), *self._leaving.values()]
        for leaving in list(self._leaving):
            leaving.cancel()
        await asyncio.gather(*(fleet.close(grace_seconds) for fleet in fleets))

    async def _start(self, version: Version) -> Fleet:
        arn = version.arn
        try:
            async with self._room:
                fleet = self._make(version)
                await fleet.open()
        except InitError as error:
            if len(self._failed) >= FAILED_MAX:
                self._failed.pop(next(iter(self._failed)))
            until = self._clock.monotonic() + INIT_RETRY_SECONDS
            self._failed[arn] = _Failed(version, error, until)
            raise
        finally:
            self._opening.pop(arn, None)
        self._keep(fleet)
        self._make_room()
        self._sweep_later()
        return fleet

    def _keep(self, fleet: Fleet) -> None:
        arn = fleet.version.arn
        before = self._held.pop(arn, None)
        self._held[arn] = fleet
        if before is not None:
            self._close(before)

    def _make_room(self) -> None:
        """Over the limit the longest unused goes, if nothing runs in it."""
        excess = len(self._held) - self._config.zygotes_max
        if excess <= 0:
            return
        for fleet in sorted(self._held.values(), key=lambda fleet: fleet.used_at):
            if _is_idle(fleet) and fleet.version.arn not in self._pinned:
                self._drop(fleet.version.arn)
                excess -= 1
                if not excess:
                    return

    def _sweep_later(self) -> None:
        if self._cancel_sweep is None and not self._stopped:
            seconds = min(SWEEP_SECONDS_MAX, self._config.zygote_idle_seconds)
            self._cancel_sweep = self._clock.call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._cancel_sweep = None
        oldest = self._clock.monotonic() - self._config.zygote_idle_seconds
        for arn, fleet in list(self._held.items()):
            if arn not in self._pinned and fleet.used_at <= oldest and _is_idle(fleet):
                self._drop(arn)
        if len(self._held) > len(self._pinned):
            self._sweep_later()

    def _drop(self, arn: str) -> None:
        fleet = self._held.pop(arn, None)
        if fleet is not None:
            self._close(fleet)

    def _close(self, fleet: Fleet) -> None:
        """Close it aside; it may take as long as what runs in it."""
        work: Coroutine[Any, Any, None] = fleet.close(fleet.version.configuration.timeout_seconds)
        task = asyncio.get_running_loop().create_task(work)
        self._leaving[task] = fleet
        task.add_done_callback(lambda done: self._leaving.pop(done, None))


def same(one: Version, other: Version) -> bool:
    """Whether two versions of one ARN are the same code under the same configuration."""
    return one is other or (
        one.sha256 == other.sha256
        and one.layers == other.layers
        and (one.configuration is other.configuration or one.configuration == other.configuration)
    )


def _is_idle(fleet: Fleet) -> bool:
    return not fleet.in_progress and not fleet.pool.limits.reserve and not fleet.pool.count
