"""``dynimo new``: a working starting point from a blueprint. Copies files; starts nothing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import click

from dynimo.cli import exits

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HERE = Path(__file__).resolve()
_RUNTIME_WRITTEN = "python3.11"
"""The runtime that the blueprints name; it becomes that of the interpreter at hand."""


@click.command("new")
@click.argument("name", required=False)
@click.option("--from", "blueprint", default="hello", show_default=True, help="Which blueprint.")
@click.option("--list", "listing", is_flag=True, help="Show the blueprints.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(name: str | None, blueprint: str, listing: bool, as_json: bool) -> int:
    """Make a folder NAME with a function that works, and its test.

    \b
    Examples:
      dynimo new --list
      dynimo new shop --from http-api
    """
    home = folder()
    known = sorted(each.name for each in home.iterdir() if (each / "README.md").is_file())
    if listing:
        _list(home, known, as_json=as_json)
        return exits.OK
    if name is None:
        raise click.UsageError("name the folder to make, or ask for --list")
    if blueprint not in known:
        click.echo(f"dynimo: no blueprint {blueprint!r}; there are: {', '.join(known)}.", err=True)
        return exits.NOT_FOUND
    if not _NAME.fullmatch(Path(name).name):
        raise click.UsageError(f"{name!r} is no good name for a folder")
    try:
        written = _copy(home / blueprint, Path(name))
    except FileExistsError:
        click.echo(f"dynimo: {name} exists already; choose another name.", err=True)
        return exits.FAILED
    except OSError as error:
        click.echo(f"dynimo: {error.filename}: {error.strerror}.", err=True)
        return exits.DENIED
    if as_json:
        click.echo(json.dumps({"folder": name, "from": blueprint, "files": written}))
        return exits.OK
    for each in written:
        click.echo(f"  {Path(name) / each}")
    click.echo(f"Made {name} from {blueprint}; {Path(name) / 'README.md'} says how to go on.")
    launcher = _HERE.parents[3] / "dynimo"
    if shutil.which("dynimo") is None and launcher.is_file():
        click.echo(f"There, `dynimo` is: {shell_function(launcher)}")
    return exits.OK


def shell_function(launcher: Path) -> str:
    """A line for the shell, after which `dynimo` is that launcher.

    No alias: its words would break apart at a space in the path, and scripts do not have it.
    """
    return f'dynimo() {{ {shlex.quote(str(launcher))} "$@"; }}'


def folder() -> Path:
    """Where the blueprints are: beside the installed package, or in the checkout."""
    installed = _HERE.parents[2] / "dynimo_blueprints"
    return installed if installed.is_dir() else _HERE.parents[3] / "blueprints"


def _list(home: Path, known: list[str], *, as_json: bool) -> None:
    told = {name: _summary(home / name) for name in known}
    if as_json:
        click.echo(json.dumps(told))
        return
    for name, summary in told.items():
        click.echo(f"  {name:<16} {summary}")


def _summary(blueprint: Path) -> str:
    """The first sentence of its first source file."""
    for pattern in ("*.py", "*.mjs", "bootstrap"):
        for path in sorted(blueprint.glob(pattern)):
            if "test" not in path.name:
                lines = [line.strip(' "#/') for line in path.read_text("utf-8").splitlines()]
                return next(line for line in lines if line and not line.startswith("!"))
    return ""


def _copy(source: Path, target: Path) -> list[str]:
    from dynimo.deploying.plain import runtime_here

    target.mkdir(parents=True)
    written: list[str] = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_dir() or "__pycache__" in name.parts:
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text("utf-8")
        if path.name == "template.yaml":
            text = text.replace(_RUNTIME_WRITTEN, runtime_here())
        (target / name).write_text(text, "utf-8")
        (target / name).chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        written.append(str(name))
    return written
