"""What a function sees as its own: its code, /opt and /tmp, as on AWS, and nobody else's."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

KEPT = [path.parts[2] for path in (Path(sys.prefix),) if path.parts[:2] == ("/", "tmp")]
"""What a checkout that lies in the host's /tmp makes visible there, since functions need it."""

FILES = """
import os
def handler(event, context):
    what, *rest = event
    try:
        if what == "write":
            with open(rest[0], "w") as file: file.write(rest[1])
        if what == "read":
            return open(rest[0]).read()
        if what == "list":
            return sorted(os.listdir(rest[0]))
        if what == "fill":
            with open(rest[0], "wb") as file:
                for _ in range(rest[1]): file.write(bytes(2**20))
        if what == "many":
            for number in range(rest[0]): open(f"/tmp/{number}", "w").close()
        return "did"
    except OSError as error:
        return error.errno
"""


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """A sandbox with everything that root gets."""
    opened = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch"))
    yield opened
    await opened.close()


async def test_tmp_is_its_own(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A literal /tmp can be written, is empty at first, and is not its sibling's."""
    async with zygote(sandbox, code(tmp_path / "code", FILES)) as started:
        first, second = Environment(started), Environment(started)
        assert await first.call(["list", "/tmp"]) == KEPT
        assert await first.call(["write", "/tmp/a", "x"]) == "did"
        assert await first.call(["read", "/tmp/a"]) == "x"
        assert await second.call(["list", "/tmp"]) == KEPT


async def test_tmp_is_empty_for_the_next(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A room that is used again shows nothing of who had it before."""
    async with zygote(sandbox, code(tmp_path / "code", FILES)) as started:
        for _ in range(6):
            environment = Environment(started)
            assert await environment.call(["list", "/tmp"]) == KEPT
            await environment.call(["write", "/tmp/left", "x"])
            environment.process.kill()
            await environment.watcher.ended()


async def test_tmp_is_not_the_hosts(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """What it writes there is not on the host."""
    name = f"dynimo-room-{os.getpid()}"
    async with zygote(sandbox, code(tmp_path / "code", FILES)) as started:
        assert await Environment(started).call(["write", f"/tmp/{name}", "x"]) == "did"
        assert not (Path("/tmp") / name).exists()


async def test_tmp_can_be_full(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """A full /tmp says ENOSPC, by bytes and by files, and only to who filled it."""
    folder = code(tmp_path / "code", FILES)
    async with zygote(sandbox, folder, ephemeral_mib=8) as started:
        first, second, third = (Environment(started) for _ in range(3))
        assert await first.call(["fill", "/tmp/big", 7]) == "did"
        assert await first.call(["fill", "/tmp/more", 2]) == 28
        assert await second.call(["many", 10_000]) == 28
        assert await third.call(["fill", "/tmp/big", 7]) == "did"


async def test_what_the_import_left_is_there(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """As on AWS, where the same process imports and serves; each environment changes its own."""
    source = "open('/tmp/model', 'w').write('weights')\n" + FILES
    async with zygote(sandbox, code(tmp_path / "code", source)) as started:
        first, second = Environment(started), Environment(started)
        assert await first.call(["read", "/tmp/model"]) == "weights"
        assert await first.call(["write", "/tmp/model", "changed"]) == "did"
        assert await second.call(["read", "/tmp/model"]) == "weights"
        assert await second.call(["list", "/tmp"]) == sorted([*KEPT, "model"])


async def test_layers_are_at_opt(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """The merged layers are seen at /opt, read-only; without layers it is an empty folder."""
    layers = code(tmp_path / "layers" / "python", "VALUE = 1", "layered").parent
    folder = code(tmp_path / "code", FILES)
    async with (
        zygote(sandbox, folder, layers=layers, runtime="python3.11") as rich,
        zygote(sandbox, folder) as plain,
    ):
        layered = Environment(rich)
        assert await layered.call(["read", "/opt/python/layered.py"]) == "VALUE = 1"
        assert await layered.call(["write", "/opt/python/layered.py", "x"]) in (13, 30)
        assert await Environment(plain).call(["list", "/opt"]) == []


async def test_readable_folder_below_tmp(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """What a function may read keeps its path, even below the /tmp that is otherwise its own."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("shared")
    async with zygote(sandbox, code(tmp_path / "code", FILES), readable=(shared,)) as started:
        environment = Environment(started)
        assert await environment.call(["read", str(shared / "file")]) == "shared"
        assert await environment.call(["write", str(shared / "new"), "x"]) in (13, 30)


async def test_threads_after_import_have_a_tmp_too(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """An environment that is started by itself has the /tmp of its own sandbox."""
    thread = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    async with zygote(sandbox, code(tmp_path / "code", thread + FILES)) as started:
        first, second = Environment(started), Environment(started)
        assert await first.call(["write", "/tmp/a", "x"]) == "did"
        assert await second.call(["list", "/tmp"]) == KEPT
        assert await second.call(["write", "/tmp/a", "x"]) == "did"
