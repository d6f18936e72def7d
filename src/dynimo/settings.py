"""Gathers each part's own Config into one frozen value: flags over environment over file.

No part reads settings; assembly hands each its own piece. A file or variable that cannot be used is
refused by name, and nothing is guessed.
"""

from __future__ import annotations

import difflib
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import msgspec

from dynimo.accesslog import FORMS as ACCESS_FORMS
from dynimo.accesslog import Config as AccessLogConfig
from dynimo.backends.sandboxes.config import MEASURES
from dynimo.backlog.config import Config as BacklogConfig
from dynimo.edge.config import Config as EdgeConfig
from dynimo.functions.config import Config as FunctionsConfig
from dynimo.gateway.config import Config as GatewayConfig
from dynimo.identity.config import Config as IdentityConfig
from dynimo.logs.config import Config as LogsConfig
from dynimo.metering.config import Config as MeteringConfig
from dynimo.model.errors import ConfigError
from dynimo.registry.config import Config as RegistryConfig
from dynimo.shedding.config import Config as SheddingConfig
from dynimo.upstreams.config import Config as UpstreamsConfig
from dynimo.upstreams.policy import Policy
from dynimo.web.config import Config as WebConfig
from dynimo.web.forwarding import Trust
from dynimo.web.tls import Config as TlsConfig

PREFIX = "DYNIMO_"
WORKERS_MAX = 64
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_NO_SOURCES = frozenset({"/", "/var", "/etc", "/proc", "/sys", "/dev", "/root", "/home"})
"""Folders that hold more than files to serve; a sandbox builds its own root in their place."""
_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Where words go. ``form``: ``plain``, ``json``, or ``auto`` (plain on a terminal).

    ``requests`` writes one line for each HTTP request.
    """

    level: str = "INFO"
    form: str = "auto"
    requests: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How functions are held. ``without`` names measures to leave out, to debug only.

    As root each version runs under a user of its own, the 4,000 from ``uid_first`` on; apps' states
    belong to the 1,000 after these. ``processes_max`` bounds the processes and threads of one
    environment.
    """

    without: tuple[str, ...] = ()
    uid_first: int = 60_000
    processes_max: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a deployment decides.

    ``sources`` maps a name to a folder or an http(s) address; ``apps`` is each app's own table;
    ``app_folders`` are deployed besides the built-in apps. ``stop_seconds`` is how long requests
    under way may take to finish once the server is told to stop. With ``workers`` over 1 so many
    processes speak HTTP on the port, in front of the one that runs everything else.
    """

    host: str = "127.0.0.1"
    port: int = 4566
    workers: int = 1
    data: str = "./.dynimo"
    stop_seconds: float = 4.0
    sources: Mapping[str, str] = field(default_factory=dict)
    apps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    app_folders: tuple[str, ...] = ()
    edge: EdgeConfig = field(default_factory=EdgeConfig)
    web: WebConfig = field(default_factory=WebConfig)
    shedding: SheddingConfig = field(default_factory=SheddingConfig)
    upstreams: UpstreamsConfig = field(default_factory=UpstreamsConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    origins: Policy = field(default_factory=Policy)
    functions: FunctionsConfig = field(default_factory=FunctionsConfig)
    backlog: BacklogConfig = field(default_factory=BacklogConfig)
    registry: RegistryConfig = field(default_factory=RegistryConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)
    metering: MeteringConfig = field(default_factory=MeteringConfig)
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    log: LogConfig = field(default_factory=LogConfig)
    access_log: AccessLogConfig = field(default_factory=AccessLogConfig)


def read(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Settle every setting. ``flags`` holds only those that were typed.

    Raises:
        ConfigError: a key is unknown or a value is of the wrong kind; the message says where.
    """
    tree = _from_file(file) if file is not None else {}
    _check_keys(tree, Settings, f"{file}")
    _check_sources(tree.get("sources"), f"{file}")
    _check_variables(environment)
    for path, text in _from_environment(environment):
        _put(tree, path, text)
    for name, value in flags.items():
        merged = {**tree.get(name, {}), **value} if isinstance(value, Mapping) else value
        tree[name] = merged
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{str(error).replace('$.', '')} ({file or 'environment'})") from None
    _check_values(settings, file)
    return _with_absolute_paths(settings, file.parent if file is not None else Path.cwd())


def _check_sources(given: object, file: str) -> None:
    """Say what a source is; the converter only knows that this is no text. Raises ConfigError."""
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if not isinstance(value, str):
            raise ConfigError(
                f'{file} [sources]: {name} must be a text: {name} = "FOLDER" or "https://…"'
            )


def reference() -> Iterator[tuple[str, str, str]]:
    """Yield (key, default, environment variable) of every setting, for the reference page."""
    for path, default in _leaves(Settings(), ()):
        single = not isinstance(default, Mapping | tuple)
        yield ".".join(path), repr(default), PREFIX + "_".join(path).upper() if single else "-"


def page() -> str:
    """Give the whole reference page, in Markdown; docs/reference/settings.md is this."""
    lines = [
        "# Settings",
        "",
        "Made by `dynimo settings --markdown`. Flags win over the environment, which wins over the",
        "file given with `--config` (TOML; `edge.memory_bytes` is `memory_bytes` under `[edge]`).",
        "Paths in the file are relative to it. Unknown keys, and variables of a table below that",
        "set nothing, are refused. `-`: only in the file.",
    ]
    parts = {each.name: getattr(Settings(), each.name) for each in fields(Settings)}
    lines += _section("The whole", Settings.__doc__, [()])
    for name, held in parts.items():
        if is_dataclass(held):
            lines += _section(f"[{name}]", type(held).__doc__, [(name,)])
    return "\n".join(lines) + "\n"


