"""What an app declares: the reader of app.toml.

An app is a folder: ``app.toml`` and code beside it. Here the file becomes frozen values, checked;
nothing is imported, started or deployed here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynimo.sdk.declaring import ManifestError, declared
from dynimo.sdk.fallbacks import Fallback, fallback
from dynimo.sdk.permissions import Permission, permissions
from dynimo.sdk.routes import Route, route

__all__ = ["App", "Command", "Function", "ManifestError", "Permission", "Route", "read"]

MANIFEST_NAME = "app.toml"
MEMORY_MIB_MIN, MEMORY_MIB_MAX = 64, 10_240
TIMEOUT_SECONDS_MAX = 900
CONCURRENCY_MAX = 1_000
ENVIRONMENTS_MAX = 1_000
NETWORKS = ("none", "loopback", "internet")
STATES = ("", "read", "write")
"""What a function may do with its app's state."""
INHERITED_MAX = 64
"""Variables of the server that one function may see."""
_VARIABLE = re.compile(r"(?!AWS_|DYNIMO_)[A-Z][A-Z0-9_]{0,63}")
"""The platform's own and AWS's are never handed on: they are the server's, or set anew."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_MODULE = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*")
_HANDLER = re.compile(r"[A-Za-z_][\w.]*\.[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of an app.

    ``concurrency`` is how many requests one environment serves at once (above 1 needs an
    ``async def`` handler). ``limit`` is how many environments may exist at once, 0 meaning one a
    core; ``reserve`` is how many are kept ready. ``idle_seconds`` is how long an idle environment
    is kept. ``packages`` are third-party packages taken from the platform's own installation;
    ``files`` are keys of the app's settings whose values are paths it may read. ``network`` is what
    its code can reach: one of ``NETWORKS``. ``on_demand`` imports its code on first use, instead of
    at start. ``inherit`` names variables of the server's own environment that it sees too.
    ``state`` is one of ``STATES``; ``permissions`` are what it may do on the platform.
    ``settings`` names the top-level keys of the app's table that it is given; None is all.
    """

    handler: str
    memory_mib: int = 128
    timeout_seconds: float = 3
    concurrency: int = 1
    reserve: int = 0
    limit: int = 0
    idle_seconds: float = 10
    sources: bool = False
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    network: str = "internet"
    on_demand: bool = False
    inherit: tuple[str, ...] = ()
    state: str = ""
    permissions: tuple[Permission, ...] = ()
    settings: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb that an app adds to the command line: ``dynimo NAME …``.

    ``module`` is run as a program of its own, by whoever types the verb and with their rights, the
    app's folder on its path; it sees what follows the verb in ``sys.argv``. ``about`` is its line
    in ``dynimo --help``.
    """

    module: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A folder that can be deployed.

    ``functions`` maps the short name to its declaration. ``sources`` are named folders, relative to
    the app's, that come with it; ``examples`` are paths worth opening first. ``fallbacks`` are the
    files that its routes may name to be given when nothing else can be. ``commands`` are verbs that
    it adds to the command line. ``opt_in`` leaves a built-in app out until the operator's settings
    have a table for it.
    """

    name: str
    folder: Path
    functions: Mapping[str, Function]
    routes: tuple[Route, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    fallbacks: Mapping[str, Fallback] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    opt_in: bool = False

    def function_name(self, short: str) -> str:
        """The name on the platform of the function that this app calls ``short``."""
        return f"{self.name}-{short}"


_KEYS = ("name", "functions", "routes", "sources", "examples", "fallback", "commands", "opt_in")


def read(folder: Path) -> App:
    """Read and check ``folder/app.toml``.

    Raises:
        ManifestError: the file is missing, is not TOML, or declares something impossible.
    """
    path = folder / MANIFEST_NAME
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: not found; an app is a folder with an {MANIFEST_NAME}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: {error}") from None
    try:
        return _app(table, folder)
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from None


def _app(table: dict[str, Any], folder: Path) -> App:
    unknown = sorted(table.keys() - set(_KEYS))
    if unknown:
        raise ManifestError(f"unknown key {unknown[0]!r}; allowed: {', '.join(_KEYS)}")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ManifestError(f"name = {name!r} must be lower-case letters, digits and dashes")
    wanted = table.get("functions", {})
    if not isinstance(wanted, dict) or not (wanted or table.get("routes")):
        raise ManifestError("declare at least one [functions.NAME], or [[routes]] that need none")
    functions = {key: _function(key, value) for key, value in wanted.items()}
    routes = tuple(route(value, functions) for value in table.get("routes", []))
    fallbacks = _fallbacks(table.get("fallback", {}), folder, routes)
    sources, examples = table.get("sources", {}), table.get("examples", [])
    if not isinstance(sources, dict) or not all(isinstance(v, str) for v in sources.values()):
        raise ManifestError("[sources] must be a table of names and relative folders")
    for key, value in sources.items():
        if not (folder / value).resolve().is_relative_to(folder.resolve()):
            raise ManifestError(f"[sources] {key} = {value!r} lies outside the app's folder")
    if not isinstance(examples, list) or not all(isinstance(item, str) for item in examples):
        raise ManifestError("examples must be a list of paths")
    if not isinstance(table.get("opt_in", False), bool):
        raise ManifestError("opt_in must be true or false")
    return App(
        name=name,
        folder=folder.resolve(),
        functions=functions,
        routes=routes,
        sources=sources,
        examples=tuple(examples),
        fallbacks=fallbacks,
        commands=_commands(table.get("commands", {})),
        opt_in=table.get("opt_in", False),
    )


def _commands(tables: object) -> Mapping[str, Command]:
    if not isinstance(tables, dict):
        raise ManifestError("[commands] must be a table of [commands.NAME]")
    found = {}
    for name, table in tables.items():
        where = f"[commands.{name}]"
        if not _NAME.fullmatch(name):
            raise ManifestError(f"{where} must be named in lower-case letters, digits and dashes")
        found[name] = declared(Command, table, where)
        if not _MODULE.fullmatch(found[name].module):
            raise ManifestError(f"{where} module = {found[name].module!r} must be a module's name")
    return found


def _fallbacks(tables: object, folder: Path, routes: tuple[Route, ...]) -> Mapping[str, Fallback]:
    if not isinstance(tables, dict):
        raise ManifestError("[fallback] must be a table of [fallback.NAME]")
    found = {name: fallback(name, table, folder) for name, table in tables.items()}
    for each in routes:
        if each.fallback and each.fallback not in found:
            raise ManifestError(
                f"[[routes]] {each.path}: no [fallback.{each.fallback}]; there are: "
                f"{', '.join(found) or 'none'}"
            )
    return found


def _function(name: str, table: object) -> Function:
    where = f"[functions.{name}]"
    if not _NAME.fullmatch(name):
        raise ManifestError(f"{where} must be named in lower-case letters, digits and dashes")
    function = _with_permissions(table, where)
    if not _HANDLER.fullmatch(function.handler):
        raise ManifestError(f"{where} handler = {function.handler!r} must be 'module.function'")
    _within(where, "memory_mib", function.memory_mib, MEMORY_MIB_MIN, MEMORY_MIB_MAX)
    _within(where, "timeout_seconds", function.timeout_seconds, 0.05, TIMEOUT_SECONDS_MAX)
    _within(where, "concurrency", function.concurrency, 1, CONCURRENCY_MAX)
    _within(where, "limit", function.limit, 0, ENVIRONMENTS_MAX)
    _within(where, "reserve", function.reserve, 0, function.limit or ENVIRONMENTS_MAX)
    _within(where, "idle_seconds", function.idle_seconds, 0, 86_400)
    if function.on_demand and function.reserve:
        raise ManifestError(f"{where} on_demand: then nothing is ready, so reserve must be 0")
    _inheritable(where, function.inherit)
    if function.state not in STATES:
        raise ManifestError(f"{where} state = {function.state!r} must be 'read' or 'write'")
    _given(where, function)
    if function.network not in NETWORKS:
        raise ManifestError(
            f"{where} network = {function.network!r} must be one of {', '.join(NETWORKS)}"
        )
    return function


def _with_permissions(table: object, where: str) -> Function:
    """The function with what its tables of permissions say."""
    if not isinstance(table, dict) or "permissions" not in table:
        return declared(Function, table, where)
    plain = {key: value for key, value in table.items() if key != "permissions"}
    function = replace(
        declared(Function, plain, where), permissions=permissions(table["permissions"], where)
    )
    if function.network != "internet":
        raise ManifestError(f"{where} permissions: the platform is reached by network 'internet'")
    if function.reserve:
        raise ManifestError(
            f"{where} permissions: its environments begin when the platform listens, so reserve"
            " must be 0"
        )
    return function


def _inheritable(where: str, names: tuple[str, ...]) -> None:
    if len(names) > INHERITED_MAX:
        raise ManifestError(f"{where} inherit must name at most {INHERITED_MAX} variables")
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ManifestError(
                f"{where} inherit {name!r} must be upper-case letters, digits and _,"
                " and none of AWS_… or DYNIMO_…"
            )


def _given(where: str, function: Function) -> None:
    """Check what it is given of the app's table."""
    if function.settings is None:
        return
    if len(set(function.settings)) != len(function.settings) or "" in function.settings:
        raise ManifestError(f"{where} settings must name keys of the app's table, each once")
    for key in function.files:
        if key not in function.settings:
            raise ManifestError(f"{where} files {key!r} must be named in settings too")


def _within(where: str, key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ManifestError(f"{where} {key} = {value} must be between {low} and {high}")
