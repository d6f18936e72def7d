"""``dynimo test``: the project's own suite. Only a checkout has one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from dynimo.cli import exits


def checkout() -> Path | None:
    """The checkout this program runs from, or None when it is an installed package."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "tests").is_dir() else None


@click.command(
    "test",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run the whole suite; ARGUMENTS go to pytest."""
    root = checkout()
    if root is None:
        click.echo("dynimo: tests come with a checkout, not with the installed package.", err=True)
        return exits.NOT_FOUND
    ran = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=root, check=False)
    return ran.returncode
