"""``pip install .``: Dynimo as an ordinary package, away from any checkout."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machines import SECONDS, Machine, machine_at, require_system_python

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def succeed(machine: Machine, *command: str) -> str:
    """Run a program of the machine: its stdout; AssertionError with its stderr when it fails."""
    process = machine.start(*command)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def installed() -> Iterator[Machine]:
    """A machine whose ``venv`` folder has Dynimo, put there by pip as a user would."""
    require_system_python()
    with machine_at(Path(tempfile.mkdtemp(prefix="dynimo wheel "))) as machine:
        succeed(machine, "python3", "-m", "venv", "--without-pip", "venv")
        pip = ["python3", "-m", "pip", "--python", "venv/bin/python", "install", "-q"]
        succeed(machine, *pip, "--no-compile", str(machine.checkout))
        yield machine


def test_command_is_there(installed: Machine) -> None:
    """The package brings the ``dynimo`` command."""
    assert succeed(installed, "venv/bin/dynimo", "--version").split()[0] == "dynimo"


def test_built_in_apps_are_there(installed: Machine) -> None:
    """The apps come along and are found without a checkout."""
    program = "from dynimo import discovery; print([app.name for app in discovery.apps([])])"
    assert "images" in succeed(installed, "venv/bin/python", "-c", program)


def test_what_is_needed_only_in_a_checkout_stays_there(installed: Machine) -> None:
    """Tests are no part of the package, and nothing lands beside it under a name of its own."""
    packages = next((installed.folder / "venv" / "lib").glob("python3*/site-packages"))
    ours = [path for path in packages.glob("dynimo*") if path.suffix != ".dist-info"]
    assert sorted(path.name for path in ours) == ["dynimo", "dynimo_apps", "dynimo_blueprints"]
    apps = packages / "dynimo_apps"
    assert [*apps.rglob("tests"), *apps.rglob("test_*")] == []  # a verb may be called test
    assert list(packages.glob("tests")) == []
