"""The journal's thread: what is at fault fails alone, what is handed in is written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dynimo.backlog.journal import Journal, NotKept

SCHEMA = "create table if not exists thing (name text primary key) strict;"


def add(name: object) -> Callable[[sqlite3.Connection], int]:
    """Insert one."""
    return lambda database: database.execute("insert into thing values (?)", (name,)).lastrowid or 0


async def test_a_piece_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    """Others of its transaction are written all the same; it leaves nothing behind."""
    journal = Journal(tmp_path / "j.sqlite3", SCHEMA)
    journal.open()
    results = await asyncio.gather(
        *(journal.write(add(each)) for each in ("a", "\ud800", "b", "a", object(), "c")),
        return_exceptions=True,
    )
    names = await journal.read(lambda database: database.execute("select * from thing").fetchall())
    await journal.close()

    assert [isinstance(each, NotKept) for each in results] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]
    assert sorted(names) == [("a",), ("b",), ("c",)]


async def test_what_was_handed_in_is_written_before_it_closes(tmp_path: Path) -> None:
    """Even when its caller did not wait; afterwards nothing is taken."""
    journal = Journal(tmp_path / "j.sqlite3", SCHEMA)
    journal.open()
    tasks = [asyncio.create_task(journal.write(add(f"{number}"))) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await journal.close()

    with pytest.raises(NotKept):
        await journal.write(add("late"))
    with sqlite3.connect(tmp_path / "j.sqlite3") as database:
        assert database.execute("select count(*) from thing").fetchone() == (100,)
    database.close()


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """Here: the file may not grow."""
    journal = Journal(tmp_path / "j.sqlite3", SCHEMA)
    journal.open()
    await journal.write(lambda database: database.execute("pragma max_page_count = 3").fetchall())
    with pytest.raises(NotKept, match="full"):
        await journal.write(add("x" * 100_000))
    await journal.write(add("small"))
    await journal.close()
