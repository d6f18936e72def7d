"""``dynimo bench``: starts the benchmarks of a checkout. They live in ``bench/``, not here."""

from __future__ import annotations

import subprocess
import sys

import click

from dynimo.cli import exits
from dynimo.cli.test import checkout


@click.command(
    "bench",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Measure; ARGUMENTS go to the bench program (`dynimo bench --help`)."""
    root = checkout()
    if root is None:
        click.echo("dynimo: benchmarks come with a checkout, not with the package.", err=True)
        return exits.NOT_FOUND
    ran = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=root, check=False)
    return ran.returncode
