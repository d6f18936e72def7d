"""What a command that an app adds may ask of the platform: the platform's own verbs.

The command runs as a program of its own; the verbs are asked as anybody asks them, so that a
command can do what its caller could do by hand, and no more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

PROGRAM_VARIABLE = "DYNIMO_PROGRAM"
"""How the platform's command line is run: a JSON list, set by it for the commands of apps."""
FAILED = 1


class CommandError(Exception):
    """A verb failed; the message is what it said, ``code`` its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a verb printed, and its exit code."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON.

        Raises:
            CommandError: it is none.
        """
        try:
            return json.loads(self.output)
        except ValueError:
            raise CommandError(self.errors.strip() or "no answer", self.code or FAILED) from None


def platform(*arguments: str) -> Told:
    """Run one of the platform's verbs: ``platform("purge", "--tag", "a", "--json")``.

    Raises:
        CommandError: it failed, and said why.
    """
    program = json.loads(os.environ.get(PROGRAM_VARIABLE, "null"))
    ran = subprocess.run(
        [*(program or [sys.executable, "-m", "dynimo"]), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        said = ran.stderr.strip().removeprefix("dynimo: ")
        raise CommandError(said or f"{arguments[0]} failed", ran.returncode)
    return Told(code=ran.returncode, output=ran.stdout, errors=ran.stderr)
