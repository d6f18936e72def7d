"""``ports.Sandbox`` on processes of this host: a zygote a version, a fork an environment.

Composes the neighbours: ``plans`` (what is visible), ``started`` (the process), ``zygotes``,
``cgroups`` and ``watchdog`` (memory). Use ``ProcessSandbox.open``; it finds out what holds here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynimo import ports
from dynimo.backends import interpreters
from dynimo.backends.interpreters import Interpreters
from dynimo.backends.sandboxes import cgroups, launching, plans, reports, states
from dynimo.backends.sandboxes import config as settings
from dynimo.backends.sandboxes.cgroup_shares import MEASURE, Share, Shares
from dynimo.backends.sandboxes.cgroup_slots import Slot
from dynimo.backends.sandboxes.cgroups import Groups
from dynimo.backends.sandboxes.config import Config, Measures
from dynimo.backends.sandboxes.environments import EnvironmentProcess
from dynimo.backends.sandboxes.launching import Launch
from dynimo.backends.sandboxes.lines import Lines
from dynimo.backends.sandboxes.rooms import Rooms
from dynimo.backends.sandboxes.started import Started
from dynimo.backends.sandboxes.watchdog import Watchdog
from dynimo.backends.sandboxes.zygotes import ExecutingZygote, ForkingZygote
from dynimo.model import errors
from dynimo.runtime import handler, tracebacks
from dynimo.runtime.executed import command as commands
from dynimo.runtime.isolation import plan as planning
from dynimo.sdk.settings import STATE_VARIABLE

PROBE_SECONDS_MAX = 20
_PROBE = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from dynimo.runtime.isolation import probe; probe.main(int(sys.argv[2]), sys.argv[3:])"
)
LAYERS_ROOT = "/opt"
"""Where a function's layers seem to be."""

_MIB = 1024 * 1024
_log = logging.getLogger("dynimo.sandbox")