def _section(title: str, text: str | None, tables: list[tuple[str, ...]]) -> list[str]:
    rows = [
        f"| `{key}` | `{default}` | `{variable}` |"
        for key, default, variable in reference()
        if tuple(key.split(".")[:-1]) in tables
    ]
    told = inspect.cleandoc(text or "").replace("``", "`")
    head = ["| key | default | variable |", "|---|---|---|"]
    return ["", f"## {title}", "", told, "", *head, *rows]


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}.") from None


def _check_keys(tree: Mapping[str, Any], kind: Any, where: str) -> None:
    known = {each.name for each in fields(kind)}
    hints = get_type_hints(kind)
    for key, value in tree.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(known))}.")
        if is_dataclass(hints[key]):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: [{key}] must be a table.")
            _check_keys(value, hints[key], f"{where} [{key}]")


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse variables of our tables that set nothing: a wrong key in a file is refused too."""
    known = {variable: key for key, _, variable in reference()}
    tables = tuple(
        f"{PREFIX}{each.name.upper()}_"
        for each in fields(Settings)
        if is_dataclass(getattr(Settings(), each.name))
    )
    for name in environment:
        if name.startswith(tables) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see `dynimo settings`."
            raise ConfigError(f"the variable {name} sets nothing; {hint}")


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    for path, default in _leaves(Settings(), ()):
        text = environment.get(PREFIX + "_".join(path).upper())
        if text is not None and not isinstance(default, Mapping | tuple):
            yield path, text


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for each in fields(value):
        held = getattr(value, each.name)
        if is_dataclass(held):
            yield from _leaves(held, (*path, each.name))
        else:
            yield (*path, each.name), held


def _put(tree: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    *tables, last = path
    for name in tables:
        tree = tree.setdefault(name, {})
    tree[last] = text


def _check_values(settings: Settings, file: Path | None) -> None:
    for path, value in _leaves(settings, ()):
        if isinstance(value, int | float) and not value >= 0:
            raise ConfigError(f"{'.'.join(path)} = {value} must not be below 0.")
    if not 0 <= settings.port <= 65_535:
        raise ConfigError(f"port = {settings.port} must be between 0 and 65535.")
    if not 1 <= settings.workers <= WORKERS_MAX:
        raise ConfigError(f"workers = {settings.workers} must be between 1 and {WORKERS_MAX}.")
    for name in settings.sources:
        if not _SOURCE_NAME.fullmatch(name):
            raise ConfigError(
                f"The source name {name!r} must be letters, digits, dashes and underscores."
            )
    if settings.access_log.form not in ACCESS_FORMS:
        raise ConfigError(
            f"access_log.form = {settings.access_log.form!r} must be one of"
            f" {', '.join(ACCESS_FORMS)} ({file})."
        )
    try:
        Trust.of(settings.gateway.trusted_proxies)
    except ValueError as error:
        raise ConfigError(f"gateway.trusted_proxies: {error} ({file}).") from None
    unknown = set(settings.sandbox.without) - set(MEASURES)
    if unknown:
        raise ConfigError(
            f"sandbox.without: no measure {min(unknown)!r}; there are: {', '.join(MEASURES)}."
        )
    if settings.log.form not in {"auto", "plain", "json"}:
        raise ConfigError(f"log.form = {settings.log.form!r} must be auto, plain or json ({file}).")
    if settings.log.level not in LEVELS:
        raise ConfigError(f"log.level = {settings.log.level!r} must be one of {', '.join(LEVELS)}.")


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """Folders in a file are relative to that file; the source folders must be there."""
    sources: dict[str, str] = {}
    for name, place in settings.sources.items():
        if place.startswith(("http://", "https://")):
            _check_address(name, place)
            sources[name] = place
            continue
        if "://" in place:
            scheme = place.partition("://")[0]
            raise ConfigError(f"The source {name!r} must be a folder or http(s), not {scheme!r}.")
        folder = (base / Path(place).expanduser()).resolve()
        if not folder.is_dir():
            raise ConfigError(f"The source {name!r} is no folder and no http(s) address: {place}")
        if str(folder) in _NO_SOURCES:
            raise ConfigError(f"The source {name!r} = {folder} is too wide; name a folder below.")
        sources[name] = str(folder)
    folders = tuple(
        str((base / Path(each).expanduser()).resolve()) for each in settings.app_folders
    )
    gateway = replace(settings.gateway, filters=_absolute(settings.gateway.filters, base))
    certificate, key = settings.tls.certificate, settings.tls.key
    tls = replace(settings.tls, certificate=_absolute(certificate, base), key=_absolute(key, base))
    data = str((base / Path(settings.data).expanduser()).resolve())
    return replace(
        settings, sources=sources, app_folders=folders, data=data, gateway=gateway, tls=tls
    )


def _check_address(name: str, address: str) -> None:
    """Refuse what no file can be asked below; the address may hold a secret, so it is not shown."""
    try:
        parts = urlsplit(address)
        plain = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        plain = False
    if not plain or "?" in address or "#" in address:
        raise ConfigError(
            f"The source {name!r} must be http(s)://host[:port]/path, without a user's name and"
            " password, ? or #: a server that wants them needs a proxy that adds them."
        )


def _absolute(path: str, base: Path) -> str:
    return str((base / Path(path).expanduser()).resolve()) if path else ""
