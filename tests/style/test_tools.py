"""The checkers, as tests: formatting, lint, types, import directions. One run of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]


def test_the_code_is_formatted() -> None:
    """`ruff format` would change nothing."""
    _run("ruff", "format", "--check", "--quiet", "src", "apps", "clients", "tests", "bench")


def test_the_linter_is_content() -> None:
    """`ruff check` finds nothing; each exclusion in pyproject.toml has its reason."""
    _run("ruff", "check", "--quiet", "src", "apps", "clients", "tests", "bench")


@pytest.mark.timeout(300)
def test_the_types_hold() -> None:
    """`mypy --strict` over the platform and the apps."""
    _run("mypy")


def test_imports_only_go_down() -> None:
    """`.importlinter` is the picture of the stack; a new folder must be placed in it."""
    code = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
