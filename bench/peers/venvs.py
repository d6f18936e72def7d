"""Virtual environments for peers that come from PyPI: one each, in the bench's data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.setting import Setting, Unavailable

INSTALL_SECONDS_MAX = 300


class Venv:
    """The virtual environment of one peer; ``install`` before use."""

    def __init__(self, setting: Setting, name: str, requirements: Sequence[str]) -> None:
        self._setting = setting
        self._name = name
        self._requirements = list(requirements)
        self.folder = setting.folder(name)
        self.python = self.folder / "venv" / "bin" / "python"

    def install(self) -> None:
        """Make it and install into it, unless exactly this has been done.

        Raises:
            Unavailable: that failed; the message says how.
        """
        done, wanted = self.folder / "installed", "\n".join(self._requirements)
        if done.exists() and done.read_text("utf-8") == wanted:
            return
        self._setting.say(f"installing {self._name} into its own virtual environment")
        venv = str(self.folder / "venv")
        self._must([sys.executable, "-m", "venv", "--clear", "--without-pip", venv])
        self._must([*self._installer(), str(self.python), "install", "-q", *self._requirements])
        done.write_text(wanted, "utf-8")

    def evaluate(self, code: str) -> str:
        """Run Python code in it; return what it printed."""
        return self._must([str(self.python), "-c", code])

    def _installer(self) -> list[str]:
        """Return the pip command up to where the Python to install for follows.

        The environment of a bench often has no pip itself, but the Python it was made from does.
        """
        candidates = (sys.executable, str(Path(sys.base_prefix) / "bin" / "python3"), "python3")
        for python in candidates:
            if _run([python, "-m", "pip", "--version"]).returncode == 0:
                return [python, "-m", "pip", "--disable-pip-version-check", "--python"]
        raise Unavailable(
            f"{self._name}: no Python here has pip (on Debian: apt-get install python3-pip)"
        )

    def _must(self, command: list[str]) -> str:
        try:
            ran = _run(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{self._name}: {command[0]}: {error}") from None
        if ran.returncode != 0:
            said = ran.stderr.strip()[-300:]
            raise Unavailable(f"{self._name}: {' '.join(command[:4])} said: {said}")
        return ran.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # A bench's own PYTHON* variables and pip's user settings are not meant for the peer.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    variables = {**kept, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    return subprocess.run(
        command,
        env=variables,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS_MAX,
        check=False,
    )