class ProcessSandbox:
    """Starts zygotes under the measures that ``open`` found to hold."""

    def __init__(
        self,
        config: Config,
        measures: Measures,
        groups: Groups,
        shares: Shares,
        present: Interpreters,
    ) -> None:
        self._config = config
        self.present = present
        self._measures = measures
        self._groups = groups
        self._shares = shares
        self._watchdog = Watchdog()
        self._folder = config.scratch / str(os.getpid())
        self._zygotes: dict[_Place, ForkingZygote | ExecutingZygote] = {}
        self._count = 0

    @classmethod
    async def open(cls, config: Config, present: Interpreters | None = None) -> ProcessSandbox:
        """Try each measure, clear what a dead platform left, and be ready to start zygotes.

        ``present`` knows what runs functions here; it is asked when the first of them needs it.

        Raises:
            OSError: ``config.scratch`` cannot be used.
        """
        return await asyncio.to_thread(cls._open, config, present or Interpreters())

    @classmethod
    def _open(cls, config: Config, present: Interpreters) -> ProcessSandbox:
        config.scratch.mkdir(parents=True, exist_ok=True)
        _clear_stale(config.scratch)
        groups = Groups.open(without=config.without)
        shares = Shares.open(without=config.without)
        probed = {**_probe(config, groups), MEASURE: shares.found}
        measures = settings.settle(probed, config.without, root=os.geteuid() == 0)
        return cls(config, measures, groups, shares, present)

    def describe(self) -> Mapping[str, str]:
        """Each measure, in a fixed order: ``on``, or why not."""
        return dict(self._measures.found)

    @property
    def state_users(self) -> range | None:
        """The users that own apps' states; None if all is done as the server's own."""
        return self._config.state_uids if "own user" in self._measures else None

    async def start(self, spec: ports.SandboxSpec, on_death: Callable[[], None]) -> ports.Zygote:
        """Start a zygote of ``spec``.

        Raises:
            errors.InitError: see ``ports.Sandbox``.
        """
        if spec.runtime not in ("", interpreters.OWN):
            await self.present.probe()
        place = self._place(spec)
        zygote = ForkingZygote(place, on_death, self._config.close_seconds)
        if place.launch.command is not None:
            zygote.init_seconds_max = place.launch.command.init_seconds
        began = time.monotonic()
        try:
            process, ready = await self._launch(place, zygote)
        except BaseException:
            self._leave(place)
            raise
        init_ms = (time.monotonic() - began) * 1000
        if reports.threads(ready) == 1:
            with_rooms = "private /tmp" in self._measures
            zygote.attach(process, init_ms, Rooms(process.keeper()) if with_rooms else None)
            self._zygotes[place] = zygote
            return zygote
        _log.warning(
            "%s %s: its import left processes or threads behind (%s more), which a fork would "
            "break; every environment is started afresh, which is slower",
            spec.function,
            spec.version,
            reports.threads(ready) - 1,
        )
        process.kill()
        await process.gone.wait()
        executing = ExecutingZygote(
            place,
            lambda process, slot: process.begin(
                place.start(alone=True),
                place.joins(slot),
                seconds=spec.init_timeout_seconds,
            ),
            init_ms,
            place.launch.python,
        )
        executing.on_closed = lambda: self._leave(place)
        self._zygotes[place] = executing
        return executing

    async def close(self) -> None:
        """Kill every zygote and environment, and remove groups and folders."""
        for zygote in list(self._zygotes.values()):
            await zygote.close()
        self._watchdog.close()
        await asyncio.to_thread(self._groups.close)
        await asyncio.to_thread(self._shares.close)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _launch(self, place: _Place, zygote: ForkingZygote) -> tuple[Started, dict[str, Any]]:
        spec = place.spec
        extra_mib = self._config.zygote_memory_mib
        slot = self._take_slot(spec.memory_mib + extra_mib)
        ours, theirs = os.pipe()
        name = f"{spec.function} {spec.version}"
        lines = Lines(ours, lambda line: _log.info("%s: %s", name, line))

        def ended() -> None:
            self._watchdog.forget(process)
            zygote.on_end()
            lines.finish()
            if slot is not None:
                self._groups.give_back(slot)

        try:
            process = Started(theirs, zygote.on_message, ended, python=place.launch.python)
        except OSError as error:
            lines.finish()
            if slot is not None:
                self._groups.give_back(slot)
            text = f"Unable to start the runtime: {error}"
            raise errors.InitError(text, handler.failure("Runtime.SandboxError", text)) from error
        finally:
            os.close(theirs)
        zygote.on_closed = lambda: self._leave(place)
        if slot is not None:
            # The function's code may run in there whenever it likes, so there is always a limit.
            each = _fork_bytes(spec.memory_mib)
            zygote.on_growth = lambda count: slot.raise_memory_limit(count * each)
        if "memory watchdog" in self._measures:
            limit = (spec.memory_mib + extra_mib) * _MIB
            self._watchdog.watch(process, limit, apart=zygote.pids)
        try:
            ready = await process.begin(
                place.start(alone=False),
                place.joins(slot),
                seconds=spec.init_timeout_seconds,
            )
        except BaseException:
            process.kill()
            await asyncio.shield(process.gone.wait())
            raise
        return process, ready

    def _place(self, spec: ports.SandboxSpec) -> _Place:
        uid = self._config.uid_first + self._count % self._config.uid_count
        if spec.state is not None:
            uid = self._owner(spec.state)
            inside = plans.state_inside(spec.state, self._measures)
            spec = replace(spec, variables={**spec.variables, STATE_VARIABLE: inside})
        launch = self._launch_of(spec)
        self._count += 1
        folder = self._folder / str(self._count)
        scratch, root = folder / "scratch", folder / "root"
        visible = replace(spec, readable=(*spec.readable, *map(Path, launch.readable)))
        plan = plans.make(
            visible,
            self._measures,
            scratch=scratch,
            root=root,
            uid=uid,
            executes=launch.command is not None,
        )
        for path in (scratch, root):
            path.mkdir(parents=True, mode=0o700)
        return _Place(self, spec, folder, plan, launch, self._shares.make())

    def _owner(self, state: ports.State) -> int:
        """The user that owns a state. Raises InitError."""
        try:
            return states.owner(state.folder, self.state_users)
        except OSError as error:
            text = f"The app's state cannot be used: {error}"
            raise errors.InitError(text, handler.failure("Runtime.SandboxError", text)) from error

    def _launch_of(self, spec: ports.SandboxSpec) -> Launch:
        task, layers = tracebacks.TASK_ROOT, LAYERS_ROOT
        if "mount namespace" not in self._measures:
            task, layers = str(spec.code.resolve()), str(spec.layers or LAYERS_ROOT)
        return launching.launch(spec, self.present, task=task, layers=layers)

    def _leave(self, place: _Place) -> None:
        self._zygotes.pop(place, None)
        if place.share is not None:
            self._shares.give_back(place.share)
            place.share = None
        shutil.rmtree(place.folder, ignore_errors=True)

    def _take_slot(self, memory_mib: int) -> Slot | None:
        return self._groups.take(
            memory_bytes=memory_mib * _MIB, processes=self._config.processes_max
        )

    def make(
        self,
        spec: ports.SandboxSpec,
        name: str,
        watcher: ports.Watcher,
        on_gone: Callable[[EnvironmentProcess], None],
    ) -> EnvironmentProcess:
        """An environment with its memory limit: the kernel's if it can, else the watchdog's.

        Raises:
            OSError: the host is out of descriptors or groups.
        """
        slot = self._take_slot(spec.memory_mib)
        try:
            environment = EnvironmentProcess(name, watcher, slot, on_gone)
        except OSError:
            if slot is not None:
                self._groups.give_back(slot)
            raise
        if "memory watchdog" in self._measures:
            self._watchdog.watch(environment, spec.memory_mib * _MIB)
        return environment

    def left(self, environment: EnvironmentProcess, folder: Path) -> None:
        """Give back its group and clear its folder, off the loop when there is something in it."""
        self._watchdog.forget(environment)
        if environment.slot is not None:
            self._groups.give_back(environment.slot)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            loop = asyncio.get_running_loop()
            loop.run_in_executor(None, lambda: shutil.rmtree(folder, ignore_errors=True))


