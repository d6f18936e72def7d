"""Pretended machines for the tests of set-up: a PATH, a home and a copy of this checkout each.

The programs are this machine's own; what is pretended is which of them are there, and whose the
folders are. Tests that need root to step down to nobody do so here. No rule is tested here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_PYTHON = Path("/usr/bin/python3")
NOBODY = 65534
SECONDS = 200
COMMANDS = ("cksum", "cmp", "cp", "ln", "mkdir", "mv", "readlink", "rm", "sh", "tail")
NETWORK = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST"),
    *("UV_DEFAULT_INDEX", "UV_INDEX", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
NO_NETWORK = dict.fromkeys(
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    "http://127.0.0.1:9/",
)
SLIM = ("cffi", "click", "pycparser", "pyvips", "pyvips-binary")
SLIM_TESTS = ("iniconfig", "packaging", "pluggy", "pygments", "pytest")
"""What `dynimo --version` and `pytest --version` need, and the one that is built from source."""
AS_NOBODY: dict[str, Any] = (
    {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
)


def network() -> dict[str, str]:
    """What this machine was told about how packages are reached, and nothing else."""
    return {name: os.environ[name] for name in NETWORK if name in os.environ}


def require_system_python() -> None:
    """Skip unless the machine has a Python of its own that will do, and pip."""
    probe = [str(SYSTEM_PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    if not SYSTEM_PYTHON.exists() or subprocess.run(probe, check=False, timeout=30).returncode:
        pytest.skip("needs Python 3.11 with pip as /usr/bin/python3: apt-get install python3-pip")


def copy_checkout(target: Path) -> None:
    """Copy what a clone plus the uncommitted files would have: nothing that was made by running."""
    made = shutil.ignore_patterns(".git", ".dynimo", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(CHECKOUT, target, ignore=made)


def make_slim(checkout: Path) -> None:
    """Leave few pins in a checkout's locks: how they are set up is the same for all."""
    for name, kept in (
        ("requirements.lock", SLIM), ("requirements-dev.lock", SLIM + SLIM_TESTS),
    ):  # fmt: skip
        pins = re.split(r"^(?=\w)", (checkout / name).read_text(), flags=re.MULTILINE)
        (checkout / name).write_text("".join(each for each in pins if each.split("==")[0] in kept))


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """A copy of the checkout, a PATH and a home, all below one folder that a non-root user owns."""

    folder: Path
    home: Path

    @property
    def checkout(self) -> Path:
        return self.folder / "ä check out"

    @property
    def venv(self) -> Path:
        return self.checkout / ".dynimo" / "venv"

    def put(self, name: str, script: str) -> None:
        """Put a program on the machine's PATH, in the place of one with that name."""
        program = self.folder / "bin" / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        path = str(self.folder / "bin")
        return {"PATH": path, "HOME": str(self.home), "LC_ALL": "C"} | network() | more

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=self.environment(**more),
            cwd=self.folder,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **AS_NOBODY,
        )

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Run ``./dynimo ARGUMENTS`` from outside the checkout: exit code, stdout, stderr."""
        process = self.start(str(self.checkout / "dynimo"), *arguments, **more)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err


@contextlib.contextmanager
def machine_at(folder: Path, home: Path | None = None, *, slim: bool = False) -> Iterator[Machine]:
    """Furnish a machine, and take it away. A ``slim`` one is set up with few packages."""
    machine = Machine(folder, home or folder / "home")
    try:
        copy_checkout(machine.checkout)
        if slim:
            make_slim(machine.checkout)
        machine.home.mkdir(exist_ok=True)
        (folder / "bin").mkdir()
        for name in COMMANDS:
            (folder / "bin" / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        (folder / "bin" / "python3").symlink_to(SYSTEM_PYTHON)
        give(folder)
        folder.chmod(0o755)
        yield machine
    finally:
        shutil.rmtree(folder)


def give(folder: Path) -> None:
    """Make the unprivileged user the owner of everything below."""
    for path in (folder, *folder.rglob("*")) if AS_NOBODY else ():
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
