"""A hostile import: it owns its zygote from then on, and the platform must not believe it.

What the zygote does afterwards is done by whatever the import left there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports
from dynimo.backends.sandboxes import zygotes
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.model import errors
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import SECONDS_MAX, Environment, code
from tests.e2e.attacks.scene import WITHOUT
from tests.e2e.serving import family

pytestmark = pytest.mark.e2e
LEAKED_MAX = 8
ZYGOTE_MEMORY_MIB = 32

PROLOGUE = """
import gc, os, signal, socket, sys, time
from dynimo.runtime import control, forking
say = control.send
channel = next(each for each in gc.get_objects() if isinstance(each, socket.socket))
def handler(event, context):
    return [os.getpid(), os.getppid()]
"""

INSTEAD_OF_FORKED = {
    "a handle on the platform": "say(to, message, [to.getsockopt(1, 77)])",  # SO_PEERPIDFD
    "a handle on itself": "say(to, message, [os.pidfd_open(os.getpid())])",
    "a file": "say(to, message, [0])",
    "no handle": "say(to, message, [])",
    "eight files": "say(to, message, [0] * 8)",
    "twice": "say(to, message, files); say(to, message, files)",
    "a status that is none": (
        "say(to, {'op': 'exited', 'env': message['env'], 'status': 'x', 'max_rss_kib': 0}, [0] * 8)"
    ),
    "another's end": "say(to, {'op': 'exited', 'env': 'z', 'status': 0, 'max_rss_kib': 0})",
    "nested beyond reading": "socket.send_fds(to, [b'[' * 90000], [0] * 8)",
    "no JSON": "socket.send_fds(to, [b'x'], [0] * 8)",
    "without end": "\n        while True: say(to, {'op': 'x', 'pad': 'x' * 80000}, [0] * 8)",
}

HANGING = {
    "before it forks": "os.register_at_fork(before=lambda: time.sleep(600))",
    "instead of forking": "os.fork = lambda: time.sleep(600)",
    "after it forked": "os.register_at_fork(after_in_parent=lambda: time.sleep(600))",
}

SAID_EARLY = {
    "ready without a count": "say(channel, {'op': 'ready'}); time.sleep(60)",
    "ready with a text": "say(channel, {'op': 'ready', 'threads': 'x'}); time.sleep(60)",
    "failed without a reason": "say(channel, {'op': 'failed'}); time.sleep(60)",
    "failed with a text": "say(channel, {'op': 'failed', 'error': 'x'}); time.sleep(60)",
    "something else": "say(channel, {'op': {}}); time.sleep(60)",
}


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """What root gets, and what a user without rights has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    config = Config(
        scratch=tmp_path / "scratch",
        without=WITHOUT[request.param],
        zygote_memory_mib=ZYGOTE_MEMORY_MIB,
    )
    opened = await sandbox_kit.opened(config)
    yield opened
    await opened.close()


class Started:
    """A zygote of hostile code, and whether it died."""

    def __init__(self, sandbox: ProcessSandbox, folder: Path, source: str) -> None:
        self.died = asyncio.Event()
        self._sandbox = sandbox
        self._spec = ports.SandboxSpec(
            function="f", version="1", code=code(folder, source), handler="app.handler",
            memory_mib=64,
        )  # fmt: skip

    async def start(self) -> ports.Zygote:
        return await self._sandbox.start(self._spec, self.died.set)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that sends no event."""
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110 - processes of others send no event
            await asyncio.sleep(0.01)


def descriptors() -> int:
    """How many this process, the platform here, has open."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("lie", INSTEAD_OF_FORKED)
async def test_a_lying_zygote_is_killed(sandbox: ProcessSandbox, tmp_path: Path, lie: str) -> None:
    """The platform kills it, and neither itself nor anything else, and keeps none of its files."""
    source = f"""{PROLOGUE}
def lie(to, message, files=()):
    if message.get('op') == 'forked':
        {INSTEAD_OF_FORKED[lie]}
    else:
        say(to, message, files)
control.send = forking.control.send = lie
"""
    before = descriptors()
    hostile = Started(sandbox, tmp_path / "code", source)
    environment = Environment(await hostile.start())
    environment.process.kill()
    async with asyncio.timeout(SECONDS_MAX):
        await hostile.died.wait()
    assert (await environment.watcher.ended()).status == -9
    assert descriptors() - before < LEAKED_MAX


@pytest.mark.parametrize("way", HANGING)
async def test_a_zygote_that_hangs_is_killed(
    sandbox: ProcessSandbox, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its environments can be ended although they were never born."""
    monkeypatch.setattr(zygotes, "SILENCE_SECONDS_MAX", 0.3)
    hostile = Started(sandbox, tmp_path / "code", f"{PROLOGUE}\n{HANGING[way]}")
    environment = Environment(await hostile.start())
    environment.process.kill()
    assert (await environment.watcher.ended()).status == -9


@pytest.mark.parametrize("said", SAID_EARLY)
async def test_an_import_that_speaks_for_its_zygote(
    sandbox: ProcessSandbox, tmp_path: Path, said: str
) -> None:
    """What is no word of the protocol ends the start, with an error in AWS's shape."""
    hostile = Started(sandbox, tmp_path / "code", f"{PROLOGUE}\n{SAID_EARLY[said]}")
    before = descriptors()
    with pytest.raises(errors.InitError) as error:
        await hostile.start()
    assert {"errorMessage", "errorType"} <= error.value.error.keys()
    assert descriptors() - before < LEAKED_MAX


@pytest.mark.parametrize("when", ["while it imports", "afterwards"])
async def test_a_zygotes_memory_is_bounded(
    sandbox: ProcessSandbox, tmp_path: Path, when: str
) -> None:
    """It cannot take what the function may not, neither at once nor by a timer that it left."""
    eat = "kept = bytearray(b'x') * (1 << 30)"
    timer = f"""
def eat(number, frame):
    global kept
    {eat}
signal.signal(signal.SIGALRM, eat)
signal.setitimer(signal.ITIMER_REAL, 0.3)
"""
    afterwards = when == "afterwards"
    hostile = Started(sandbox, tmp_path / "code", PROLOGUE + (timer if afterwards else eat))
    if afterwards:
        await hostile.start()
        async with asyncio.timeout(SECONDS_MAX):
            await hostile.died.wait()
    else:
        with pytest.raises(errors.InitError, match=r"killed|MemoryError"):
            await hostile.start()


def at_work_in(folder: Path) -> list[str]:
    """Processes of the host whose folder this is, as far as the host can see."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (each / "cwd").readlink() == folder:
                found.append(each.name)
    return found


async def test_a_process_left_by_the_import_is_the_environments(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """As on AWS each environment has its own, and it ends with it; none is shared."""
    source = f"""{PROLOGUE}
child = os.fork()
if not child:
    while True: time.sleep(600)
def handler(event, context):
    return [child, os.waitpid(child, os.WNOHANG)[0], os.getpid()]
"""
    zygote = await Started(sandbox, tmp_path / "code", source).start()
    await until(lambda: not at_work_in(tmp_path / "code"))  # what the first import left went too
    first, second = Environment(zygote), Environment(zygote)
    one, two = await first.call(), await second.call()
    assert (one[0] > 0, one[1], two[1]) == (True, 0, 0)
    below = {each for one in (first, second) for each in family(one.process.pid)}
    assert len(below) >= 4
    for each in (first, second):
        each.process.kill()
        await each.watcher.ended()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
