"""The meter: each invocation once, whenever the process ends."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dynimo.metering import journal
from dynimo.metering.config import Config
from dynimo.metering.ledger import Ledger
from dynimo.metering.meter import Meter
from dynimo.metering.totals import totals
from dynimo.metering.use import HOUR_MS, Row, Use
from dynimo.ports import Usage

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
NOW_MS = 1_760_000_000_000


def usage(number: int, **changes: object) -> Usage:
    """One good invocation of 10 ms at 512 MiB."""
    fields: dict[str, object] = {
        "id": f"id-{number}", "attempt": 1, "arn": ARN, "version": "1", "alias": "live",
        "ended": "ok", "when_ms": NOW_MS, "billed_ms": 10, "memory_mib": 512, "init_ms": 0.0,
        "queue_ms": 0.25, "max_rss_kib": 1000 + number,
    }  # fmt: skip
    return Usage(**(fields | changes))  # type: ignore[arg-type]


def opened(folder: Path, **changes: object) -> Meter:
    """A meter that counts at once."""
    settings: dict[str, object] = {"fold_seconds": 0.001, "retention_days": 100_000}
    config = Config(**(settings | changes))  # type: ignore[arg-type]
    meter = Meter(folder, config, now=lambda: NOW_MS / 1000)
    meter.open()
    return meter


def counted(folder: Path) -> int:
    """Requests in all."""
    return sum(each.use.requests for each in totals(folder, since_ms=0))


async def test_what_was_used_is_added_up(tmp_path: Path) -> None:
    """Requests, errors, throttles, times and memory, each in its own way."""
    meter = opened(tmp_path)
    meter.record(usage(1, init_ms=12.5))
    meter.record(usage(2, ended="error", billed_ms=20))
    meter.record(usage(3, ended="throttle", billed_ms=0, memory_mib=0))
    meter.held(ARN, "1", mib_seconds=1.5)
    meter.held(ARN, "1", mib_seconds=2.0)
    await meter.close()

    (total,) = totals(tmp_path, since_ms=0)
    assert total.use == Use(
        requests=2,
        errors=1,
        throttles=1,
        billed_ms=30,
        mib_ms=30 * 512,
        inits=1,
        init_us=12_500,
        queue_us=500,
        rss_kib=1002,
        held_mib_ms=3500,
    )


async def test_use_is_told_apart_and_found_by_time(tmp_path: Path) -> None:
    """By version, alias and day; from an hour on; for one function."""
    meter = opened(tmp_path)
    other = ARN + "-other"
    meter.record(usage(1))
    meter.record(usage(2, version="2"))
    meter.record(usage(3, version="10", alias=""))
    meter.record(usage(4, arn=other, when_ms=NOW_MS - 48 * HOUR_MS))
    await meter.close()

    def parts(by: str, **asked: object) -> list[tuple[str, int]]:
        found = totals(tmp_path, **({"since_ms": 0, "by": by} | asked))  # type: ignore[arg-type]
        return [(each.part, each.use.requests) for each in found]

    assert parts("function") == [("", 3), ("", 1)]
    assert parts("version", function="f") == [("1", 1), ("2", 1), ("10", 1)]
    assert parts("alias", function=ARN) == [("", 1), ("live", 2)]
    assert parts("day") == [("2025-10-09", 3), ("2025-10-07", 1)]
    assert parts("function", since_ms=NOW_MS - HOUR_MS) == [("", 3)]


async def test_a_try_is_counted_once_and_another_try_again(tmp_path: Path) -> None:
    """Also across a restart, as long as the journal remembers it."""
    meter = opened(tmp_path)
    meter.record(usage(1))
    meter.record(usage(1))
    meter.record(usage(1, attempt=2))
    await meter.close()
    again = opened(tmp_path)
    again.record(usage(1, attempt=2))
    again.record(usage(2))
    await again.close()

    assert counted(tmp_path) == 3
    assert again.statistics()["usage_repeated"] == 1


async def test_what_is_only_in_the_journal_is_told_too(tmp_path: Path) -> None:
    """Who asks need not wait for the counting, and gets the same answer after it."""
    meter = opened(tmp_path, fold_seconds=3600.0)
    for number in range(10):
        meter.record(usage(number % 8))
    before = totals(tmp_path, since_ms=0)
    await meter.close()

    assert counted(tmp_path) == 8
    assert totals(tmp_path, since_ms=0) == before


async def test_journal_files_are_removed_once_counted(tmp_path: Path) -> None:
    """Only the window that knows repetitions stays."""
    meter = opened(tmp_path, journal_bytes=2000)
    for number in range(2000):
        meter.record(usage(number))
    await meter.close()

    assert len(journal.files(tmp_path)) <= 3
    assert counted(tmp_path) == 2000


def test_a_record_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    """It never returned, so it does not count; what comes after it does."""
    meter = opened(tmp_path, fold_seconds=3600.0)
    meter.record(usage(1))
    path = journal.path(tmp_path, 1)
    one = meter._journal.size  # type: ignore[union-attr]
    meter.record(usage(2))
    whole = path.read_bytes().rstrip(b"\0")
    for cut in range(one, len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        journal.path(folder, 1).write_bytes(whole[:cut])
        Ledger(folder).close()
        assert counted(folder) == 1
        torn = opened(folder, fold_seconds=3600.0)
        torn.record(usage(3))
        assert counted(folder) == 2


def test_what_was_recorded_survives_a_kill(tmp_path: Path) -> None:
    """Also across several windows and files: every record that returned is counted."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from tests.unit.metering.test_meter import opened, usage\n"
        "meter = opened(Path(sys.argv[1]), fold_seconds=3600.0, journal_bytes=300_000)\n"
        "for number in range(6000): meter.record(usage(number))\n"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)

    assert ended.returncode == -9
    assert len(journal.files(tmp_path)) > 2
    assert counted(tmp_path) == 6000


