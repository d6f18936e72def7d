"""``dynimo check``: would this app's folder deploy? Reads and compiles; runs nothing of it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused

FORBIDDEN = "dynimo"
ALLOWED = "dynimo.sdk"


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(folder: Path, as_json: bool) -> int:
    """Check an app's FOLDER before it is deployed: its app.toml, its syntax, its imports.

    \b
    Example:
      dynimo check shop
    """
    if not folder.is_dir():
        raise Refused(f"{folder}: there is no such folder.", exits.NOT_FOUND)
    from dynimo.sdk import app as sdk_app

    found: list[str] = []
    try:
        app = sdk_app.read(folder)
    except sdk_app.ManifestError as error:
        found.append(str(error))
    else:
        for name, function in app.functions.items():
            module = folder / (function.handler.rpartition(".")[0].replace(".", "/") + ".py")
            package = module.with_suffix("") / "__init__.py"
            if not module.is_file() and not package.is_file():
                found.append(f"{folder / 'app.toml'}: [functions.{name}] there is no {module}")
    for path in sorted(folder.rglob("*.py")):
        if "tests" not in path.relative_to(folder).parts:
            found += _faults(path)
    if as_json:
        click.echo(json.dumps({"faults": found}))
    else:
        for fault in found:
            click.echo(fault)
        faults = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        click.echo(f"{folder}: {faults}" if found else f"{folder}: good to deploy")
    return exits.FAILED if found else exits.OK


def _faults(path: Path) -> list[str]:
    """Syntax errors, and imports of the platform's inside."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        return [f"{path}:{getattr(error, 'lineno', 1)}: {getattr(error, 'msg', error)}"]
    return [
        f"{path}:{line}: imports {name}; an app may import {ALLOWED} and nothing else of dynimo"
        for line, name in _imports(tree)
        if name.partition(".")[0] == FORBIDDEN and not f"{name}.".startswith(f"{ALLOWED}.")
    ]


def _imports(tree: ast.AST) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == FORBIDDEN:
                found += [(node.lineno, f"{node.module}.{each.name}") for each in node.names]
            else:
                found.append((node.lineno, node.module))
    return found
