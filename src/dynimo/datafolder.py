"""The data folder: who owns it, where its server listens, and the key to change its state.

Here live the few files at the folder's top; what parts keep in folders of their own is theirs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dynimo.model.errors import ConfigError

KEY_FILE = "admin.key"
ADDRESS_FILE = "address"
LOCK_FILE = "lock"
PRIVATE_FOLDERS = ("cache", "logs", "metering", "zips")
"""What only the platform reads. Code is read by functions too, under users of their own."""

PRIVATE_FILES = ("functions.sqlite3", "backlog.sqlite3")
"""They hold functions' variables and events. SQLite gives the files beside them the same mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """A folder that this process alone uses, from ``own`` until ``release``."""

    path: Path
    lock: IO[str]

    @classmethod
    def own(cls, path: Path) -> DataFolder:
        """Make the folder and hold it for this process; the kernel lets go when the process ends.

        Raises:
            ConfigError: it cannot be made, or another process holds it.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            file = (path / LOCK_FILE).open("a+")
        except OSError as error:
            text = (
                f"The data folder {path} cannot be used: {error.strerror}; choose another --data."
            )
            raise ConfigError(text) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise ConfigError(
                f"The data folder {path} is in use by {holder};"
                " stop that, or choose another --data."
            ) from None
        _keep_private(path)
        folder = cls(path=path, lock=file)
        folder.withdraw_address()  # of one that was killed
        file.truncate(0)
        file.write(f"pid {os.getpid()}")
        file.flush()
        return folder

    def key(self) -> str:
        """The key that purges; made on first use, readable by its owner only."""
        path = self.path / KEY_FILE
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            key = secrets.token_urlsafe(24)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(key + "\n")
            return key

    def publish_address(self, address: str) -> None:
        """Say where the server listens, for other programs on this machine."""
        scratch = self.path / f".{ADDRESS_FILE}"
        scratch.write_text(address + "\n")
        scratch.replace(self.path / ADDRESS_FILE)

    def withdraw_address(self) -> None:
        """Say that nothing listens."""
        with contextlib.suppress(OSError):
            (self.path / ADDRESS_FILE).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others have the folder."""
        self.lock.close()


def _keep_private(path: Path) -> None:
    """Let nobody else on this machine read what functions say and are told."""
    for name in PRIVATE_FOLDERS:
        (path / name).mkdir(exist_ok=True)
        (path / name).chmod(0o700)
    for name in PRIVATE_FILES:
        os.close(os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for each in path.glob(f"{name}*"):
            each.chmod(0o600)
