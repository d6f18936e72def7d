"""How the bench program ends when its user or its reader leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def _bench(*arguments: str, out: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_reader_that_left_is_no_failure() -> None:
    """``dynimo bench --list | head``: no traceback."""
    read, write = os.pipe()
    os.close(read)
    ran = _bench("--list", out=write)
    os.close(write)

    assert (ran.communicate(timeout=60)[1], ran.returncode) == ("", 0)


def test_an_interrupted_bench_says_so_by_its_code() -> None:
    """Ctrl-C: 130, as of every verb, and no traceback."""
    ran = _bench("hitratio", out=subprocess.DEVNULL)
    assert ran.stderr is not None
    said = ran.stderr.readline()  # its first word: now it works
    ran.send_signal(signal.SIGINT)
    rest = ran.communicate(timeout=60)[1]

    assert "hitratio" in said
    assert (rest, ran.returncode) == ("", 130)
