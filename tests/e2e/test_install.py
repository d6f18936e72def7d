"""``./dynimo`` from nothing: the set-up on first launch, for real, in copies of this checkout.

Each test gets a machine of its own: a folder whose PATH has only what the launcher may count on, a
user who is not root, an environment made from scratch. Packages come over the network, as on the
machine of whoever types the first command, by whatever way this machine was told to get them.
They are few of all that are pinned; test_install_debian.py sets up with all of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.machines import (
    NO_NETWORK,
    SECONDS,
    SYSTEM_PYTHON,
    Machine,
    give,
    machine_at,
    require_system_python,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bare() -> Iterator[Machine]:
    """A machine with pip and without uv, after its first launch."""
    require_system_python()
    with machine_at(Path(tempfile.mkdtemp(prefix="dynimo bare ")), slim=True) as machine:
        code, out, err = machine.run("--version")
        assert (code, out.split()[:1]) == (0, ["dynimo"]), err
        yield machine


@pytest.fixture
def machine(bare: Machine) -> Iterator[Machine]:
    """A machine before its first launch, with uv; it shares its cache of packages."""
    folder = Path(tempfile.mkdtemp(prefix="dynimo "))
    with machine_at(folder, bare.home, slim=True) as machine:
        (machine.folder / "bin" / "uv").symlink_to(bare.checkout / ".dynimo" / "tools/bin/uv")
        yield machine


def test_second_launch_is_silent_and_needs_no_network(bare: Machine) -> None:
    """An environment that is there is used as it is: not even Python or uv is looked for."""
    (bare.folder / "few").mkdir()
    (bare.folder / "few" / "cmp").symlink_to("/usr/bin/cmp")
    code, out, err = bare.run("--version", PATH=str(bare.folder / "few"), **NO_NETWORK)
    assert (code, out.split()[0], err) == (0, "dynimo", "")


def test_libvips_is_ours_and_compiled(bare: Machine) -> None:
    """The binding runs in API mode, on the library of pyvips-binary, though no compiler ran."""
    program = "import pyvips, _libvips; print(pyvips.API_mode, _libvips.__file__)"
    ran = subprocess.run(
        [bare.venv / "bin" / "python", "-c", program],
        env=bare.environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    mode, _, place = ran.stdout.strip().partition(" ")
    assert (mode, Path(place).is_relative_to(bare.venv)) == ("True", True)


def test_launch_hands_on_folder_and_environment_as_they_were(bare: Machine) -> None:
    """The program starts where its user stands, with the variables its user set, no more."""
    spy = bare.folder / "spy"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(
        "import json, os\n"
        "with open(os.environ['SEEN'], 'w') as seen:\n"
        "    json.dump([os.getcwd(), dict(os.environ)], seen)\n"
    )
    give(spy)
    seen = spy / "seen"
    link = bare.folder / "link to dynimo"
    link.symlink_to("ä check out/dynimo")
    process = bare.start(str(link), "--version", PYTHONPATH=str(spy), SEEN=str(seen))
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    folder, environment = json.loads(seen.read_text())
    expected = bare.environment(PYTHONPATH=str(spy), SEEN=str(seen))
    for name in ("PWD", "OLDPWD", "_", "SHLVL", "LC_CTYPE"):  # the shell's and Python's own
        environment.pop(name, None)
    assert (folder, environment) == (str(bare.folder), expected)


def test_shell_may_be_named(bare: Machine) -> None:
    """``sh dynimo VERB`` works from inside the checkout, for those who lost the x bit."""
    process = bare.start("sh", "-c", "cd 'ä check out' && sh dynimo --version")
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out.split()[0], err) == (0, "dynimo", "")


def test_uv_of_the_machine_is_used(machine: Machine) -> None:
    """Where uv is, no other is fetched, and the set-up says what it did in plain lines."""
    code, out, err = machine.run("--version", CI="true")
    assert (code, out.split()[0]) == (0, "dynimo"), err
    first, last = err.splitlines()
    assert first.startswith("· setting up in ")
    assert last.startswith("✓ Python 3.")
    assert not (machine.checkout / ".dynimo" / "tools").exists()


def test_hostile_settings_do_no_harm(machine: Machine) -> None:
    """Settings of pip's for other work, a strange PYTHONPATH, a home that cannot be written."""
    (machine.folder / "bin" / "uv").unlink()
    home = machine.folder / "read-only"
    home.mkdir(mode=0o555)
    hostile = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": "/nowhere"}
    code, out, err = machine.run(
        "--version", HOME=str(home), PYTHONPATH="/nowhere", UV_SYSTEM_PYTHON="1", **hostile
    )
    assert (code, out.split()[0]) == (0, "dynimo"), err
    assert list(home.iterdir()) == []
    assert (machine.checkout / ".dynimo" / "tools" / "bin" / "uv").is_file()


