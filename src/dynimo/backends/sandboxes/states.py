"""The folders that apps keep: each made once, of one user, and looked at before it is given.

No link is followed below the folder of all of them, which only the server can enter. What lies in
a state is its app's business.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

MODE = 0o700
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class States:
    """The states below ``folder``.

    With ``users`` each gets one of these user ids for itself, which no other function runs as;
    without, they are the server's own.
    """

    def __init__(self, folder: Path, users: range | None) -> None:
        self._folder = folder.absolute()
        self._users = users

    def of(self, app: str) -> Path:
        """The folder of an app's state, made if need be. ``app`` is a checked name.

        Raises:
            OSError: it cannot be made, or is no folder, or holds what no state holds.
        """
        self._folder.mkdir(mode=MODE, exist_ok=True)
        with _opened(self._folder) as parent:
            if os.geteuid() == 0:
                os.fchown(parent, 0, 0)
            os.fchmod(parent, MODE)
            with contextlib.suppress(FileExistsError):
                os.mkdir(app, MODE, dir_fd=parent)
            with _opened(app, parent) as state:
                _give(state, self._owner(parent, app, os.fstat(state).st_uid))
                os.fchmod(state, MODE)
        return self._folder / app

    def _owner(self, parent: int, app: str, now: int) -> int:
        """Whose it is to be: as now if that is somebody of its own."""
        if self._users is None:
            return os.geteuid()
        names = [name for name in os.listdir(parent) if name != app]
        others = {os.stat(each, dir_fd=parent, follow_symlinks=False).st_uid for each in names}
        if now in self._users and now not in others:
            return now
        for uid in self._users:
            if uid not in others:
                return uid
        raise OSError(f"all {len(self._users)} users for states are taken")


@contextlib.contextmanager
def _opened(path: Path | str, parent: int | None = None) -> Iterator[int]:
    """Open a folder that is no link."""
    descriptor = os.open(path, _FOLDER, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def owner(folder: Path, users: range | None) -> int:
    """The user who owns a state.

    Raises:
        OSError: it is not there, is no folder, or belongs to somebody who may not have one.
    """
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    fit = status.st_uid in users if users is not None else status.st_uid == os.geteuid()
    if not fit:
        raise PermissionError(f"{folder} belongs to user {status.st_uid}")
    return status.st_uid


def _give(folder: int, uid: int) -> None:
    """Make it all a user's. Only root can, after a restore or a start under other measures."""
    if os.fstat(folder).st_uid == uid:
        return
    for _, folders, files, at in os.fwalk(".", dir_fd=folder):
        for name in (*folders, *files):
            _check(name, os.stat(name, dir_fd=at, follow_symlinks=False))
            os.chown(name, uid, uid, dir_fd=at, follow_symlinks=False)
    os.fchown(folder, uid, uid)  # last: until then it is not done


def _check(name: str, status: os.stat_result) -> None:
    """A link could make something else a function's."""
    plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not plain and not stat.S_ISDIR(status.st_mode):
        raise OSError(f"{name!r} in a state is neither a folder nor a file of one name")
