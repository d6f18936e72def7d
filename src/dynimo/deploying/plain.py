"""One plain file with a handler: which function is meant, found by reading, never by running it.

Python, JavaScript, or an executable named ``bootstrap``.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path

from dynimo.deploying.wanted import Wanted, WantedFunction
from dynimo.model.errors import DeployError

ROLE = "arn:aws:iam::{account}:role/{name}"
"""The role of a function that names none: its own name, so that a policy can be written for it."""
HANDLERS = ("handler", "lambda_handler", "app", "application", "main")
"""Names that are tried, in this order, when none is given."""
BOOTSTRAP, BOOTSTRAP_RUNTIME = "bootstrap", "provided.al2023"
SCRIPTS = (".mjs", ".cjs", ".js")
NODE_RUNTIME = "nodejs20.x"
_UNFIT = re.compile(r"[^A-Za-z0-9-_]+")


class NoHandler(DeployError):
    """The file holds no such handler."""

    status = 404


def runtime_here() -> str:
    """AWS's identifier of the interpreter that runs this."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def parse(text: str) -> tuple[Path, str]:
    """``FILE`` or ``FILE::NAME`` as a path and a name (maybe empty)."""
    path, _, name = text.partition("::")
    return Path(path), name


def read(path: Path, handler: str = "", *, name: str = "", account: str = "0" * 12) -> Wanted:
    """One function of one Python, JavaScript or executable ``bootstrap`` file.

    Raises:
        DeployError: there is no such file, it is not valid, or holds no handler.
    """
    name = name or _UNFIT.sub("-", path.stem).strip("-")
    called, runtime = _called(path, handler)
    settings = {
        "Handler": called,
        "Runtime": runtime,
        "Role": ROLE.format(account=account, name=name),
    }
    function = WantedFunction(name=name, settings=settings, code=path, whole=False)
    return Wanted(functions=(function,))


def _called(path: Path, handler: str) -> tuple[str, str]:
    """(handler, runtime) of a file, by its name."""
    if path.name == BOOTSTRAP:
        if not os.access(path, os.X_OK):
            raise DeployError(f"{path} cannot be executed; chmod +x {path}.")
        return handler or BOOTSTRAP, BOOTSTRAP_RUNTIME
    if "." in path.stem:
        raise DeployError(f"{path}: a module's name holds no dot; rename it.")
    if path.suffix in SCRIPTS:
        return f"{path.stem}.{handler or HANDLERS[0]}", NODE_RUNTIME
    if path.suffix != ".py":
        kinds = f"a .py, {', '.join(SCRIPTS)}, an executable {BOOTSTRAP}, or a template"
        raise DeployError(f"{path} is none of what can be deployed alone: {kinds}.")
    return f"{path.stem}.{handler_name(path, handler)}", runtime_here()


def handler_name(path: Path, wanted: str = "") -> str:
    """The name of the handler in a Python file: ``wanted``, or the first of ``HANDLERS`` there.

    Raises:
        DeployError: the file cannot be read or parsed, or defines no such name.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise DeployError(f"{path}: {error.strerror}.") from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        what = getattr(error, "msg", error)  # the whole of it would name the file and line again
        raise DeployError(f"{path}{f', line {line}' if line else ''}: {what}.") from None
    defined = list(_defined(tree))
    if wanted:
        if wanted in defined:
            return wanted
        raise NoHandler(f"{path} defines no {wanted!r}; it defines: {_listed(defined)}.")
    for name in HANDLERS:
        if name in defined:
            return name
    raise NoHandler(
        f"{path} defines none of {', '.join(HANDLERS)}; name the handler: {path}::NAME"
        f" (it defines: {_listed(defined)})."
    )


def _defined(tree: ast.Module) -> list[str]:
    """Public names bound at the top of a module."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return [name for name in names if not name.startswith("_")]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) or "nothing"
