"""A version's zygote, kept alive: started, and started anew whenever it dies.

What its death means for those that run and wait is for whoever owns it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dynimo import ports
from dynimo.model.errors import InitError

log = logging.getLogger("dynimo.functions")

BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0
"""Between tries to start something that dies."""


class Root:
    """``zygote`` is None until ``open`` and while it is dead. ``restarts`` counts new ones."""

    def __init__(
        self,
        sandbox: ports.Sandbox,
        spec: ports.SandboxSpec,
        *,
        name: str,
        on_death: Callable[[], None],
        on_life: Callable[[], None],
    ) -> None:
        """``on_death`` and ``on_life`` are called when it dies unasked, and when another lives."""
        self.zygote: ports.Zygote | None = None
        self.restarts = 0
        self._sandbox, self._spec, self._name = sandbox, spec, name
        self._on_death, self._on_life = on_death, on_life
        self._restart: asyncio.Task[None] | None = None
        self._stopping = False

    async def open(self) -> None:
        """Start it.

        Raises:
            InitError: the code could not be imported.
        """
        self.zygote = await self._sandbox.start(self._spec, self._died)

    def stop(self) -> None:
        """Start no other one."""
        self._stopping = True
        if self._restart is not None:
            self._restart.cancel()

    async def close(self) -> None:
        """End it, and every environment that it forked."""
        self.stop()
        if self.zygote is not None:
            await self.zygote.close()

    async def settled(self) -> None:
        """Wait until another one lives, if one is being started."""
        if self._restart is not None:
            await self._restart

    def _died(self) -> None:
        if self._stopping:
            return
        log.error("%s: its zygote died; starting another", self._name)
        self.zygote = None
        self._on_death()
        self._restart = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        seconds = BACKOFF_SECONDS_MIN
        while not self._stopping:
            try:
                self.zygote = await self._sandbox.start(self._spec, self._died)
            except InitError as error:
                log.error("%s: %s; next try in %.1f s", self._name, error, seconds)
                await asyncio.sleep(seconds)
                seconds = min(BACKOFF_SECONDS_MAX, seconds * 2)
            else:
                self.restarts += 1
                self._on_life()
                return
