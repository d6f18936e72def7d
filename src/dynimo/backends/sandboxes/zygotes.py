"""Zygotes seen from the platform: one that forks, and one for code that cannot be forked."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from dynimo import ports
from dynimo.backends.sandboxes import reports
from dynimo.backends.sandboxes.cgroup_slots import Slot
from dynimo.backends.sandboxes.environments import (
    EXIT_NOT_STARTED,
    SIGKILLED,
    EnvironmentProcess,
    Stillborn,
)
from dynimo.backends.sandboxes.rooms import Room, Rooms
from dynimo.backends.sandboxes.started import Started
from dynimo.model import errors
from dynimo.runtime import control

FORKS_STEP = 64
"""The kernel's own memory for this many environments more is allowed to a zygote at once."""

SILENCE_SECONDS_MAX = 5.0
"""A zygote from which an environment is long due may say nothing at all for so long."""

_log = logging.getLogger("dynimo.sandbox")


class Host(Protocol):
    """What zygotes need from the sandbox that made them."""

    def make(
        self, name: str, watcher: ports.Watcher, on_gone: Callable[[EnvironmentProcess], None]
    ) -> EnvironmentProcess:
        """An environment still to be forked, its memory limited. Raises OSError."""

    def left(self, environment: EnvironmentProcess) -> None:
        """It is gone; give its group back, clear its folder."""


