"""Files for everybody: the list, the CA's keys, the last signed head. Written here, read by others.

They stand in a folder of the state that the function of the HTTP routes sees read-only; so it needs
no database. A file is replaced as a whole, and never half there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from issuing.generations import Generation

FOLDER, LOCK = "published", ".lock"
KRL, AUTHORITIES, HEAD, AUDIT_KEY = "krl", "authorities.json", "head", "audit_key"

_KRL_VERSION, _KRL_HEAD = 12, 20
"""Where a list's version begins and ends, after magic and format (PROTOCOL.krl)."""


@dataclass(frozen=True, slots=True)
class Published:
    """The folder, below the state's."""

    state: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One at a time, of all threads and processes, until the end. Raises OSError."""
        folder = self.state / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / LOCK).open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def write(self, name: str, data: bytes) -> None:
        """Replace a file, `alone`. Raises OSError."""
        folder = self.state / FOLDER
        new = folder / f".{name}.new"
        with new.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(folder / name)

    def read(self, name: str) -> bytes | None:
        """A file; None when there is none yet. Raises OSError."""
        try:
            return (self.state / FOLDER / name).read_bytes()
        except FileNotFoundError:
            return None

    def krl_version(self) -> int:
        """The version of the list that is there, -1 without one. Raises OSError."""
        try:
            with (self.state / FOLDER / KRL).open("rb") as opened:
                return version_of(opened.read(_KRL_HEAD))
        except FileNotFoundError:
            return -1

    def write_authorities(self, found: Sequence[Generation], origin: str) -> None:
        """Write which keys there are. Raises OSError."""
        told = {"origin": origin, "authorities": [one.told() for one in found]}
        self.write(AUTHORITIES, json.dumps(told, separators=(",", ":")).encode())

    def authorities(self) -> dict[str, Any] | None:
        """What `write_authorities` wrote. Raises OSError."""
        data = self.read(AUTHORITIES)
        return None if data is None else dict(json.loads(data))


def etag(data: bytes) -> str:
    """A strong one."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def version_of(krl: bytes) -> int:
    """Which version of the list these bytes, or the first of them, are."""
    return int.from_bytes(krl[_KRL_VERSION:_KRL_HEAD], "big")
