"""Follows a README as a newcomer would: its indented lines, one after the other, in its folder.

``URL`` in a command is what the last `dynimo deploy` printed. No asserts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import packages

SECONDS_MAX = 120.0
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
_COMMAND = re.compile(r"^    (\S.*)$", re.MULTILINE)
_URL = re.compile(r"https?://\S+")
_OFFLINE = re.compile(r"Could not find a version|ConnectionError|No module named pip")
"""What pip says where there is no registry, or no pip."""
_LATER = ("dynimo logs", "dynimo queue")
"""What is asked again until it tells something: the platform does its work meanwhile."""


@dataclass
class Newcomer:
    """Somebody in a folder, with `dynimo` and `python3` at hand and nothing set up."""

    folder: Path
    tools: Path
    url: str = ""
    said: dict[str, str] = field(default_factory=dict)

    def follow(self) -> dict[str, str]:
        """Run every command of the README; what each wrote to standard output, by its text.

        Raises:
            RuntimeError: one failed.
        """
        for line in _COMMAND.findall((self.folder / "README.md").read_text()):
            command = line.partition("  #")[0].strip()
            self.said[command] = self._run(command)
            if command.startswith("dynimo deploy"):
                self.url = ["", *_URL.findall(self.said[command])][-1]
        return self.said

    def _run(self, command: str) -> str:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            done = self.run(re.sub(r"\bURL\b", self.url, command))
            if done.returncode == 0 and (done.stdout or not command.startswith(_LATER)):
                return done.stdout
            if "-m pip" in command and _OFFLINE.search(done.stderr):
                packages.lay(self.folder)  # no registry here: what pip would have brought
                return done.stdout
            if not command.startswith(_LATER) or time.monotonic() > until:
                raise RuntimeError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
            time.sleep(POLL_SECONDS)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One line, as typed."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={
                **os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "PIP_RETRIES": "0",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )  # fmt: skip


def tools(folder: Path) -> Path:
    """A folder with `dynimo`, and the `python3` that functions run on, pip and all."""
    folder.mkdir()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path(sys.base_prefix) / "bin" / version
    for name, command in (("dynimo", f'"{sys.executable}" -m dynimo'), ("python3", f'"{python}"')):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    return folder
