"""Publishes an app's folder: each function becomes a version, and the alias ``live`` leads to it.

The folder is copied once, under the hash of its content; a function whose content and declaration
did not change keeps its version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from dynimo.model.errors import DeployError
from dynimo.model.function import Configuration, Version
from dynimo.model.names import Place
from dynimo.registry.config import Config
from dynimo.registry.records import AliasRecord, Code, FunctionRecord, VersionRecord
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app

LIVE = "live"
"""The alias by which routes call an app's functions."""

GIVEN = ("on_demand", "inherit", "state", "permissions", "settings")
"""What a manifest asks of the server that serves it; it is no part of a version's configuration."""

SKIPPED_NAMES = frozenset({"__pycache__", ".git", ".venv", "node_modules", "tests"})


def publish(
    registry: Registry, app: sdk_app.App, config: Config, place: Place | None = None
) -> list[Version]:
    """Make each function of ``app`` current; an unchanged one keeps its version.

    Raises:
        DeployError: the folder is too large, or holds something that cannot be copied safely, or
            a function of that name was made by somebody else.
    """
    place = place or Place()
    code = content(registry, app, config)
    versions: list[Version] = []
    for short, declared in app.functions.items():
        staged = stage(registry, place, app.function_name(short), code, declared)
        function, record = staged.function, staged.record
        live = function.aliases.get(LIVE)
        if live is None or live.version != record.number or live.additional:
            registry.put_alias(function, AliasRecord(name=LIVE, version=record.number, revision=""))
        versions.append(registry.version(record))
    return versions


def content(registry: Registry, app: sdk_app.App, config: Config) -> Code:
    """Keep the folder's content under its hash. Slow: it reads every file, and may copy them.

    Raises:
        DeployError: as ``publish``.
    """
    files = _files(app.folder, config)
    sha256 = _content_hash(files)
    try:
        registry.contents.keep_copy(sha256, lambda folder: _copy(files, folder, sha256))
    except OSError as error:
        raise DeployError(f"{error.filename or app.folder}: {error.strerror}.") from error
    return Code(sha256=sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A function's version that is there but to which nothing leads yet, and what was before it.

    ``made`` says that the function, ``numbered`` that the version is new; ``latest`` is what
    ``$LATEST`` was.
    """

    function: FunctionRecord
    record: VersionRecord
    latest: VersionRecord
    made: bool
    numbered: bool


def stage(
    registry: Registry, place: Place, name: str, code: Code, declared: sdk_app.Function
) -> Staged:
    """Publish a version of one function of an app; no alias moves. The same one if it is known.

    Raises:
        DeployError: a function of that name was made by somebody else.
    """
    wanted = configured(declared)
    made = not registry.exists(place, name)
    if made:
        function = registry.create(place, name, wanted, code, app=True)
    else:
        function = registry.function(place, name)
        check_owned(function)
    latest = function.latest
    if (latest.configuration, latest.code) != (wanted, code):
        registry.update(function, configuration=wanted, code=code)
    known = set(function.versions)
    record = registry.publish(function)
    return Staged(
        function=function,
        record=record,
        latest=latest,
        made=made,
        numbered=record.number not in known,
    )


def unstage(registry: Registry, staged: Staged) -> None:
    """Take back what ``stage`` did."""
    function, latest = staged.function, staged.latest
    if staged.made:
        registry.delete(function)
        return
    if staged.numbered:
        registry.delete_version(function, staged.record.number)
    if (function.latest.configuration, function.latest.code) != (latest.configuration, latest.code):
        registry.update(function, configuration=latest.configuration, code=latest.code)


def configured(declared: sdk_app.Function) -> Configuration:
    """What an app declares of a function, as the platform's configuration."""
    told = asdict(declared)
    for name in GIVEN:
        del told[name]
    return Configuration(**told, runtime="", role="")


def check_owned(function: FunctionRecord) -> None:
    """Refuse to take over a function that belongs to no app. Raises DeployError."""
    if not function.app:
        raise DeployError(
            f"A function named {function.latest.function!r} is there already and belongs to no app;"
            f" delete it (DeleteFunction) or rename the app."
        )


def _copy(files: list[tuple[str, Path]], target: Path, sha256: str) -> None:
    for name, path in files:
        copied = target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
        copied.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        changed = path.stat()
        os.utime(copied, ns=(changed.st_mtime_ns, changed.st_mtime_ns))
    if _content_hash([(name, target / name) for name, _ in files]) != sha256:
        raise DeployError("A file of it changed while it was being copied; deploy again.")


def _files(folder: Path, config: Config) -> list[tuple[str, Path]]:
    """(relative name, path) of all that belongs to the app, in order, within the limits."""
    found: list[tuple[str, Path]] = []
    size = 0
    for root, directories, names in os.walk(folder):
        directories[:] = sorted(d for d in directories if d not in SKIPPED_NAMES and d[0] != ".")
        for name in sorted(names):
            path = Path(root, name)
            if name.startswith(".") or name.endswith(".pyc"):
                continue
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise DeployError(
                    f"{path} is not a plain file; an app holds files and folders only."
                )
            size += status.st_size
            found.append((path.relative_to(folder).as_posix(), path))
            if len(found) > config.code_files_max or size > config.code_bytes_max:
                raise DeployError(
                    f"{folder} holds more than {config.code_files_max} files"
                    f" or {config.code_bytes_max} bytes (code_files_max, code_bytes_max)."
                )
    return found


def _content_hash(files: list[tuple[str, Path]]) -> str:
    """SHA-256 over names, execute bits and contents; hex."""
    whole = hashlib.sha256()
    for name, path in files:
        with path.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        whole.update(f"{name}\0{os.access(path, os.X_OK):d}\0{content}\n".encode())
    return whole.hexdigest()
