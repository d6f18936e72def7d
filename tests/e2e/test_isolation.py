"""Attacks from inside a handler: each must be refused, at every level of isolation.

``full`` is what root gets, ``basic`` what a normal user has (here: with root's measures turned
off, and once more as a really different user, in a program of its own).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dynimo.backends.sandboxes import cgroup_own
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.runtime.isolation import landlock
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, code, zygote

pytestmark = pytest.mark.e2e
HERE = Path(__file__).resolve()
PROJECT = HERE.parents[2]

ATTACKER = """
    import ctypes, glob, json, os, signal, socket, subprocess, sys
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def checked(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def read(path):
        with open(path, "rb") as file:
            return file.read(20).hex()

    def write(path):
        with open(path, "ab") as file:
            file.write(b"x")
        return path

    def processes():
        found = []
        for pid in range(1, 200):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    found.append([pid, file.read()])
            except OSError:
                pass
        return found

    def core():
        import resource
        return resource.getrlimit(resource.RLIMIT_CORE)

    def abstract(name):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\\0" + name)

    calls = {
        "read": read, "write": write, "list": os.listdir, "mkdir": os.mkdir, "core": core,
        "signal": lambda pid: os.kill(pid, 0),
        "terminate": lambda pid: os.kill(pid, signal.SIGTERM),
        "ptrace": lambda pid: checked(libc.ptrace(16, pid, 0, 0)),
        "mount": lambda target: checked(libc.mount(b"x", target.encode(), b"tmpfs", 0, b"")),
        "unshare": lambda flags: checked(libc.unshare(flags)),
        "chroot": os.chroot, "setuid": os.setuid, "symlink": os.symlink, "chmod": os.chmod,
        "socket": lambda family: socket.socket(family, socket.SOCK_RAW).close(),
        "syscall": lambda number: checked(libc.syscall(number, 0, 0, 0, 0, 0)),
        "mknod": lambda path: os.mknod(path, 0o60600, os.makedev(8, 0)),
        "processes": processes, "abstract": abstract,
        "run": lambda *argv: subprocess.run(argv, capture_output=True).returncode,
        "ids": lambda: [os.getuid(), os.geteuid(), os.getgroups()],
        "status": lambda: open("/proc/self/status").read(),
        "scratch": lambda: os.environ["TMPDIR"],
        "environ": lambda: dict(os.environ),
        "write_own": lambda: write(os.environ["TMPDIR"] + "/own"),
        "glob": glob.glob,
    }

    def handler(event, context):
        try:
            return {"did": calls[event[0]](*event[1:])}
        except BaseException as error:
            return {"refused": type(error).__name__, "errno": getattr(error, "errno", None)}
"""


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """A process sandbox with everything, or with only what a normal user has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    without = ROOT_MEASURES if request.param == "basic" else frozenset()
    opened = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch", without=without))
    yield opened
    await opened.close()


@pytest.fixture
async def attacker(sandbox: ProcessSandbox, tmp_path: Path) -> AsyncIterator[Environment]:
    """An environment that tries what it is told."""
    async with zygote(sandbox, code(tmp_path / "code", ATTACKER)) as started:
        yield Environment(started)


async def refused(attacker: Environment, *attack: object) -> bool:
    """Whether the attack failed."""
    return "refused" in await attacker.call(attack)


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", "/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg", "/proc/kcore", "/root/.bashrc",
     "/proc/1/environ", "/var/log/dpkg.log", "/boot/config", "/sys/kernel/notes"],
)  # fmt: skip
async def test_files_of_the_host_cannot_be_read(attacker: Environment, path: str) -> None:
    """What the host keeps is not there, or not allowed."""
    assert await refused(attacker, "read", path)


@pytest.mark.parametrize("folder", ["/", "/root", "/home", "/var/log", "/dev/shm", "/sys"])
async def test_folders_of_the_host_show_nothing(attacker: Environment, folder: str) -> None:
    """Listing is refused, or shows a root that the platform made."""
    answer = await attacker.call(["list", folder])
    assert "refused" in answer or not set(answer["did"]) & {"boot", "home", "sys", "work", "opt"}


async def test_platforms_data_cannot_be_read(attacker: Environment, tmp_path: Path) -> None:
    """A file beside the code, which the platform owns, is out of reach."""
    (tmp_path / "secret").write_text("x")
    assert await refused(attacker, "read", str(tmp_path / "secret"))
    assert await refused(attacker, "list", str(tmp_path))