def test_pip_alone_is_enough(machine: Machine) -> None:
    """Where uv breaks and none can be fetched for this kind of machine, pip does all."""
    machine.put("uv", "exit 1")
    (machine.checkout / "requirements-uv.lock").write_text(f"uv==0.0.0 --hash=sha256:{'0' * 64}\n")
    code, out, err = machine.run("--version")
    assert (code, out.split()[0]) == (0, "dynimo"), err
    # uv says in a line of its own that it made a virtual environment; the folder's name is chance.
    assert "\nuv = " not in (machine.venv / "pyvenv.cfg").read_text()


def test_killed_set_up_is_begun_again(machine: Machine, wait_until: Callable[..., None]) -> None:
    """Half an environment is never taken for a whole one."""
    first = machine.start(str(machine.checkout / "dynimo"), "--version")
    wait_until((machine.venv / "lib").is_dir)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=SECONDS)
    code, out, err = machine.run("--version")
    assert (code, out.split()[0]) == (0, "dynimo"), err
    assert "✓" in err


def test_two_first_launches_set_up_once(machine: Machine) -> None:
    """The second waits for the first, says so, and then runs."""
    both = [machine.start(str(machine.checkout / "dynimo"), "--version") for _ in range(2)]
    answers = [process.communicate(timeout=SECONDS) for process in both]
    said = "".join(err for _, err in answers)
    assert [process.returncode for process in both] == [0, 0], said
    assert (said.count("✓"), said.count("waiting for it")) == (1, 1)


def test_checkout_of_somebody_else(machine: Machine) -> None:
    """A checkout that cannot be written stays untouched; the user's cache folder serves."""
    for path in (machine.checkout, *machine.checkout.rglob("*")):
        if path.is_dir():
            path.chmod(0o555)
    before = sorted(machine.checkout.rglob("*"))
    cache = {"XDG_CACHE_HOME": str(machine.folder / "cache")}
    first, second = machine.run("--version", **cache), machine.run("--version", **cache)
    assert (first[0], second[0], second[2]) == (0, 0, ""), first[2]
    assert sorted(machine.checkout.rglob("*")) == before


def test_moved_checkout_and_new_pins_renew(machine: Machine) -> None:
    """An environment belongs to one place and one set of pins; else it is made again."""
    assert machine.run("--version")[0] == 0
    (machine.folder / "moved").mkdir()
    moved = Machine(machine.folder / "moved", machine.home)
    machine.checkout.rename(moved.checkout)
    (moved.folder / "bin").symlink_to(machine.folder / "bin")
    code, _, err = moved.run("--version")
    assert (code, "✓" in err) == (0, True), err
    with (moved.checkout / "requirements.lock").open("a") as lock:
        lock.write("# another pin\n")
    code, _, err = moved.run("--version")
    assert (code, "✓" in err) == (0, True), err


def test_test_verb_adds_the_development_tools(machine: Machine) -> None:
    """``./dynimo test`` brings pytest, and leaves the environment of the other verbs fresh."""
    code, out, err = machine.run("test", "--version")
    assert (code, "pytest" in out + err) == (0, True), err
    assert machine.run("--version")[2] == ""


def test_python_too_old_is_named(machine: Machine) -> None:
    """One sentence says what is needed, what was found, and the line that mends it."""
    pretend = "import sys, platform; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    pretend = f"platform.python_version = lambda: '3.9.2'; {pretend}"
    machine.put("python3", f'exec {SYSTEM_PYTHON} -c "import platform; {pretend}" "$2"')
    code, _, err = machine.run("--version")
    assert (code, err.count("\n")) == (69, 1)
    assert "3.11 or newer, and python3 is 3.9.2" in err
    assert "apt-get install -y python3.11 python3-pip" in err


def test_python_without_pip_and_uv_is_named(machine: Machine) -> None:
    """Without any installer the set-up ends, with the line that brings one."""
    (machine.folder / "bin" / "uv").unlink()
    machine.put(
        "python3",
        f'case "$1 $2" in "-c import os"*) echo "1 3.11.2 $0" ;; '
        f'-c*) exec {SYSTEM_PYTHON} "$@" ;; *) exit 1 ;; esac',
    )
    code, _, err = machine.run("--version")
    assert code == 69
    assert err.splitlines()[-1].endswith("apt-get install -y python3-pip")


def test_no_python_is_named(machine: Machine) -> None:
    """On a machine without Python the sentence has the whole line."""
    (machine.folder / "bin" / "python3").unlink()
    code, _, err = machine.run("--version")
    assert (code, err.count("\n")) == (69, 1)
    assert "apt-get install -y python3 python3-pip" in err