async def test_a_journal_shorter_than_what_was_counted_is_not_written_on(tmp_path: Path) -> None:
    """After a power cut the ledger may know more than the journal; nothing may hide behind that."""
    meter = opened(tmp_path)
    for number in range(10):
        meter.record(usage(number))
    await meter.close()
    path = journal.path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:300])
    again = opened(tmp_path)
    again.record(usage(100))
    await again.close()

    assert counted(tmp_path) == 11


async def test_nonsense_in_the_journal_is_passed_over(tmp_path: Path) -> None:
    """Damage costs its own line only."""
    meter = opened(tmp_path, fold_seconds=3600.0)
    meter.record(usage(1))
    await meter.close()
    with journal.path(tmp_path, 1).open("ab") as file:
        file.write(b'\0\0\n[]\n{"a":1}\n["u"]\n["u","x",1,2,3]\n["z",1]\n')
        file.write(b'["u","i",1,"a","1","","ok","soon",1,2,3,4,5]\n["h",1,2,3,4]\n')
    again = opened(tmp_path)
    again.record(usage(2))
    await again.close()

    assert counted(tmp_path) == 2


async def test_a_disk_that_refuses_is_caught_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage waits in memory, within a limit."""
    meter = opened(tmp_path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dynimo.metering.journal.os.posix_fallocate", full)
        for number in range(5):
            meter.record(usage(number))
        kept = len(meter._unwritten)
    meter.record(usage(5))
    await meter.close()

    assert kept == 5
    assert counted(tmp_path) == 6
    assert meter.statistics()["usage_lost"] == 0


async def test_a_ledger_that_is_locked_loses_nothing(tmp_path: Path) -> None:
    """What could not be counted now is counted later, once."""
    meter = opened(tmp_path, fold_seconds=3600.0)
    meter.record(usage(1))
    meter._ledger._database.execute("pragma busy_timeout = 10")  # type: ignore[union-attr]
    blocker = sqlite3.connect(tmp_path / "usage.sqlite", isolation_level=None)
    blocker.execute("begin immediate")
    with pytest.raises(sqlite3.OperationalError):
        meter._fold()
    blocker.execute("rollback")
    blocker.close()
    meter.record(usage(1))
    meter.record(usage(2))
    await meter.close()

    assert counted(tmp_path) == 2


def test_hours_become_days_and_old_days_go(tmp_path: Path) -> None:
    """Sums stay the same; the peak of memory stays a peak."""
    ledger = Ledger(tmp_path)
    rows = {Row(ARN, "1", "", hour): Use(requests=1, rss_kib=hour) for hour in range(24 * 10)}
    ledger.add(rows, (1, 5))
    ledger.compact(by_day_before=24 * 9 + 5, drop_before=24 * 2)
    left = dict(ledger.rows(0))
    ledger.close()

    assert sum(use.requests for use in left.values()) == 24 * 8
    assert left[Row(ARN, "1", "", 48)] == Use(requests=24, rss_kib=71)
    assert len(left) == 7 + 24


def test_nothing_counted_is_said(tmp_path: Path) -> None:
    """A folder without a ledger is no empty bill."""
    with pytest.raises(FileNotFoundError):
        totals(tmp_path, since_ms=0)


RECORDER = """
import os, sys
from pathlib import Path
from dynimo.metering.config import Config
from dynimo.metering.meter import Meter
from dynimo.ports import Usage

config = Config(fold_seconds=0.002, journal_bytes=20_000)
meter = Meter(Path(sys.argv[1]), config, now=lambda: 1_760_000_000)
meter.open()
for number in range(10_000_000):
    meter.record(Usage(
        id=f"{sys.argv[2]}-{number}", attempt=1, arn="a", version="1", alias="", ended="ok",
        when_ms=1_760_000_000_000, billed_ms=1, memory_mib=1024,
    ))
    os.write(1, b".")
"""


def test_killed_at_any_moment_it_counts_what_returned(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """Each run is killed while it writes, counts and rotates; only the one in flight is open."""
    returned = 0
    runs = 6
    for turn in range(runs):
        told = tmp_path / f"told-{turn}"
        with told.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", RECORDER, str(tmp_path / "m"), str(turn)], stdout=file
            )
            wait_until(lambda told=told, turn=turn: told.stat().st_size > 50 + 622 * turn)
            time.sleep(0.006 * turn)
            process.kill()
            process.wait()
        returned += told.stat().st_size
        total = counted(tmp_path / "m")
        assert returned <= total <= returned + turn + 1
