"""``dynimo doctor``: what is on, what is missing, and what mends it. Changes nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from dynimo.cli import exits, words
from dynimo.cli.connecting import data_option

FREE_BYTES_MIN = 1024**3
OPEN_FILES_MIN = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``needed`` ones decide the exit code; ``mend`` is a command."""

    what: str
    well: bool
    found: str
    mend: str = ""
    needed: bool = False


@click.command("doctor")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(data: str, as_json: bool) -> int:
    """Show what is on, what is missing, and the command that mends it.

    \b
    Example:
      dynimo doctor
    """
    findings = [*_host(), *_folder(Path(data)), *_isolation(), *_packages(), *_tools()]
    ill = any(each.needed and not each.well for each in findings)
    if as_json:
        click.echo(json.dumps({"well": not ill, "findings": [asdict(each) for each in findings]}))
        return exits.FAILED if ill else exits.OK
    for each in findings:
        mark = (
            words.styled("✓", "green")
            if each.well
            else words.styled("✗" if each.needed else "·", "red")
        )
        click.echo(f"{mark} {each.what:<34} {each.found}")
        if not each.well and each.mend:
            click.echo(f"  {'':<34} mend: {each.mend}")
    click.echo("Something that is needed is missing." if ill else "All that is needed is there.")
    return exits.FAILED if ill else exits.OK


def _host() -> list[Finding]:
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return [
        Finding(
            "Python",
            sys.version_info >= (3, 11),
            platform.python_version(),
            "install Python 3.11 or newer",
            needed=True,
        ),
        Finding("system", sys.platform == "linux", platform.platform(), "use Linux", needed=True),
        Finding("cores", True, str(os.cpu_count())),
        Finding("user", True, "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"),
        Finding(
            "open files", files >= OPEN_FILES_MIN, str(files), f"ulimit -n {OPEN_FILES_MIN * 4}"
        ),
    ]


def _folder(data: Path) -> list[Finding]:
    there = next((each for each in (data, *data.resolve().parents) if each.exists()), Path("/"))
    writable = os.access(there, os.W_OK | os.X_OK)
    free = shutil.disk_usage(there).free
    return [
        Finding("data folder", writable, str(data), "choose another with --data", needed=True),
        Finding(
            "free disk", free >= FREE_BYTES_MIN, f"{free / 1024**3:.1f} GiB", "free some space"
        ),
    ]


def _isolation() -> list[Finding]:
    import asyncio

    from dynimo.backends.sandboxes import levels
    from dynimo.backends.sandboxes.config import Config
    from dynimo.backends.sandboxes.process import ProcessSandbox

    async def describe(scratch: Path) -> Mapping[str, str]:
        sandbox = await ProcessSandbox.open(Config(scratch=scratch))
        await sandbox.close()
        return sandbox.describe()

    with tempfile.TemporaryDirectory(prefix="dynimo-doctor-") as folder:
        described = asyncio.run(describe(Path(folder)))
    root = "" if os.geteuid() == 0 else "run as root (sudo ./dynimo up)"
    level = levels.level(described)
    found = [Finding("isolation", level == "full", f"{level}: {levels.LEVELS[level]}", root)]
    found += [
        Finding(f"isolation: {measure}", state == "on", state, root)
        for measure, state in described.items()
    ]
    return [
        *found,
        *(Finding("isolation: not stopped", False, each) for each in levels.not_stopped(described)),
    ]


def _packages() -> list[Finding]:
    """What the apps name as packages, asked for without importing it."""
    from importlib import metadata

    from dynimo import discovery

    found: list[Finding] = []
    for app in discovery.apps(()):
        for name in sorted({each for one in app.functions.values() for each in one.packages}):
            try:
                state, here = metadata.version(name), True
            except metadata.PackageNotFoundError:
                state, here = "missing", False
            mend = f"pip install {name}"
            found.append(Finding(f"{app.name}: {name}", here, state, mend, needed=True))
    return found


def _tools() -> list[Finding]:
    """What only tests and benchmarks use."""
    return [
        Finding(
            f"tool: {name}",
            shutil.which(name) is not None,
            shutil.which(name) or "missing (tests and benchmarks only)",
            f"apt-get install {package}",
        )
        for name, package in {"nginx": "nginx", "wrk": "wrk", "debootstrap": "debootstrap"}.items()
    ]
