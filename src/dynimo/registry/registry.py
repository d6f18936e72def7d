"""Publishes apps as immutable versions, and finds them again after a restart.

An app's folder is copied once, under the hash of its content; a function whose content and
declaration did not change keeps its version. Rows live in SQLite, content in plain folders.
Nothing here starts, imports or runs anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dynimo.model.errors import DeployError, FunctionNotFound
from dynimo.model.function import Configuration, Logging, Version
from dynimo.registry.config import Config
from dynimo.sdk import app as sdk_app

SKIPPED_NAMES = frozenset({"__pycache__", ".git", ".venv", "node_modules", "tests"})
_SCHEMA = """
create table if not exists version (
    function text not null,
    number integer not null,
    sha256 text not null,
    declared text not null,
    primary key (function, number)
) strict;
"""


class Registry:
    """The versions of every function, in ``folder``. One process at a time owns a folder."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._code = folder / "code"
        self._config = config
        self._code.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "functions.sqlite3")
        self._database.execute("pragma journal_mode = wal")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def publish(self, app: sdk_app.App) -> list[Version]:
        """Make each function of ``app`` current; an unchanged one keeps its version.

        Raises:
            DeployError: the folder is too large, or holds something that cannot be copied safely.
        """
        files = _files(app.folder, self._config)
        sha256 = _content_hash(files)
        self._store(files, sha256)
        with self._database:  # one transaction: the whole app changes, or nothing of it does
            return [
                self._publish(app.function_name(short), sha256, _configuration(declared))
                for short, declared in app.functions.items()
            ]

    def latest(self, function: str) -> Version:
        """The newest version.

        Raises:
            FunctionNotFound: nothing by that name was ever published.
        """
        row = self._database.execute(
            "select function, number, sha256, declared from version"
            " where function = ? order by number desc limit 1",
            (function,),
        ).fetchone()
        if row is None:
            raise FunctionNotFound(function)
        return self._version(row)

    def _publish(self, function: str, sha256: str, declared: Configuration) -> Version:
        text = json.dumps(asdict(declared), sort_keys=True)
        try:
            latest = self.latest(function)
        except FunctionNotFound:
            number = 1
        else:
            if (latest.sha256, json.dumps(asdict(latest.configuration), sort_keys=True)) == (
                sha256,
                text,
            ):
                return latest
            number = latest.number + 1
        row = (function, number, sha256, text)
        self._database.execute("insert into version values (?, ?, ?, ?)", row)
        return self._version(row)

    def _version(self, row: tuple[str, int, str, str]) -> Version:
        function, number, sha256, text = row
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in json.loads(text).items()
        }
        return Version(
            function=function,
            number=number,
            sha256=sha256,
            code=self._code / sha256,
            configuration=Configuration(**{**values, "logging": Logging(**values["logging"])}),
        )

    def _store(self, files: list[tuple[str, Path]], sha256: str) -> None:
        """Copy the files to their content's own folder; a half-made copy never has its name."""
        target = self._code / sha256
        if target.is_dir():
            return
        scratch = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self._code))
        try:
            for name, path in files:
                copied = scratch / name
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copied)
                copied.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
                changed = path.stat()
                os.utime(copied, ns=(changed.st_mtime_ns, changed.st_mtime_ns))
            for directory in (scratch, *(each for each in scratch.rglob("*") if each.is_dir())):
                directory.chmod(0o755)
            if _content_hash([(name, scratch / name) for name, _ in files]) != sha256:
                raise DeployError("A file of it changed while it was being copied; deploy again.")
            scratch.rename(target)
        except OSError as error:
            raise DeployError(f"{error.filename or target}: {error.strerror}.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _configuration(declared: sdk_app.Function) -> Configuration:
    """An app's declaration as the configuration of a version."""
    return Configuration(**asdict(declared))


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