class ForkingZygote:
    """``ports.Zygote`` over a process that forks on command."""

    def __init__(self, host: Host, on_death: Callable[[], None], close_seconds: float) -> None:
        self._host = host
        self._on_death = on_death
        self._close_seconds = close_seconds
        self._environments: dict[str, EnvironmentProcess] = {}
        self._process: Started | None = None
        self._rooms: Rooms | None = None
        self._room_of: dict[str, Room] = {}
        self._closing = False
        self.on_closed: Callable[[], None] = lambda: None
        self.on_growth: Callable[[int], None] = lambda _: None
        self.init_ms = 0.0
        self._reckoned = 0
        self._heard_at = 0.0
        self.init_seconds_max = 0.0

    def __repr__(self) -> str:
        return f"<ForkingZygote pid={self.pid} environments={len(self._environments)}>"

    def attach(self, process: Started, init_ms: float, rooms: Rooms | None = None) -> None:
        """The process is ready; with ``rooms``, each environment has one."""
        self._process = process
        self._rooms = rooms
        self.init_ms = init_ms

    @property
    def pid(self) -> int:
        """Pid on the host."""
        return self._process.pid if self._process is not None else 0

    def pids(self) -> set[int]:
        """Its environments as processes; their memory is their own."""
        return {child.pid for child in self._environments.values()}

    def fork(
        self,
        environment: str,
        watcher: ports.Watcher,
        variables: Mapping[str, str] = ports.NOTHING,
    ) -> ports.Process:
        """Begin one environment; its name must be new here."""
        assert environment not in self._environments
        assert "/" not in environment
        try:
            child = self._host.make(environment, watcher, self._gone)
        except OSError as error:
            return Stillborn(watcher, error)
        self._environments[environment] = child
        child.on_killed_unborn = lambda: self._await_birth(child)
        if len(self._environments) > self._reckoned:
            self._reckoned += FORKS_STEP
            self.on_growth(self._reckoned)
        message = {"op": "fork", "env": environment, "variables": dict(variables)}
        if self._rooms is not None and not self._closing:
            self._rooms.take(lambda room: self._move_in(child, message, room))
        else:
            self._fork(child, message)
        return child

    def _move_in(
        self, child: EnvironmentProcess, message: dict[str, Any], room: Room | str
    ) -> None:
        """Fork it into its room, or tell that it has none."""
        if isinstance(room, str):
            child.handed_over()
            child.note(f"No room could be made for the environment: {room}")
            asyncio.get_running_loop().call_soon(child.exited, EXIT_NOT_STARTED, 0)
            return
        self._room_of[child.name] = room
        self._fork(child, {**message, "room": room.root})

    def _fork(self, child: EnvironmentProcess, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.status is not None or self._closing:
            asyncio.get_running_loop().call_soon(child.exited, EXIT_NOT_STARTED, 0)
        else:
            process.send(message, child.theirs)
        child.handed_over()

    def on_message(self, message: dict[str, Any], files: list[int]) -> None:
        """What the process reports; one that breaks the rules is not ours any more, and killed."""
        try:
            self._heed(reports.read(message, len(files)), files)
        except control.ControlError as error:
            _log.warning("%r is killed: %s", self, error)
            if self._process is not None:
                self._process.kill()
        finally:
            reports.close(files)

    def _await_birth(self, child: EnvironmentProcess) -> None:
        """Whoever is to be killed must be born first; a zygote that forks no more is killed."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()

        def look() -> None:
            unborn = self._environments.get(child.name) is child and not child.begun
            if not unborn or self._process is None:
                return
            silent = loop.time() - max(asked_at, self._heard_at)
            if silent >= SILENCE_SECONDS_MAX:
                _log.warning("%r is killed: it forks no more", self)
                self._process.kill()
            else:
                loop.call_later(SILENCE_SECONDS_MAX - silent, look)

        loop.call_later(SILENCE_SECONDS_MAX, look)

    def _heed(self, report: reports.Report, files: list[int]) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        child = self._environments.get(report.environment)
        if child is None:
            raise control.ControlError("no such environment")
        if isinstance(report, reports.Exited):
            child.exited(report.status, report.max_rss_kib)
        elif child.begun or not reports.is_child(files[0], self.pid):
            raise control.ControlError("not an environment of its own")
        else:
            child.forked(files.pop(0))

    def on_end(self) -> None:
        """The process is gone, and with it every environment."""
        if self._rooms is not None:
            self._rooms.close()
        for child in list(self._environments.values()):
            child.kill()
            child.exited(SIGKILLED, 0)
        if self._process is not None and not self._closing:
            self.on_closed()
            self._on_death()

    async def close(self) -> None:
        """Kill everything; returns when it is gone."""
        if self._closing or self._process is None:
            return
        self._closing = True
        for child in list(self._environments.values()):
            child.kill()
        self._process.kill()
        try:
            async with asyncio.timeout(self._close_seconds):
                await self._process.gone.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.gone.wait()
        self.on_closed()

    def _gone(self, child: EnvironmentProcess) -> None:
        self._environments.pop(child.name, None)
        self._host.left(child)
        room = self._room_of.pop(child.name, None)
        if room is not None and self._rooms is not None:
            self._rooms.give_back(room)


Begin = Callable[[Started, Slot | None], Awaitable[dict[str, Any]]]


class ExecutingZygote:
    """``ports.Zygote`` without a zygote: each environment is started and imports by itself.

    For code whose import leaves threads behind, which a fork would break.
    """

    init_seconds_max = 0.0

    def __init__(self, host: Host, begin: Begin, init_ms: float, python: str) -> None:
        self._host = host
        self._python = python
        self._begin = begin
        self._processes: dict[str, Started] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.on_closed: Callable[[], None] = lambda: None
        self.init_ms = init_ms

    @property
    def pid(self) -> int:
        """There is no process to measure."""
        return 0

    def fork(
        self,
        environment: str,
        watcher: ports.Watcher,
        variables: Mapping[str, str] = ports.NOTHING,
    ) -> ports.Process:
        """Begin one environment by starting a process for it."""
        assert environment not in self._processes
        try:
            child = self._host.make(environment, watcher, self._host.left)
        except OSError as error:
            return Stillborn(watcher, error)
        log = os.dup(child.theirs[1])
        try:
            process = Started(
                log,
                lambda _message, files: reports.close(files),
                lambda: self._ended(child),
                python=self._python,
            )
        except OSError:
            asyncio.get_running_loop().call_soon(child.exited, EXIT_NOT_STARTED, 0)
            child.handed_over()
            return child
        finally:
            os.close(log)
        self._processes[environment] = process
        child.kill_process = process.kill  # which knows whom to kill, so that nothing stays
        child.forked(os.pidfd_open(process.pid))
        task = asyncio.get_running_loop().create_task(self._start(process, child, dict(variables)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return child

    async def close(self) -> None:
        """Kill everything; returns when it is gone."""
        self._closing = True
        processes = list(self._processes.values())
        for process in processes:
            process.kill()
        for process in processes:
            await process.gone.wait()
        self.on_closed()

    async def _start(
        self, process: Started, child: EnvironmentProcess, variables: dict[str, str]
    ) -> None:
        try:
            await self._begin(process, child.slot)
            message = {"op": "become", "env": child.name, "variables": variables}
            process.hand_over(message, child.theirs[:2])
        except errors.InitError:
            return  # the process is being killed; its end tells
        finally:
            child.handed_over()

    def _ended(self, child: EnvironmentProcess) -> None:
        process = self._processes.pop(child.name)
        child.exited(process.status or 0, process.max_rss_kib)
