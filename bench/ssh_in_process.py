"""The CA's rounds in process, as a program: nothing else is in its memory or in its time.

``python -m bench.ssh_in_process FOLDER ROUNDS`` prints one JSON object: certificates a second, the
best round of each.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvloop

from bench import ssh_kit

AT_ONCE, MANY_AT_ONCE = 16, 64
CERTIFICATES, SSH_KEYGEN = 640, 20


async def main(folder: Path, rounds: int) -> dict[str, object]:
    """All rounds, in turns."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    desk = ssh_kit.Desk(state)
    await desk.found()
    gc.freeze()  # as the zygote does before it forks
    issued, many, whole = _Rates(AT_ONCE), _Rates(MANY_AT_ONCE), _Rates(AT_ONCE)
    keygen: list[float] = []
    for _ in range(rounds):
        await issued.measure([desk.issued] * CERTIFICATES)
        await many.measure([desk.issued] * CERTIFICATES)
        await whole.measure(desk.requests(CERTIFICATES // 4))
        keygen.append(_ssh_keygen(folder))
    desk.close()
    return {
        "issued": issued.best(), "many": many.best(), "whole": whole.best(),
        "ssh-keygen": max(keygen), "signatures_us": ssh_kit.signatures_us(),
    }  # fmt: skip


class _Rates:
    """Certificates a second of several rounds."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._clock: list[float] = []
        self._processor: list[float] = []

    async def measure(self, work: list[Callable[[], Awaitable[object]]]) -> None:
        """One round, so many at once."""
        left: Iterator[Callable[[], Awaitable[object]]] = iter(work)

        async def one() -> None:
            for each in left:
                await each()

        clock, processor = time.monotonic(), time.process_time()
        await asyncio.gather(*(one() for _ in range(self._at_once)))
        self._clock.append(len(work) / (time.monotonic() - clock))
        self._processor.append(len(work) / (time.process_time() - processor))

    def best(self) -> dict[str, float]:
        return {"clock": max(self._clock), "processor": max(self._processor)}


def _ssh_keygen(folder: Path) -> float:
    """Certificates a second, one after the other."""
    ca, user = folder / "ca", folder / "user"
    for key in (ca, user):
        if not key.exists():
            _run("-q", "-t", "ed25519", "-N", "", "-f", str(key))
    began = time.monotonic()
    for serial in range(SSH_KEYGEN):
        _run("-q", "-s", str(ca), "-I", "ada", "-n", "ada", "-V", "+1h", "-z", str(serial + 1),
             str(user) + ".pub")  # fmt: skip
    return SSH_KEYGEN / (time.monotonic() - began)


def _run(*words: str) -> None:
    subprocess.run(["ssh-keygen", *words], check=True, capture_output=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(main(Path(sys.argv[1]), int(sys.argv[2])))))
