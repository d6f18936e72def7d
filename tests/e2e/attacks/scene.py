"""Where attacks happen: a platform with secrets, a victim, and an attacker that has a sibling.

Also a program (``python scene.py FOLDER LEVEL``), so that the same attacks can be tried by a
platform that runs as a user without rights; it prints one JSON object: attack → how it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parents[3] / "src")]

from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, code, zygote
from tests.e2e.attacks import catalogue

LEVELS = ("full", "basic")
WITHOUT = {
    "full": frozenset[str](),
    "basic": ROOT_MEASURES,
}
SECRET = "the platform's secret"
_PREPARE = "open(os.environ['TMPDIR'] + '/secret', 'w').write(SECRET); got = os.environ['TMPDIR']"
_WHO = "got = [os.getpid(), os.getppid(), os.getuid()]"


class Scene:
    """``attacker`` is an environment of a hostile function."""

    def __init__(
        self, sandbox: ProcessSandbox, attacker: Environment, names: Mapping[str, Any]
    ) -> None:
        self.sandbox = sandbox
        self.attacker = attacker
        self.names = names

    async def attempt(self, attack: str) -> dict[str, str]:
        """``held`` or ``got``, with what was seen."""
        answer: dict[str, str] = await self.attacker.call({**self.names, "attack": attack})
        return answer


@contextlib.asynccontextmanager
async def opened(folder: Path, level: str) -> AsyncIterator[Scene]:
    """Everything in ``folder``, which must be empty."""
    data = folder / "data"
    data.mkdir(mode=0o755)
    for name in ("master.key", "journal"):
        (data / name).write_text(SECRET)
        (data / name).chmod(0o600)
    config = Config(scratch=data / "scratch", without=WITHOUT[level])
    sandbox = await sandbox_kit.opened(config)
    source = catalogue.HANDLER
    theirs, own = code(folder / "victim", source), code(folder / "attacker", source)
    secret = {"SECRET": SECRET}
    try:
        with _sockets(folder) as sockets:
            async with (
                zygote(sandbox, theirs, variables=secret) as other,
                zygote(sandbox, own) as mine,
            ):
                victim, sibling, attacker = Environment(other), Environment(mine), Environment(mine)
                for each in (victim, sibling):
                    prepared = await each.call({"attack": _PREPARE})
                who = [await one.call({"attack": _WHO}) for one in (sibling, attacker)]
                (inside, _, _), (_, parent, uid) = [json.loads(one["got"]) for one in who]
                tmp = await attacker.call({"attack": "got = os.environ['TMPDIR']"})
                names = {
                    "victim": victim.process.pid,
                    "sibling": sibling.process.pid,
                    "sibling_inside": inside,
                    "platform": os.getpid(),
                    "zygote": parent,
                    "uid": uid,
                    "data": str(data),
                    "scratch": str(config.scratch),
                    "victim_code": str(theirs),
                    "code": str(own),
                    "sibling_tmp": prepared["got"].strip("'"),
                    "tmp": tmp["got"].strip("'"),
                    **sockets,
                }
                yield Scene(sandbox, attacker, names)
                assert await sibling.call({"attack": _WHO}) == who[0], "the sibling was hurt"
    finally:
        await sandbox.close()


@contextlib.contextmanager
def _sockets(folder: Path) -> Any:
    """What the platform and the host listen on."""
    names = {
        "abstract": f"dynimo-attack-{os.getpid()}",
        "unix_socket": str(folder / "stream"),
        "datagram_socket": str(folder / "datagram"),
    }
    with (
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as stream,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram,
    ):
        abstract.bind("\0" + names["abstract"])
        abstract.listen()
        stream.bind(names["unix_socket"])
        stream.listen()
        datagram.bind(names["datagram_socket"])
        for name in ("unix_socket", "datagram_socket"):
            Path(names[name]).chmod(0o666)
        yield names


async def main(folder: Path, level: str) -> None:
    """Try everything; print how it went."""
    async with opened(folder, level) as scene:
        results = {name: await scene.attempt(text) for name, text in catalogue.ALL.items()}
        described = dict(scene.sandbox.describe())
    told = {"results": results, "described": described, "uid": os.getuid()}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
