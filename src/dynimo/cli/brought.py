"""Verbs that apps bring: found by their app.toml, run as programs of their own.

Nothing of an app is imported here. Which apps there are is `discovery`'s to say: those that come
with the platform and those that other packages bring.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click

from dynimo import discovery
from dynimo.model.errors import DeployError
from dynimo.sdk.app import Command
from dynimo.sdk.commands import PROGRAM_VARIABLE

_BOOT = """
import os, runpy, sys
folder, module = sys.argv[1:3]
sys.argv[:] = [module, *sys.argv[3:]]
sys.path.insert(0, folder)
try:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
except KeyboardInterrupt:
    sys.exit(130)
except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(0)
"""
"""Not ``-m``: then the folder would have to stand in a variable that other programs inherit.

Ctrl-C and a reader that left (``| head``) end it as they end the platform's own verbs.
"""


def verbs() -> dict[str, tuple[Path, Command]]:
    """Every verb of every app, with the app's folder; none where an app cannot be read."""
    try:
        apps = discovery.apps([])
    except DeployError:
        return {}
    return {name: (app.folder, each) for app in apps for name, each in app.commands.items()}


def command(name: str, folder: Path, declared: Command) -> click.Command:
    """A verb that hands all that is typed behind it to the app's program."""

    @click.command(
        name,
        help=declared.about,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("typed", nargs=-1, type=click.UNPROCESSED)
    def run(typed: tuple[str, ...]) -> int:
        program = json.dumps([sys.executable, "-m", "dynimo"])
        return subprocess.run(
            [sys.executable, "-c", _BOOT, str(folder), declared.module, *typed],
            check=False, env={**os.environ, PROGRAM_VARIABLE: program},
        ).returncode  # fmt: skip

    return run
