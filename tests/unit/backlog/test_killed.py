"""Kill -9 at any moment: every event that was acknowledged runs, and every result is delivered."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from dynimo.backlog.backlog import FILE
from tests.unit.backlog.kit import QUEUE, Desk, until

ROUNDS = 6
TOLD_MIN = 20
"""How many events are acknowledged before a kill: enough to be in the middle of the work."""


async def _accept_for_ever(folder: Path, prefix: str) -> None:
    """Accept and run events, and tell of each once it is acknowledged, until killed."""
    async with Desk(folder) as desk:
        desk.configure("f", success=QUEUE + "done")
        numbers = iter(range(10**9))

        async def one() -> None:
            while True:
                name = f"{prefix}-{next(numbers)}"
                await desk.accept(event=f'"{name}"'.encode(), name=name)
                os.write(1, f"{name}\n".encode())  # whole lines, at once

        await asyncio.gather(*(one() for _ in range(20)))


async def _finish(folder: Path) -> None:
    """Take up what is left, and run it."""
    async with Desk(folder) as desk:
        desk.configure("f", success=QUEUE + "done")
        await until(lambda: desk.backlog.statistics()["events_kept"] == 0)


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Killed again and again over the same file; in the end all is done and told."""
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, __file__, str(tmp_path), f"r{number}"], stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert process.stdout is not None
        first = b"".join(process.stdout.readline() for _ in range(TOLD_MIN))
        time.sleep(random.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        told = (first + rest).decode()
        acknowledged.update(told[: told.rfind("\n") + 1].split())

    asyncio.run(_finish(tmp_path))
    with sqlite3.connect(tmp_path / FILE) as database:
        held = database.execute("select event from message where queue = 'done'").fetchall()
    database.close()

    ran = {body.decode().strip('"') for (body,) in held}
    assert len(acknowledged) >= ROUNDS * TOLD_MIN
    assert acknowledged - ran == set()


if __name__ == "__main__":
    asyncio.run(_accept_for_ever(Path(sys.argv[1]), sys.argv[2]))