class _Place:
    """Where one zygote lives: its folders, its plan, and its share of the sandbox."""

    def __init__(
        self,
        sandbox: ProcessSandbox,
        spec: ports.SandboxSpec,
        folder: Path,
        plan: planning.Plan,
        launch: Launch,
        share: Share | None,
    ) -> None:
        self._sandbox = sandbox
        self.share = share
        self.spec = spec
        self.folder = folder
        self._plan = plan
        self.launch = launch

    def joins(self, slot: Slot | None) -> list[int]:
        """What a process of it writes to before anything else, to be in its groups."""
        share = [self.share.join] if self.share is not None else []
        return [*(slot.join if slot is not None else ()), *share]

    def start(self, *, alone: bool) -> dict[str, Any]:
        """The ``start`` command for a zygote, or for an environment that imports by itself."""
        plan = self._plan
        if alone and plan.root:  # then its sandbox's /tmp is its own
            plan = replace(plan, rooms="", alone=True)
        task, *library = plans.python_path(self.spec, self._plan.task)
        if self.launch.library is not None:
            library = list(self.launch.library)
        command = self.launch.command
        added = self.spec.variables.get("PYTHONPATH", "").split(":") if self.spec.runtime else ()
        return {
            "handler": self.spec.handler,
            "path": [task, *self.launch.layered, *filter(None, added), *library],
            "command": commands.to_json(command) if command is not None else None,
            "variables": dict(self.spec.variables),
            "concurrency": self.spec.concurrency,
            "alone": alone,
            "plan": planning.to_json(plan),
        }

    def make(
        self, name: str, watcher: ports.Watcher, on_gone: Callable[[EnvironmentProcess], None]
    ) -> EnvironmentProcess:
        return self._sandbox.make(self.spec, name, watcher, on_gone)

    def left(self, environment: EnvironmentProcess) -> None:
        self._sandbox.left(environment, self.folder / "scratch" / environment.name)


def _fork_bytes(memory_mib: int) -> int:
    """What the kernel may keep for one environment: its stacks, its tables of pages (1 in 512)."""
    return 2 * _MIB + memory_mib * _MIB // 256


def _probe(config: Config, groups: Groups) -> dict[str, str]:
    """What this host allows, tried in a program of its own."""
    slot = groups.take(memory_bytes=64 * _MIB, processes=config.processes_max)
    join = slot.join if slot is not None else []
    package = str(plans.PLATFORM_PACKAGE.parent)
    command = [sys.executable, "-I", "-S", "-B", "-c", _PROBE, package, str(config.uid_first)]
    answer = subprocess.run(
        [*command, *map(str, join)],
        env={"LANG": "C.UTF-8"},
        pass_fds=join,
        capture_output=True,
        timeout=PROBE_SECONDS_MAX,
        check=False,
    )
    try:
        found: dict[str, str] = json.loads(answer.stdout)
    except ValueError:
        reason = f"the probe failed: {answer.stderr.decode(errors='replace')[-200:].strip()}"
        found = {}.fromkeys(settings.MEASURES, reason)
    if slot is not None:
        groups.give_back(slot)
        joining = found.pop("cgroup join", "not tried")
        if joining != settings.ON:
            groups.withdraw(f"an environment cannot join: {joining}")
    found["scrubbed environment"] = settings.ON
    found.update(groups.describe())
    watched = f"not needed: {cgroups.MEMORY_MEASURE}"
    found["memory watchdog"] = watched if groups.limits_memory else settings.ON
    return found


def _clear_stale(scratch: Path) -> None:
    """Remove the folders of platforms that are no more."""
    for left in scratch.iterdir():
        if left.name.isdigit() and not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
