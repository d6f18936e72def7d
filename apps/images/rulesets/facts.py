"""What is known of titles: a table in a file, or a JSON document on a server, kept in memory.

Nobody waits for a server: it is asked from a thread of its own, and until its answer is there
titles have no facts. What fails leaves what was known, and is said once.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulesets.ruleset import NO_FACTS, Facts, Table

if TYPE_CHECKING:
    import sqlite3

TITLES_MAX = 20_000
"""Titles of a SQLite file that are remembered."""
NAMES_MAX = 100
"""Facts of one title."""
TEXT_MAX = 1_000
"""Characters of a fact."""
LOOK_SECONDS = 1.0
"""How often a file is looked at for changes."""
_SQLITE = b"SQLite format 3\0"


class Titles:
    """The facts of a table. ``clock`` gives seconds; ``complain`` takes a line for each failure."""

    def __init__(
        self,
        table: Table,
        *,
        clock: Callable[[], float] = time.monotonic,
        complain: Callable[[str], object] = sys.stderr.write,
    ) -> None:
        self._table = table
        self._clock = clock
        self._complain = complain
        self._said = ""
        self._document: Mapping[str, Any] | None = None
        self._rows: OrderedDict[str, Facts] = OrderedDict()
        self._database: sqlite3.Connection | None = None
        self._seen: tuple[int, int, int] | None = None
        self._due = float("-inf")
        self._asking = threading.Lock()

    @property
    def trouble(self) -> str:
        """Why the facts could not be read lately; "" if they could."""
        return self._said

    def look(self, title: str) -> Facts | None:
        """Give what is known of a title; None while nothing is there yet."""
        if self._table.url:
            self._refresh_soon()
            if self._document is None:
                return None
        else:
            self._reopen()
            if self._database is not None:
                return self._row(self._database, title)
        found = (self._document or {}).get(title)
        return plain(found) if isinstance(found, dict) else NO_FACTS

    def refresh(self) -> None:
        """Ask the server now, and wait for it."""
        import urllib.request  # noqa: PLC0415 - several MiB, for those who need it

        asked = {"accept": "application/json"}
        request = urllib.request.Request(self._table.url, headers=asked)  # noqa: S310 - http(s)
        seconds = self._table.timeout_seconds
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - too
                self._take(answer.read(self._table.bytes_max + 1))
        except (OSError, ValueError, EOFError) as error:
            self._failed(f"{getattr(error, 'reason', error)}")

    def _refresh_soon(self) -> None:
        now = self._clock()
        if now < self._due or not self._asking.acquire(blocking=False):
            return
        self._due = now + self._table.refresh_seconds

        def ask() -> None:
            try:
                self.refresh()
            finally:
                self._asking.release()

        threading.Thread(target=ask, daemon=True).start()

    def _reopen(self) -> None:
        """Read the file again if it is another than the one that was read."""
        import sqlite3  # noqa: PLC0415 - for those who need it

        now = self._clock()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        path = Path(self._table.file)
        try:
            state = path.stat()
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen == self._seen:
                return
            self._seen = seen
            with path.open("rb") as file:
                beginning = file.read(len(_SQLITE))
                if beginning != _SQLITE:
                    self._take(beginning + file.read(self._table.bytes_max + 1))
                    return
            database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            database.row_factory = sqlite3.Row
            database.execute(self._query, ("",)).fetchone()
        except (OSError, sqlite3.Error) as error:
            self._failed(f"{error}")
            return
        self._database, self._document, self._said = database, None, ""
        self._rows.clear()

    @property
    def _query(self) -> str:
        table, key = self._table.table, self._table.key  # plain identifiers: `reading` checks
        # With its table before it: SQLite takes a quoted column that is not there for a text.
        return f'SELECT * FROM "{table}" WHERE "{table}"."{key}" = ?'  # noqa: S608 - as above

    def _row(self, database: sqlite3.Connection, title: str) -> Facts:
        import sqlite3  # noqa: PLC0415 - it is loaded by now

        known = self._rows.get(title)
        if known is not None:
            self._rows.move_to_end(title)
            return known
        try:
            row = database.execute(self._query, (title,)).fetchone()
        except sqlite3.Error as error:
            self._failed(f"{error}")
            return NO_FACTS
        found = NO_FACTS if row is None else plain(dict(row))
        self._rows[title] = found
        if len(self._rows) > TITLES_MAX:
            self._rows.popitem(last=False)
        return found

    def _take(self, data: bytes) -> None:
        if len(data) > self._table.bytes_max:
            self._failed(f"more than {self._table.bytes_max} bytes")
            return
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            self._failed("no JSON")
            return
        if not isinstance(found, dict):
            self._failed("not an object of titles")
            return
        self._document, self._database, self._said = found, None, ""

    def _failed(self, reason: str) -> None:
        """Say once what is wrong; whose address it is stays out of it."""
        if reason != self._said:
            self._said = reason
            self._complain(f"title facts cannot be read, what was known stays: {reason}\n")


def plain(found: Mapping[str, Any]) -> Facts:
    """Give the facts of a title that are texts, numbers, true or false."""
    made: dict[str, Any] = {}
    for name, value in list(found.items())[:NAMES_MAX]:
        if isinstance(value, str):
            made[name] = value[:TEXT_MAX].encode("utf-8", "replace").decode()
        elif value is None or isinstance(value, int | float | bool):
            made[name] = value
    return made
