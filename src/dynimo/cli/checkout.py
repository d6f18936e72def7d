"""What only a checkout has: the tests and the benchmarks. Finds it, and runs a module of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dynimo.cli import exits


def run(module: str, arguments: Sequence[str], *, what: str) -> int:
    """Run ``python -m module`` in the checkout's root; ``what`` is named where there is none."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file() or not (root / "tests").is_dir():
        click.echo(f"dynimo: {what} come with a checkout, not with the package.", err=True)
        return exits.NOT_FOUND
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=root, check=False
    ).returncode
