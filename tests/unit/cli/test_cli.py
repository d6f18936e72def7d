"""The command line's manners: help that starts at once, errors that suggest, codes that mean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynimo.cli import brought, exits
from dynimo.cli.app import VERBS, run
from dynimo.sdk.app import Command

ROOT = Path(__file__).parents[3]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dynimo", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_help_lists_the_verbs_and_loads_little() -> None:
    """Starting `--help` must not import the platform."""
    helped = _run("--help")
    code = (
        "import sys\nfrom dynimo.cli import app\napp.run(['--help'])\n"
        "print([n for n in sys.modules if n in {'asyncio', 'msgspec', 'uvloop', 'sqlite3'}])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )

    assert helped.returncode == 0
    assert "Serve: set up the data folder" in helped.stdout
    assert loaded.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("upp",), 2, "Did you mean `dynimo up`?"),
        (("up", "--port", "x"), 2, "'x' is not a valid integer"),
        (("up", "--source", "nameless"), 2, "must be NAME=FOLDER_OR_URL"),
        (("up", "--source", "a=/no/such/folder"), 78, "The source 'a' is no folder"),
        (("up", "--config", "/no/such/file"), 78, "No such file"),
        (("up", "--app", "/no/such/app"), 78, "an app is a folder with an app.toml"),
        (("purge",), 2, "name a URL, or --prefix, or --tag, or --all"),
        (("purge", "--all", "--data", "/no/such"), 69, "start one with `dynimo up`"),
        (("check", "/no/such"), 3, "there is no such folder"),
    ],
)
def test_a_mistake_is_named_and_has_its_exit_code(
    arguments: tuple[str, ...], status: int, said: str, tmp_path: Path
) -> None:
    """What happened, and what to do; never a traceback."""
    ran = _run(*arguments, DYNIMO_DATA=str(tmp_path / "data"))

    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.returncode == status


def test_standard_streams_may_be_closed(tmp_path: Path) -> None:
    """As a service's may: what is said then goes nowhere, and into no other file."""
    (tmp_path / "hello.py").write_text("def handler(event, context):\n    print(1)\n")
    command = f"exec '{sys.executable}' -m dynimo run '{tmp_path / 'hello.py'}'"
    ended = [
        subprocess.run(["sh", "-c", f"{command} {closed}"], capture_output=True, timeout=60)
        for closed in (">&-", "<&- >&- 2>&-")
    ]

    assert [ran.returncode for ran in ended] == [0, 0]


def test_version_is_told() -> None:
    """One line."""
    assert _run("--version").stdout.startswith("dynimo 0.")


def test_doctor_tells_what_is_on(tmp_path: Path) -> None:
    """In words, and in JSON for machines."""
    told = _run("doctor", "--json", "--data", str(tmp_path))
    findings = {each["what"]: each for each in json.loads(told.stdout)["findings"]}

    assert told.returncode == 0
    assert findings["Python"]["well"]
    assert findings["isolation: resource limits"]["found"] == "on"
    assert all(each["mend"] for each in findings.values() if not each["well"] and each["needed"])


def test_check_finds_what_would_fail_later(tmp_path: Path) -> None:
    """A wrong import, a missing module, a syntax error: with file and line."""
    (tmp_path / "app.toml").write_text(
        'name = "a"\n[functions.f]\nhandler = "gone.handler"\n[functions.g]\nhandler = "here.h"\n'
    )
    (tmp_path / "here.py").write_text("import os\nfrom dynimo.sdk import http\nimport dynimo.web\n")
    (tmp_path / "broken.py").write_text("def (\n")
    ran = _run("check", str(tmp_path), "--json")

    faults = json.loads(ran.stdout)["faults"]
    assert ran.returncode == 1
    assert len(faults) == 3
    assert any("gone.py" in fault for fault in faults)
    assert any("here.py:3: imports dynimo.web" in fault for fault in faults)
    assert any("broken.py:1:" in fault for fault in faults)


@pytest.mark.parametrize("folder", ["examples/hello", "apps/images"])
def test_what_we_ship_passes_its_own_check(folder: str) -> None:
    """Built-in apps and examples keep the rules for everyone's."""
    assert _run("check", str(ROOT / folder)).returncode == 0


def test_settings_are_listed() -> None:
    """Every one, with its default and its variable."""
    rows = json.loads(_run("settings", "--json").stdout)

    assert {"key": "port", "default": "4566", "variable": "DYNIMO_PORT"} in rows


def test_the_reference_names_every_verb() -> None:
    """A verb that nobody can look up is half a verb."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert [verb for verb in VERBS if f"`{verb}`" not in page] == []


@pytest.mark.parametrize("verb", [each for each in VERBS if each not in {"test", "bench"}])
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The quickest way to learn a verb."""
    assert run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Example" in said
    assert f"dynimo {verb}" in said.partition("Example")[2]


def test_a_fault_of_our_own_is_called_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, unless it is asked for."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr("dynimo.settings.reference", fail)
    assert run(["settings"]) == exits.INTERNAL
    assert "a fault of Dynimo's: KeyError: 'inside'. DYNIMO_TRACEBACK=1 shows" in (
        capsys.readouterr().err
    )
    monkeypatch.setenv("DYNIMO_TRACEBACK", "1")
    with pytest.raises(KeyError):
        run(["settings"])


def test_an_app_brings_a_verb_of_its_own(tmp_path: Path) -> None:
    """It is run as a program beside the caller, with the platform's verbs within its reach."""
    (tmp_path / "shouting.py").write_text(
        "import sys\nfrom dynimo.sdk import commands\n"
        "print(sys.argv[1:], 'port' in commands.platform('settings', '--json').output)\n"
        "try:\n    commands.platform('check', '/no/such')\n"
        "except commands.CommandError as error:\n    print(error, error.code)\nsys.exit(7)\n"
    )
    declared = Command(module="shouting", about="Shout.")
    boot = (
        "import sys; from pathlib import Path; from dynimo.cli import brought\n"
        "from dynimo.sdk.app import Command\n"
        f"verb = brought.command('shout', Path({str(tmp_path)!r}), {declared!r})\n"
        "sys.exit(verb.main(['a', '--json', '-h'], standalone_mode=False))"
    )
    ran = subprocess.run([sys.executable, "-c", boot], capture_output=True, text=True, timeout=60)

    assert (ran.returncode, ran.stdout) == (
        7, "['a', '--json', '-h'] True\n/no/such: there is no such folder. 3\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code"), [("raise KeyboardInterrupt", 130), ("print('x' * 1_000_000)", 0)]
)
def test_a_verb_of_an_app_ends_as_the_platforms_do(tmp_path: Path, line: str, code: int) -> None:
    """Ctrl-C, and a reader that left: no traceback, and the exit codes of the manual."""
    (tmp_path / "verb.py").write_text(line)
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-c", brought._BOOT, str(tmp_path), "verb"],
        stdout=write, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    os.close(write)

    assert (ran.returncode, ran.stderr) == (code, b"")


def test_verbs_of_apps_are_listed() -> None:
    """Those of the built-in apps; the reference names them too."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    helped = _run("--help").stdout
    assert "Verbs of apps" in helped
    for verb in brought.verbs():
        assert verb in helped
        assert f"`{verb}`" in page
