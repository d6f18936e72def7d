"""``ports.Sandbox`` without a sandbox: the handler runs in this process, on this event loop.

For unit tests and ``dynimo.testing``. It gives no isolation whatever, and says so: a handler that
blocks, exits or eats memory does that to the caller, and its prints go wherever the caller's go.
What does hold: each environment imports the code anew, so module state is its own.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dynimo import ports
from dynimo.model import errors
from dynimo.runtime import handler, outcome
from dynimo.sdk.settings import STATE_VARIABLE

KILLED = -9


class InlineSandbox:
    """Zygotes that are nothing but a folder to import from."""

    def describe(self) -> Mapping[str, str]:
        """Nothing is on."""
        return {"isolation": "none: handlers run inside this process"}

    async def start(self, spec: ports.SandboxSpec, on_death: Callable[[], None]) -> ports.Zygote:  # noqa: ARG002 - it never dies by itself
        """Import the code once, to find out whether that works.

        Raises:
            errors.InitError: it does not.
        """
        began = time.monotonic()
        if spec.state is not None:
            variables = {**spec.variables, STATE_VARIABLE: str(spec.state.folder)}
            spec = replace(spec, variables=variables)
        try:
            _imported(spec)
        except handler.InitFailure as failure:
            raise errors.InitError(str(failure), failure.error) from failure
        return InlineZygote(spec, (time.monotonic() - began) * 1000)


class InlineZygote:
    """Makes environments in this process."""

    init_seconds_max = 0.0

    def __init__(self, spec: ports.SandboxSpec, init_ms: float) -> None:
        self._spec = spec
        self._environments: set[InlineProcess] = set()
        self.init_ms = init_ms

    @property
    def pid(self) -> int:
        """The caller's own."""
        return os.getpid()

    def fork(
        self,
        environment: str,  # noqa: ARG002 - needs no name
        watcher: ports.Watcher,
        variables: Mapping[str, str] = ports.NOTHING,  # noqa: ARG002 - one process has one environ
    ) -> ports.Process:
        """Import the code anew."""
        process = InlineProcess(self._spec, watcher)
        self._environments.add(process)
        return process

    async def close(self) -> None:
        """End every environment."""
        for process in self._environments:
            process.kill()
        await asyncio.gather(*(process.gone.wait() for process in self._environments))


class InlineProcess:
    """An environment that is a module and a few tasks."""

    def __init__(self, spec: ports.SandboxSpec, watcher: ports.Watcher) -> None:
        self._spec = spec
        self._watcher = watcher
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._contexts = outcome.ContextFactory(spec.variables)
        self._turns = asyncio.Semaphore(spec.concurrency)
        self._handler = _imported(spec)
        self._ended = False
        self.gone = asyncio.Event()

    @property
    def pid(self) -> int:
        """The caller's own."""
        return os.getpid()

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Run one invocation soon."""
        if not self._ended:
            # Through JSON, so that what passes here would pass the real wire too.
            task = self._loop.create_task(self._invoke(json.loads(json.dumps(meta)), body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def pause(self) -> None:
        """Nothing is streamed here."""

    def resume(self) -> None:
        """Nothing is streamed here."""

    def flush(self) -> None:
        """What handlers print goes where the caller's does."""

    def kill(self) -> None:
        """Cancel what runs (a handler that blocks cannot be stopped) and end."""
        self._end(KILLED)

    async def _invoke(self, meta: dict[str, Any], body: bytes) -> None:
        async with self._turns:
            request_id = str(meta["id"])
            try:
                event = outcome.event(body)
            except ValueError as error:
                self._answer(outcome.unreadable(request_id, error))
                return
            os.environ.update(self._spec.variables)
            context = self._contexts.make(meta)
            started_ns = time.monotonic_ns()
            try:
                value = self._handler(event, context)
                if handler.is_async(self._handler):
                    value = await value
            except SystemExit as error:
                self._end(handler.exit_status(error))
            except Exception as error:  # noqa: BLE001 - the answer to the caller, whatever it is
                task = str(self._spec.code)
                if error.__traceback__ is not None:  # the first frame is this one
                    error.__traceback__ = error.__traceback__.tb_next
                self._answer(outcome.failed(request_id, started_ns, error, task=task))
            else:
                self._answer(outcome.succeeded(request_id, started_ns, value))

    def _answer(self, frame: outcome.Frame) -> None:
        if not self._ended:
            self._watcher.on_frame(*frame)

    def _end(self, status: int) -> None:
        if self._ended:
            return
        self._ended = True
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._loop.call_soon(self._tell, status)

    def _tell(self, status: int) -> None:
        self._watcher.on_exit(ports.Exit(status=status))
        self.gone.set()


def _imported(spec: ports.SandboxSpec) -> handler.Handler:
    """Import from the spec's folder, leaving sys.path and sys.modules as they were.

    Raises:
        handler.InitFailure: see ``runtime.handler.load``.
    """
    folder = str(spec.code)
    os.environ.update(spec.variables)
    before = dict(sys.modules)
    for name in [name for name in sys.modules if _is_of(sys.modules[name], folder)]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        return handler.load(spec.handler, task=folder, concurrency=spec.concurrency)
    finally:
        sys.path.remove(folder)
        for name in [name for name in sys.modules if _is_of(sys.modules[name], folder)]:
            del sys.modules[name]
        for name, module in before.items():
            sys.modules.setdefault(name, module)


def _is_of(module: Any, folder: str) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(folder + os.sep)
