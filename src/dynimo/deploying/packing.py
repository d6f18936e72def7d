"""Files to a zip that is the same whenever the files are: names in order, one date, few modes.

Nothing is uploaded here; limits are AWS's own for a direct upload.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

from dynimo.deploying.wanted import WantedFunction
from dynimo.model.errors import DeployError

ZIP_BYTES_MAX = 50 * 1024 * 1024
FILES_MAX = 20_000
INLINE_MODULE = "index"
_DATE = (1980, 1, 1, 0, 0, 0)
SKIPPED_NAMES = frozenset({"__pycache__", ".git", ".hg", ".mypy_cache", ".pytest_cache",
                           ".ruff_cache"})  # fmt: skip
"""Folders that are never deployed."""
SKIPPED_AT_TOP = frozenset({".venv", "venv", ".dynimo", ".aws-sam", "tests"})
"""The same, at the top only: further down they may be parts of packages that the code imports."""


def zipped(source: Path) -> bytes:
    """Zip a file (alone, under its own name) or a folder's content; a .zip is taken as it is.

    Raises:
        DeployError: it cannot be read, is not made of plain files, or is too large.
    """
    try:
        if source.suffix == ".zip" and source.is_file():
            data = source.read_bytes()
        else:
            data = _zip(_files(source))
    except OSError as error:
        raise DeployError(f"{error.filename or source}: {error.strerror}.") from error
    if len(data) > ZIP_BYTES_MAX:
        raise DeployError(
            f"{source} is {len(data)} bytes zipped; at most {ZIP_BYTES_MAX} can be uploaded."
        )
    return data


def packed(function: WantedFunction) -> bytes:
    """The code of a function, wherever it is; text alone is the module ``index``, as on AWS.

    Raises:
        DeployError: as ``zipped``, or there is none.
    """
    if function.inline:
        suffix = ".js" if str(function.settings.get("Runtime", "")).startswith("nodejs") else ".py"
        return _pack([(INLINE_MODULE + suffix, function.inline.encode(), 0o644)])
    if function.code is None:
        raise DeployError(f"{function.name} has no code here.")
    if not function.code.exists():
        raise DeployError(f"{function.name}: there is no {function.code} to take its code from.")
    return zipped(function.code)


def _files(source: Path) -> list[tuple[str, Path]]:
    if source.is_file():
        return [(source.name, source)]
    if not source.is_dir():
        raise DeployError(f"{source}: no such file or folder.")
    found: list[tuple[str, Path]] = []
    for root, folders, names in os.walk(source):
        skipped = SKIPPED_NAMES | (SKIPPED_AT_TOP if Path(root) == source else frozenset())
        folders[:] = sorted(name for name in folders if name not in skipped)
        for name in sorted(names):
            path = Path(root, name)
            if name.endswith(".pyc"):
                continue
            if not stat.S_ISREG(path.stat().st_mode):
                raise DeployError(f"{path} is not a plain file; remove it or deploy a .zip.")
            found.append((path.relative_to(source).as_posix(), path))
            if len(found) > FILES_MAX:
                raise DeployError(f"{source} holds more than {FILES_MAX} files.")
    if not found:
        raise DeployError(f"{source} holds no files.")
    return found


def _zip(files: list[tuple[str, Path]]) -> bytes:
    return _pack(
        [
            (name, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644)
            for name, path in files
        ]
    )


def _pack(entries: list[tuple[str, bytes, int]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()