async def test_another_versions_code_cannot_be_read(attacker: Environment, tmp_path: Path) -> None:
    """Other versions' folders are out of reach."""
    other = code(tmp_path / "other", "secret = 1")
    assert await refused(attacker, "read", str(other / "app.py"))


async def test_another_versions_scratch_cannot_be_read(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """What one version writes, another cannot find, whether by its own path or the host's."""
    folder = code(tmp_path / "code", ATTACKER)
    async with zygote(sandbox, folder) as one, zygote(sandbox, folder) as two:
        first, second = Environment(one), Environment(two)
        inside = (await first.call(["write_own"]))["did"]
        assert await refused(second, "read", inside)
        for outside in (tmp_path / "scratch").rglob("own"):
            assert await refused(second, "read", str(outside))


async def test_a_siblings_scratch_cannot_be_touched(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Environments of one version cannot write into, or read, each other's scratch."""
    async with zygote(sandbox, code(tmp_path / "code", ATTACKER)) as started:
        first, second = Environment(started), Environment(started)
        theirs = (await first.call(["write_own"]))["did"]
        assert await refused(second, "read", theirs)
        if sandbox.describe()["private /tmp"] != "on":
            assert await refused(second, "write", theirs)


async def test_own_scratch_can_be_written(attacker: Environment) -> None:
    """The one place that is its own."""
    assert "did" in await attacker.call(["write_own"])


@pytest.mark.parametrize("path", ["/opt/x", "/etc/x", "/usr/x", "/var/tmp/x", "/dev/shm/x", "/x"])
async def test_nothing_else_can_be_written(attacker: Environment, path: str) -> None:
    """No file can be made outside the scratch folder."""
    assert await refused(attacker, "write", path)
    assert await refused(attacker, "mkdir", path)


async def test_code_and_interpreter_cannot_be_changed(
    attacker: Environment, tmp_path: Path
) -> None:
    """Code, standard library and the platform's own package are read-only."""
    for path in ("/var/task/app.py", str(tmp_path / "code/app.py"), os.__file__, str(HERE)):
        assert await refused(attacker, "write", path)


async def test_the_platform_cannot_be_signalled_or_traced(attacker: Environment) -> None:
    """No signal, no ptrace, no look into its memory or descriptors."""
    platform = os.getpid()
    for attack in ("signal", "terminate", "ptrace"):
        assert await refused(attacker, attack, platform)
    for name in ("environ", "mem", "maps", "cmdline"):
        assert await refused(attacker, "read", f"/proc/{platform}/{name}")


async def test_its_zygote_cannot_be_killed(attacker: Environment, sandbox: ProcessSandbox) -> None:
    """The parent is beyond signals too (Landlock's scope, Linux 6.12)."""
    if not _landlock_scopes_signals():
        pytest.skip("this kernel's Landlock knows no signals")
    assert await refused(attacker, "terminate", 1)


def _landlock_scopes_signals() -> bool:
    return landlock.abi() >= 6


async def test_siblings_cannot_be_traced(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Environments of one version cannot debug each other."""
    async with zygote(sandbox, code(tmp_path / "code", ATTACKER)) as started:
        first, second = Environment(started), Environment(started)
        await first.call(["ids"])
        assert await refused(second, "ptrace", first.process.pid)


@pytest.mark.parametrize("attack", [
    ["mount", "/tmp"], ["unshare", 0x10000000], ["unshare", 0x00020000], ["unshare", 0x40000000],
    ["chroot", "/"], ["mknod", "/tmp/disk"], ["socket", 17], ["socket", 38], ["socket", 40],
])  # fmt: skip
async def test_kernel_doors_are_shut(attacker: Environment, attack: list[object]) -> None:
    """Mounts, namespaces, chroot, devices and odd socket families are refused."""
    assert await refused(attacker, *attack)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
@pytest.mark.parametrize("number", [101, 155, 161, 165, 246, 250, 298, 310, 321, 323, 425, 435])
async def test_dangerous_calls_are_refused(attacker: Environment, number: int) -> None:
    """The deny-list answers EPERM (clone3: ENOSYS) before the kernel looks at arguments."""
    answer = await attacker.call(["syscall", number])
    assert (38 if number == 435 else 1) == answer.get("errno")


async def test_root_cannot_be_had(attacker: Environment) -> None:
    """No way back to user 0, neither by call nor by a set-uid program."""
    answer = await attacker.call(["ids"])
    uid = answer["did"][0]
    if uid != 0:
        assert await refused(attacker, "setuid", 0)
    status = (await attacker.call(["status"])).get("did", "")
    for line in status.splitlines():
        if line.startswith(("CapEff", "CapPrm", "CapInh", "CapAmb")):
            assert int(line.split()[1], 16) == 0
        if line.startswith("NoNewPrivs"):
            assert line.split()[1] == "1"


async def test_own_user_when_root(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """As root, versions are different users, in no group of the host."""
    if sandbox.describe()["own user"] != "on":
        assert sandbox.describe()["own user"]
        return
    folder = code(tmp_path / "code", ATTACKER)
    async with zygote(sandbox, folder) as one, zygote(sandbox, folder) as two:
        first = (await Environment(one).call(["ids"]))["did"]
        second = (await Environment(two).call(["ids"]))["did"]
    assert (first[0] >= 60_000, first[0] != second[0], first[2]) == (True, True, [])


async def test_other_processes_cannot_be_seen(attacker: Environment) -> None:
    """/proc shows no command line of anybody else's process."""
    seen = (await attacker.call(["processes"]))["did"]
    assert [each for each in seen if "zygote.main" not in each[1]] == []


async def test_no_core_dumps(attacker: Environment) -> None:
    """A crash leaves no copy of memory: one byte holds none, and pipes to nobody (core(5))."""
    assert (await attacker.call(["core"]))["did"] == [1, 1]


async def test_nothing_leaks_through_the_environment(
    sandbox: ProcessSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform's variables are nowhere in the sandbox, not even in its first process."""
    monkeypatch.setenv("PLATFORM_SECRET", "hunter2")
    async with zygote(sandbox, code(tmp_path / "code", ATTACKER)) as started:
        variables = (await Environment(started).call(["environ"]))["did"]
        first = first_environment(started.pid)
    assert "hunter2" not in str(variables)
    assert b"hunter2" not in first


async def test_abstract_sockets_of_the_host_are_shut(attacker: Environment) -> None:
    """A service on an abstract UNIX socket cannot be reached (Landlock's scope, Linux 6.12)."""
    if not _landlock_scopes_signals():
        pytest.skip("this kernel's Landlock knows no scopes")
    name = f"dynimo-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        assert await refused(attacker, "abstract", name)


async def test_every_measure_is_told(sandbox: ProcessSandbox) -> None:
    """``describe`` names each measure and says on, or why not."""
    told = sandbox.describe()
    assert {"landlock", "seccomp", "own user", "memory watchdog"} <= told.keys()
    assert all(told.values())


def mounts() -> str:
    """What this process has mounted."""
    return Path("/proc/self/mounts").read_text()


def first_environment(pid: int) -> bytes:
    """The variables that ``pid`` was started with, as far as one may look."""
    return Path(f"/proc/{pid}/environ").read_bytes() if os.geteuid() == 0 else b""


async def test_host_mounts_are_untouched(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """What a zygote mounts stays in its own namespace."""
    before = mounts()
    async with zygote(sandbox, code(tmp_path / "code", ATTACKER)) as started:
        await Environment(started).call(["ids"])
        assert before == mounts()


PLATFORM = """
import asyncio, sys
sys.path[:0] = [{src!r}, {project!r}]
from pathlib import Path
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, code, zygote

SOURCE = '''
import os, time
def handler(event, context):
    if event == "daemon":
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, b"x")
                time.sleep(600)
            os._exit(0)
        os.read(read, 1)
    if event == "busy":
        print("busy", flush=True)
        while True: pass
    return [os.getuid(), event]
'''

async def main():
    folder = Path(sys.argv[1])
    without = ROOT_MEASURES if sys.argv[2] == "basic" else frozenset()
    sandbox = await ProcessSandbox.open(Config(scratch=folder / "scratch", without=without))
    async with zygote(sandbox, code(folder / "code", SOURCE)) as started:
        idle, daemon, busy = Environment(started), Environment(started), Environment(started)
        answer = await idle.call("idle")
        await daemon.call("daemon")
        busy.send("busy")
        await busy.watcher.line_arrived.wait()
        print(answer[0], sandbox.describe()["landlock"], flush=True)
        if sys.argv[3] == "stay":
            await asyncio.sleep(600)
    await sandbox.close()
    print("closed", flush=True)

asyncio.run(main())
"""


def platform_program() -> str:
    """A small platform that starts environments and then waits to be killed."""
    return PLATFORM.format(src=str(PROJECT / "src"), project=str(PROJECT))


def descendants(pid: int) -> set[int]:
    """Every process below ``pid`` now."""
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        below: set[int] = set()
        for parent in fresh:
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    below |= set(map(int, children.read_text().split()))
        fresh = below - found
        found |= below
    return found


@pytest.mark.parametrize("level", ["full", "basic"])
async def test_nothing_outlives_a_killed_platform(tmp_path: Path, level: str) -> None:
    """After kill -9 of the platform no zygote, environment or daemon of a handler is left."""
    if level == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    platform = await asyncio.create_subprocess_exec(
        sys.executable, "-c", platform_program(), str(tmp_path), level, "stay",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        assert platform.stdout is not None
        await platform.stdout.readline()
        below = descendants(platform.pid)
        handles = [os.pidfd_open(pid) for pid in below]
        platform.send_signal(signal.SIGKILL)
        await platform.wait()
        for handle in handles:
            await _ended(handle)
    assert len(below) >= 5


async def _ended(handle: int) -> None:
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(handle, gone.set)
    await gone.wait()
    loop.remove_reader(handle)
    os.close(handle)


def test_as_a_normal_user() -> None:
    """Without root the same works, with what a normal user has."""
    python = sandbox_kit.ANYBODYS_PYTHON
    if os.geteuid() != 0 or python is None:
        pytest.skip("needs root to become somebody else, and a Python that anybody may run")
    folder = Path("/tmp") / f"dynimo-test-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        done = subprocess.run(
            [python, "-c", platform_program(), str(folder), "full", "leave"],
            user=65534, group=65534, extra_groups=[], capture_output=True, timeout=40,
            cwd="/", env=sandbox_kit.ANYBODYS_ENVIRONMENT, text=True,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert (done.stdout, done.stderr) == ("65534 on\nclosed\n", "")


def test_probe_speaks_json() -> None:
    """The probe is a program whose whole output is one JSON object."""
    source = (
        f"import sys; sys.path.insert(0, {str(PROJECT / 'src')!r});"
        "from dynimo.runtime.isolation import probe; probe.main(60000, [])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source], capture_output=True, timeout=30, check=True
    )
    assert "seccomp" in json.loads(done.stdout)


async def test_the_platform_keeps_its_part(tmp_path: Path) -> None:
    """It has a share of its own while it is open, and is where it was afterwards."""
    before = _processor_group()
    sandbox = await ProcessSandbox.open(Config(scratch=tmp_path / "scratch"))
    try:
        if sandbox.describe()["processor shares"] != "on":
            pytest.skip(f"processor shares: {sandbox.describe()['processor shares']}")
        assert _processor_group().endswith(f"/{cgroup_own.PREFIX}{os.getpid()}")
    finally:
        await sandbox.close()
    assert _processor_group() == before


def _processor_group() -> str:
    lines = (each.split(":", 2) for each in Path("/proc/self/cgroup").read_text().splitlines())
    return next((group for _, names, group in lines if "cpu" in names.split(",")), "")


async def test_each_version_weighs_the_same(tmp_path: Path) -> None:
    """However many environments it has: they are all in its one group, and the platform in none."""
    sandbox = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch"))
    if sandbox.describe()["processor shares"] != "on":
        pytest.skip(f"processor shares: {sandbox.describe()['processor shares']}")
    try:
        folder = code(tmp_path / "code", "def handler(event, context): return event")
        async with zygote(sandbox, folder) as one, zygote(sandbox, folder) as other:
            places = []
            for each in (one, other):
                environments = [Environment(each), Environment(each)]
                for environment in environments:
                    await environment.call([])
                places.append({_cpu_group(each.process.pid) for each in environments})
    finally:
        await sandbox.close()

    assert all(len(groups) == 1 for groups in places)
    assert places[0] != places[1]
    assert _cpu_group(os.getpid()) not in places[0] | places[1]


def _cpu_group(pid: int) -> str:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    (found,) = [line.split(":", 2)[2] for line in lines if "cpu" in line.split(":")[1].split(",")]
    return found
