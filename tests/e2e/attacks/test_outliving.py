"""A function that wants to stay: nothing that it started is left when its environment is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote
from tests.e2e.attacks.scene import WITHOUT

pytestmark = pytest.mark.e2e
ROUNDS_MAX, ROUND_SECONDS = 200, 0.05

STAYING = """
import ctypes, os, signal, time
libc = ctypes.CDLL(None)

def stay(name):
    libc.prctl(15, name.encode(), 0, 0, 0)
    libc.prctl(1, 0, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    os.closerange(0, 1024)
    while True: time.sleep(600)

def daemon(name):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: stay(name)
        os._exit(0)

def group(name):
    if os.fork() == 0:
        os.setpgid(0, 0)
        stay(name)

def stopped(name):
    pid = os.fork()
    if pid == 0: stay(name)
    os.kill(pid, signal.SIGSTOP)

def program(name):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.execv("/bin/sh", [name, "-c", "trap '' TERM HUP INT; while :; do sleep 600; done"])

def runaway(name):
    # Always a new process, so that whoever lists them is late.
    if os.fork() == 0:
        libc.prctl(15, name.encode(), 0, 0, 0)
        os.setsid()
        while True:
            if os.fork(): os._exit(0)
            time.sleep(0.0005)

def handler(event, context):
    way, name, end = event
    globals()[way](name)
    time.sleep(0.1)
    if end == "exits": os._exit(0)
    if end == "crashes": ctypes.string_at(0)
    return "started"
"""


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """What root gets, and what a user without rights has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    config = Config(scratch=tmp_path / "scratch", without=WITHOUT[request.param])
    opened = await sandbox_kit.opened(config)
    yield opened
    await opened.close()


@pytest.mark.parametrize("end", ["is killed", "exits", "crashes"])
@pytest.mark.parametrize("way", ["daemon", "group", "stopped", "program", "runaway"])
async def test_nothing_stays(sandbox: ProcessSandbox, tmp_path: Path, way: str, end: str) -> None:
    """Whether it is killed, exits or crashes, its daemons are gone; its sibling is not."""
    name = f"s{os.getpid()}{way[:4]}"
    async with zygote(sandbox, code(tmp_path / "code", STAYING)) as started:
        staying, sibling = Environment(started), Environment(started)
        staying.send([way, name, end])
        if end == "is killed":
            await staying.frame()
            staying.process.kill()
        await staying.watcher.ended()
        assert await becomes(lambda: not alive(name))
        sibling.send(["group", name, ""])
        await sibling.frame()
        assert await becomes(lambda: alive(name)), "the test cannot see what stays"
    assert await becomes(lambda: not alive(name))


async def becomes(true: Callable[[], object]) -> bool:
    """Whether this is so before long: what goes on in other processes sends no event."""
    for _ in range(ROUNDS_MAX):
        if true():
            return True
        await asyncio.sleep(ROUND_SECONDS)
    return False


def alive(name: str) -> list[str]:
    """Processes of this name, those that are only unburied left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        named = f"({name})" in stat or words[0] == name.encode()
        if named and stat.rpartition(")")[2].split()[0] != "Z":
            found.append(folder.name)
    return found
