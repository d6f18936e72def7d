"""One line a request in a file in the data folder, turned over by size: for who counts visitors.

Lines are collected on the loop and written by a thread of this file's own, so that no request waits
for a disk. What does not fit is counted and said. No secret is written (``web.masking``).
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from dynimo.ports import Clock
from dynimo.web import masking
from dynimo.web.message import Headers, Request, Response

log = logging.getLogger("dynimo")

FILE = "access.log"
FLUSH_SECONDS = 0.25
PENDING_MAX = 20_000
TEXT_CHARACTERS_MAX = 1000
FORMS = ("off", "combined", "json")
_STRANGE = re.compile(r'[^\x20-\x7e]|["\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The access log: ``form`` is off, combined (as of other web servers) or json.

    A file that has ``bytes_max`` becomes ``access.log.1``; ``files_max`` are kept in all.
    """

    form: str = "off"
    bytes_max: int = 64 * 1024 * 1024
    files_max: int = 5


class Entry(NamedTuple):
    """What is kept of a request until it is written. ``bytes`` is of the body; -1 is not known."""

    when: float
    peer: str
    method: str
    path: str
    query: str
    headers: Headers
    status: int
    answered: Headers
    bytes: int
    seconds: float
    request_id: str
    version: str


class AccessLog:
    """Collects answered requests; a thread writes them."""

    def __init__(self, folder: Path, config: Config, clock: Clock, *, name: str = FILE) -> None:
        self._clock = clock
        self._pending: list[Entry] = []
        self._dropped = 0
        self._cancel: Callable[[], None] | None = None
        self._writer = _Writer(folder / name, config)

    def add(self, request: Request, response: Response, seconds: float) -> None:
        """Note one answered request; called on the loop."""
        if len(self._pending) >= PENDING_MAX:
            self._dropped += 1
            return
        size = len(response.body) if response.pieces is None else -1
        self._pending.append(
            Entry(
                self._clock.now(), request.peer, request.method, request.path, request.query,
                request.headers, response.status, response.headers, size, seconds,
                request.request_id, request.version,
            )
        )  # fmt: skip
        if self._cancel is None:
            self._cancel = self._clock.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._cancel = None
        if self._writer.take(self._pending, self._dropped):
            self._pending, self._dropped = [], 0
        if self._pending:
            self._cancel = self._clock.call_later(FLUSH_SECONDS, self._flush)

    def close(self) -> None:
        """Write what is left, and wait for it."""
        if self._cancel is not None:
            self._cancel()
        self._writer.close(self._pending, self._dropped)
        self._pending = []


class _Writer:
    """The thread that writes one batch at a time, and turns the files over."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._config = config
        self._line = _json if config.form == "json" else _combined
        self._work = threading.Event()
        self._batch: tuple[list[Entry], int] | None = None
        self._ending = False
        self._failed = False
        self._file: IO[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def take(self, entries: list[Entry], dropped: int) -> bool:
        """Write these; False while the batch before is being written."""
        if self._batch is not None:
            return False
        self._batch = (entries, dropped)
        self._work.set()
        return True

    def close(self, entries: list[Entry], dropped: int) -> None:
        """Write these last, and end."""
        self._ending = True
        self._work.set()
        self._thread.join()
        self._write(entries, dropped)
        if self._file is not None:
            self._file.close()

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            batch = self._batch
            if batch is not None:
                self._write(*batch)
                self._batch = None
            if self._ending:
                return

    def _write(self, entries: list[Entry], dropped: int) -> None:
        if not entries and not dropped:
            return
        lines = b"".join(map(self._line, entries))
        try:
            file = self._opened(len(lines))
            file.write(lines)
            file.flush()
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("%s cannot be written: %s", self._path, error)
            self._failed = True
        if dropped:
            log.warning("%s: %d requests more than could be written", self._path, dropped)

    def _opened(self, more: int) -> IO[bytes]:
        """The file to write to; another one if the present one is full."""
        if self._file is None:
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(number, "ab")
        size = os.fstat(self._file.fileno()).st_size
        if not size or size + more <= self._config.bytes_max:
            return self._file
        self._file.close()
        self._file = None
        self._turn_over()
        return self._opened(0)

    def _turn_over(self) -> None:
        kept = max(1, self._config.files_max)
        if kept == 1:
            self._path.unlink()
            return
        for number in range(kept - 1, 0, -1):
            older = self._named(number - 1)
            if older.exists():
                older.replace(self._named(number))

    def _named(self, number: int) -> Path:
        return self._path.with_name(f"{FILE}.{number}") if number else self._path


def _combined(entry: Entry) -> bytes:
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(entry.when))
    target = _quoted(masking.target(entry.path, entry.query))
    referer = _quoted(masking.address(entry.headers.get("referer"))) or "-"
    agent = _quoted(entry.headers.get("user-agent")) or "-"
    size = entry.bytes if entry.bytes >= 0 else "-"
    return (
        f'{entry.peer or "-"} - - [{when}] "{entry.method} {target} HTTP/{entry.version}"'
        f' {entry.status} {size} "{referer}" "{agent}"\n'
    ).encode()


def _json(entry: Entry) -> bytes:
    line = {
        "time": round(entry.when, 3),
        "peer": entry.peer,
        "method": entry.method,
        "version": entry.version,
        "host": entry.headers.get("host"),
        "target": masking.target(entry.path, entry.query)[:TEXT_CHARACTERS_MAX],
        "status": entry.status,
        "bytes": entry.bytes if entry.bytes >= 0 else None,
        "seconds": round(entry.seconds, 6),
        "referer": masking.address(entry.headers.get("referer"))[:TEXT_CHARACTERS_MAX],
        "user_agent": entry.headers.get("user-agent")[:TEXT_CHARACTERS_MAX],
        "cache": entry.answered.get("cache-status"),
        "request": entry.request_id,
    }
    return msgspec.json.encode(line) + b"\n"


def _quoted(text: str) -> str:
    """A text that cannot end its quotes, nor its line."""
    return _STRANGE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text[:TEXT_CHARACTERS_MAX])
