"""A function that takes all it can get: its own limits hold, and its neighbour does not notice."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dynimo import ports
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote
from tests.e2e.attacks.scene import WITHOUT

pytestmark = pytest.mark.e2e
PROCESSES_MAX = 64
FLOOD_MIB_MAX = 64

GREEDY = """
import ctypes, os, resource, signal, struct, sys, threading, time
kept = []

def bomb(most):
    count = 0
    for _ in range(most):
        try:
            pid = os.fork()
        except OSError:
            break
        if pid == 0:
            while True: signal.pause()
        count += 1
    return count

def threads(most):
    count = 0
    try:
        for _ in range(most):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    return count

def children(count, mib):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    for _ in range(count):
        if os.fork() == 0:
            kept.append(bytearray(os.urandom(1) * (mib << 20)))
            os.write(writing, os.getpid().to_bytes(4, "big"))
            while True: signal.pause()
    full, gone = set(), set()
    while len(full | gone) < count:
        pid, _ = os.waitpid(-1, os.WNOHANG) if len(gone) < count else (0, 0)
        try:
            full |= {pid for pid, in struct.iter_unpack("!I", os.read(reading, 4096))}
        except BlockingIOError:
            if not pid: time.sleep(0.01)
        if pid: gone.add(pid)
    return count - len(gone)

def files(most):
    for _ in range(most):
        try:
            kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            return [len(kept), error.errno]

def fill(path, mib):
    with open(path, "wb") as file:
        for _ in range(mib): file.write(b"x" * 2**20)

def memory_file(mib):
    number = os.memfd_create("hog")
    for _ in range(mib): os.write(number, b"x" * 2**20)

def mapped(mib):
    import mmap
    kept.append(mmap.mmap(-1, mib << 20))
    for at in range(0, mib << 20, 4096): kept[-1][at] = 1

def flood(end):
    while True: sys.stdout.write("z" * 65536 + end)

def hang():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True: ctypes.CDLL(None).sleep(600)

def limits():
    names = ("NOFILE", "CORE", "MEMLOCK", "STACK")
    return [resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in names]

def handler(event, context):
    return globals()[event[0]](*event[1:]) if event else "fine"
"""


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """What root gets, and what a user without rights has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    config = Config(
        scratch=tmp_path / "scratch",
        without=WITHOUT[request.param],
        processes_max=PROCESSES_MAX,
    )
    opened = await sandbox_kit.opened(config)
    yield opened
    await opened.close()


only_full = pytest.mark.parametrize("sandbox", ["full"], indirect=True)


async def ended(greedy: Environment, attack: list[object]) -> ports.Exit:
    """How an environment ends that is asked to take too much."""
    greedy.send(attack)
    return await greedy.watcher.ended()


@only_full
@pytest.mark.parametrize("attack", ["bomb", "threads"])
async def test_processes_are_bounded(sandbox: ProcessSandbox, tmp_path: Path, attack: str) -> None:
    """A bomb of forks or threads goes off inside its own bounds; its neighbour can still start."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        greedy = Environment(started)
        assert await greedy.call([attack, 5000]) < PROCESSES_MAX
        assert await Environment(started).call([]) == "fine"
        assert await Environment(started).call(["bomb", 10]) == 10


@pytest.mark.parametrize("attack", [["children", 10, 60]], ids=["children"])
async def test_memory_of_children_counts(
    sandbox: ProcessSandbox, tmp_path: Path, attack: list[object]
) -> None:
    """Ten children of 60 MiB do not fit a function of 128 MiB, whoever of them has to go."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        greedy, neighbour = Environment(started), Environment(started)
        greedy.send(attack)
        answer = asyncio.ensure_future(greedy.frame())
        await asyncio.wait({answer, greedy.watcher.exit}, return_when=asyncio.FIRST_COMPLETED)
        if greedy.watcher.exit.done():
            answer.cancel()
            assert greedy.watcher.exit.result().out_of_memory
        else:
            assert int(answer.result()[1]) <= 2
        assert await neighbour.call([]) == "fine"


@only_full
@pytest.mark.parametrize(
    "attack", [["fill", "/tmp/x", 400], ["memory_file", 400], ["mapped", 400]],
    ids=["tmp", "memfd", "shared"],
)  # fmt: skip
async def test_memory_by_other_names_counts(
    sandbox: ProcessSandbox, tmp_path: Path, attack: list[object]
) -> None:
    """/tmp, memory files and shared mappings are memory too."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        greedy, neighbour = Environment(started), Environment(started)
        assert (await ended(greedy, attack)).out_of_memory
        assert await neighbour.call([]) == "fine"


async def test_files_are_bounded(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """The 1024th descriptor is the last, as on AWS; others still open theirs."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        greedy, neighbour = Environment(started), Environment(started)
        count, error = await greedy.call(["files", 5000])
        assert (count <= 1024, error) == (True, 24)
        assert (await neighbour.call(["files", 100])) is None


async def test_limits_are_awss(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """NOFILE, MEMLOCK and STACK as on AWS; CORE is one byte instead of 10 GiB."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        expected = [1024, 1, 65536, 8 * 2**20]
        assert await Environment(started).call(["limits"]) == expected


@pytest.mark.parametrize("end", ["\\n", ""], ids=["lines", "one line"])
async def test_flood_of_output(sandbox: ProcessSandbox, tmp_path: Path, end: str) -> None:
    """Output without end costs the platform no memory, and its neighbour nothing."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        loud, neighbour = Environment(started), Environment(started)
        await neighbour.call([])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        loud.watcher.lines = Forgetful()
        loud.send(["flood", end])
        for _ in range(200):
            assert await neighbour.call([]) == "fine"
        loud.process.kill()
        assert (await loud.watcher.ended()).status == -9
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown < FLOOD_MIB_MAX


class Forgetful(list[str]):
    """A log that keeps nothing, so that only what the platform itself holds is seen."""

    def append(self, _line: str) -> None:
        """Forget it."""


async def test_native_hang_is_ended(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Code that blocks in C with every signal blocked is killed all the same."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        hung = Environment(started)
        await hung.call([])
        hung.send(["hang"])
        hung.process.kill()
        assert (await hung.watcher.ended()).status == -9


async def test_threads_left_behind_hurt_nobody(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A handler that leaves threads running still answers, and ends when it is told."""
    async with zygote(sandbox, code(tmp_path / "code", GREEDY)) as started:
        environment = Environment(started)
        assert await environment.call(["threads", 20]) == 20
        assert await environment.call([]) == "fine"
        environment.process.kill()
        assert (await environment.watcher.ended()).status == -9
