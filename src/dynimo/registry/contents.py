"""Folders by the hash of what is in them: code, layers, and layers laid over each other.

A folder appears under its name whole or not at all. Nothing here knows functions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from dynimo.registry import zips
from dynimo.registry.config import Config

_INCOMING = ".incoming-"


class Contents:
    """Content under ``folder``: ``code/HASH`` and ``zips/HASH.zip``."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._code = folder / "code"
        self._zips = folder / "zips"
        self.config = self._config = config
        self._code.mkdir(parents=True, exist_ok=True)
        self._zips.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the content of this hash lies."""
        return self._code / sha256

    def zip_path(self, sha256: str) -> Path:
        """Where the zip of this hash lies."""
        return self._zips / f"{sha256}.zip"

    def keep_zip(self, data: bytes) -> str:
        """Unpack a zip and keep both; return its SHA-256 (hex). Slow: not on the event loop.

        Raises:
            InvalidParameterValue: see ``zips.unpack``.
            OSError: the disk refuses.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.path(sha256).is_dir():
            self._made(self.path(sha256), lambda folder: zips.unpack(data, folder, self._config))
        if not self.zip_path(sha256).is_file():
            handle, scratch = tempfile.mkstemp(prefix=_INCOMING, dir=self._zips)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).replace(self.zip_path(sha256))
        return sha256

    def keep_copy(self, sha256: str, fill: Callable[[Path], None]) -> Path:
        """Let ``fill`` make the content of this name, unless it is there already."""
        target = self.path(sha256)
        if not target.is_dir():
            self._made(target, fill)
        return target

    def merged(self, hashes: tuple[str, ...]) -> Path | None:
        """Layers laid over each other, later ones on top; None for none. Slow at first."""
        if not hashes:
            return None
        if len(hashes) == 1:
            return self.path(hashes[0])
        name = hashlib.sha256("/".join(hashes).encode()).hexdigest()

        def fill(folder: Path) -> None:
            for sha256 in hashes:
                _lay_over(self.path(sha256), folder)

        return self.keep_copy(name, fill)

    def sweep(self, used: Iterable[str]) -> int:
        """Remove what no hash in ``used`` names, and half-made things; return how many went."""
        kept, gone = set(used), 0
        for path in (*self._code.iterdir(), *self._zips.iterdir()):
            if path.name.removesuffix(".zip") not in kept:
                gone += 1
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        return gone

    def _made(self, target: Path, fill: Callable[[Path], None]) -> None:
        scratch = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self._code))
        try:
            fill(scratch)
            for folder in (scratch, *(each for each in scratch.rglob("*") if _is_folder(each))):
                folder.chmod(0o755)
            try:
                scratch.rename(target)
            except OSError:
                if not target.is_dir():  # else somebody made the same meanwhile
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _lay_over(source: Path, target: Path) -> None:
    """Copy a tree over another; files are hard links, for content never changes."""
    for root, folders, names in os.walk(source):
        here = target / Path(root).relative_to(source)
        if here.is_symlink() or here.is_file():
            here.unlink()
        here.mkdir(exist_ok=True)
        for name in [*names, *(each for each in folders if Path(root, each).is_symlink())]:
            place = here / name
            if place.is_symlink() or place.is_file():
                place.unlink()
            elif place.is_dir():
                shutil.rmtree(place)
            os.link(Path(root, name), place, follow_symlinks=False)
