"""What the sandbox suites share: sandboxes, a watcher that records, code folders, invocations."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from dynimo import ports
from dynimo.backends.interpreters import Interpreters
from dynimo.backends.sandboxes.cgroup_shares import Shares
from dynimo.backends.sandboxes.cgroups import Groups
from dynimo.backends.sandboxes.config import Config, Measures
from dynimo.backends.sandboxes.process import ProcessSandbox

SECONDS_MAX = 60.0
"""Generous: a machine may be busy."""
_ids = itertools.count()

ROOT_MEASURES = frozenset(
    {
        "own user",
        "user namespace",
        "pid namespace",
        "ipc namespace",
        "uts namespace",
        "mount namespace",
        "private /tmp",
        "network namespace",
        "cgroup memory limit",
        "cgroup process limit",
        "processor shares",
    }
)


ANYBODYS_PYTHON = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
"""Of this version, and to be run by users without rights; None where there is none."""
ANYBODYS_ENVIRONMENT = {"PYTHONPATH": str(Path(msgspec.__file__).parents[1])}
"""Where it finds the packages of the platform, and nothing else."""

_PRESENT = Interpreters()
_measures: dict[frozenset[str], Measures] = {}
"""What holds on this host, by what is left out of it."""


async def opened(config: Config) -> ProcessSandbox:
    """A sandbox to be closed. What this host has and allows is tried by the first, for all."""
    known = _measures.get(config.without)
    groups = Groups.open(without=config.without)
    if known is not None and groups.describe().items() <= known.found.items():
        config.scratch.mkdir(parents=True, exist_ok=True)
        shares = Shares.open(without=config.without)
        return ProcessSandbox(config, known, groups, shares, _PRESENT)
    made = await ProcessSandbox.open(config, _PRESENT)
    _measures[config.without] = made._measures
    return made


class Recorder:
    """A ``ports.Watcher`` that keeps everything."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[tuple[dict[str, Any], bytes]] = asyncio.Queue()
        self.lines: list[str] = []
        self.line_arrived = asyncio.Event()
        self.exit: asyncio.Future[ports.Exit] = asyncio.get_running_loop().create_future()

    def on_frame(self, meta: dict[str, Any], body: bytes) -> None:
        assert not self.exit.done()
        self.frames.put_nowait((meta, body))

    def on_output(self, line: str) -> None:
        assert not self.exit.done()
        self.lines.append(line)
        self.line_arrived.set()

    def on_exit(self, exit: ports.Exit) -> None:  # noqa: A002 - the word of the trade
        self.exit.set_result(exit)

    async def ended(self) -> ports.Exit:
        async with asyncio.timeout(SECONDS_MAX):
            return await asyncio.shield(self.exit)


class Environment:
    """One fork with its recorder."""

    def __init__(self, zygote: ports.Zygote) -> None:
        self.watcher = Recorder()
        self.name = f"e{next(_ids)}"
        self.process = zygote.fork(self.name, self.watcher)

    def send(self, event: object, request_id: str = "r-1", **more: Any) -> None:
        meta = {"type": "invoke", "id": request_id, "deadline_ms": 0, "arn": "arn:x", "trace": None}
        self.process.send({**meta, **more}, json.dumps(event).encode())

    async def frame(self) -> tuple[dict[str, Any], bytes]:
        """The next frame, or a clear failure when the environment ended instead."""
        async with asyncio.timeout(SECONDS_MAX):
            get = asyncio.ensure_future(self.watcher.frames.get())
            await asyncio.wait({get, self.watcher.exit}, return_when=asyncio.FIRST_COMPLETED)
            if get.done():
                return get.result()
            get.cancel()
            raise AssertionError(f"ended: {self.watcher.exit.result()} {self.watcher.lines}")

    async def call(self, event: object = None, **more: Any) -> Any:
        """Invoke once; what the handler returned, or its error."""
        self.send(event, **more)
        meta, body = await self.frame()
        return json.loads(body) if "value" in meta else meta.get("error", meta.get("reply"))


def code(folder: Path, source: str, name: str = "app") -> Path:
    """A code folder with one module."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


@contextlib.asynccontextmanager
async def zygote(
    sandbox: ports.Sandbox, folder: Path, handler: str = "app.handler", **more: Any
) -> AsyncIterator[ports.Zygote]:
    """A started zygote of ``folder``, closed afterwards."""
    deaths: list[int] = []
    fields = {"function": "f", "version": "1", "memory_mib": 128, **more}
    spec = ports.SandboxSpec(code=folder, handler=handler, **fields)
    started = await sandbox.start(spec, lambda: deaths.append(1))
    try:
        yield started
    finally:
        await started.close()
