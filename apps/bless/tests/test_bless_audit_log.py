"""The log on a disk: durable, unique, many at once, and whole after any crash."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_records import KEY, ORIGIN, record
from transparency import serials, tree
from transparency.checking import consistent, included
from transparency.export import exported
from transparency.log import Log, LogBrokenError, SerialTakenError
from transparency.store import StoreError
from transparency.verify import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    log = Log(path, ORIGIN)
    yield log
    log.close()


def test_records_come_back_after_a_restart(path: Path) -> None:
    """Number, bytes and serial, from the disk."""
    first = Log(path, ORIGIN)
    numbers = [first.append(record(serial)) for serial in (7, 2**64 - 1, 3)]
    first.close()
    second = Log(path, ORIGIN)

    assert numbers == [0, 1, 2]
    assert second.record(1) == record(2**64 - 1).encoded()
    assert second.number_of(3) == 2
    assert second.append(record(4)) == 3
    assert path.stat().st_mode & 0o777 == 0o600
    second.close()


def test_a_record_is_proved_in_a_signed_head_and_heads_continue_each_other(log: Log) -> None:
    """What an auditor does with what the log gives."""
    log.append_all([record(serial) for serial in range(1, 12)])
    old = log.sign_head(KEY, 1000)
    log.append_all([record(serial) for serial in range(12, 40)])
    new = log.sign_head(KEY, 2000)

    assert old.holds(KEY.public_key())
    assert new.holds(KEY.public_key())
    leaf = tree.leaf_hash(log.record(5))
    assert included(leaf, 5, 11, log.inclusion(5, 11), old.head.root)
    assert included(leaf, 5, 39, log.inclusion(5, 39), new.head.root)
    assert consistent(11, old.head.root, 39, new.head.root, log.consistency(11, 39))
    assert log.head() == new


def test_a_serial_is_recorded_once(log: Log) -> None:
    """The second is refused alone; those beside it are recorded."""
    log.append(record(5))

    assert log.append_all([record(6), record(5), record(7), record(7)]) == [1, None, 2, None]
    with pytest.raises(SerialTakenError):
        log.append(record(6))
    assert log.size() == 3


def test_a_taken_serial_is_drawn_again(log: Log) -> None:
    """Until one is free, or the source of chance is plainly broken."""
    log.append(record(5))
    draws = iter([5, 5, 9])

    assert serials.recorded(log, record, lambda: next(draws)) == (record(9), 1)
    with pytest.raises(SerialTakenError, match="source of chance"):
        serials.recorded(log, record, lambda: 5)
    assert log.size() == 2


def test_serials_are_of_64_bits_and_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH cannot revoke serial 0."""
    assert len({serials.drawn() for _ in range(100)}) == 100
    monkeypatch.setattr("secrets.randbits", lambda bits: 0)
    assert serials.drawn() == 1


def test_many_threads_share_transactions(log: Log, path: Path) -> None:
    """Every one gets its own number, and the log is whole."""
    with ThreadPoolExecutor(16) as pool:
        numbers = list(pool.map(lambda serial: log.append(record(serial)), range(1, 301)))
    log.sign_head(KEY, 1)

    assert sorted(numbers) == list(range(300))
    assert all(log.record(number) == record(at + 1).encoded() for at, number in enumerate(numbers))
    assert verify(exported(path, ORIGIN), KEY.public_key()).good


def test_two_logs_on_one_file_take_turns(path: Path) -> None:
    """As two processes do: neither trusts what it remembers of the tree."""
    one, two = Log(path, ORIGIN), Log(path, ORIGIN)
    numbers = [log.append(record(at)) for at, log in enumerate([one, two, two, one, two, one], 1)]
    one.sign_head(KEY, 9)
    head = two.sign_head(KEY, 5)

    assert numbers == list(range(6))
    assert head.head.time == 9
    assert verify(exported(path, ORIGIN), KEY.public_key()).good
    one.close()
    two.close()


_SHARE = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from audit_records import KEY, ORIGIN, record
from transparency.log import Log
log = Log(Path(sys.argv[1]), ORIGIN)
for serial in range(30):
    log.append(record(int(sys.argv[2]) + serial))
log.sign_head(KEY, 1)
"""


def test_several_processes_append_to_one_file(path: Path) -> None:
    """At once, from nothing: nobody's record is lost, and the log is whole."""
    here = Path(__file__).parent
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _SHARE, str(path), str(first), str(here), str(here.parent)]
        )
        for first in (1, 101, 201)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]

    report = verify(exported(path, ORIGIN), KEY.public_key())
    assert report.findings == ()
    assert (report.records, report.signed) == (90, 90)


def test_a_store_that_is_down_records_nothing(log: Log, path: Path) -> None:
    """Everybody who waits is told, and nothing has a number; later it goes on."""
    log.append(record(1))
    other = sqlite3.connect(path)
    other.execute(
        "CREATE TRIGGER full BEFORE INSERT ON nodes BEGIN SELECT RAISE(ABORT, 'disk'); END"
    )
    other.commit()

    with pytest.raises(StoreError, match="nothing is issued"):
        log.append(record(2))
    with pytest.raises(StoreError):
        serials.recorded(log, record)
    other.execute("DROP TRIGGER full")
    other.commit()
    other.close()
    assert log.append(record(2)) == 1


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    """No log, no issue."""
    with pytest.raises(StoreError, match="nothing is issued"):
        Log(tmp_path / "gone" / "audit.db", ORIGIN)


def test_a_log_of_another_name_is_not_continued(log: Log, path: Path) -> None:
    """Two CAs that share a file by mistake are told."""
    with pytest.raises(StoreError, match="not of 'other'"):
        Log(path, "other")


@pytest.mark.parametrize("verb", ["DELETE FROM records", "UPDATE nodes SET hash = x'00'"])
def test_nothing_is_changed_or_removed(log: Log, path: Path, verb: str) -> None:
    """The tables themselves refuse."""
    log.append(record(1))
    other = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(verb)
    other.close()


def test_a_log_that_was_bent_is_not_signed_for(log: Log, path: Path) -> None:
    """A head is signed only over what continues the last one."""
    log.append_all([record(1), record(2)])
    log.sign_head(KEY, 1)
    other = sqlite3.connect(path)
    other.execute("DROP TRIGGER nodes_UPDATE")
    other.execute("UPDATE nodes SET hash = zeroblob(32) WHERE place = 1 << 48")
    other.commit()
    other.close()

    with pytest.raises(LogBrokenError, match="not those signed for"):
        log.sign_head(KEY, 2)


def test_a_log_from_before_a_fork_is_not_used_after_it(log: Log) -> None:
    """SQLite's locks do not survive it."""
    child = os.fork()
    if not child:
        try:
            log.append(record(1))
        except StoreError:
            os._exit(7)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


_WRITER = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from audit_records import KEY, ORIGIN, record
from transparency.log import Log
log = Log(Path(sys.argv[1]), ORIGIN)
begin = log.size()
for serial in range(begin + 1, begin + 100_000):
    log.append(record(serial))
    print(serial, flush=True)
    if serial % 5 == 0:
        log.sign_head(KEY, serial)
"""


def test_a_writer_that_is_killed_leaves_a_whole_log(path: Path) -> None:
    """At any moment, several times: what was acknowledged is there, and the log goes on."""
    here = Path(__file__).parent
    acknowledged = 0
    for lines in (3, 17, 40):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(here), str(here.parent)],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        for _ in range(lines):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged = int((writer.stdout.read().split() or [acknowledged])[-1])
        writer.wait()
        writer.stdout.close()

        report = verify(exported(path, ORIGIN), KEY.public_key())
        assert report.findings == ()
        assert acknowledged <= report.records <= acknowledged + 1


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose write-ahead log was never brought into its file: file and wal."""
    path = tmp_path_factory.mktemp("wal") / "audit.db"
    log = Log(path, ORIGIN)
    for serial in range(1, 60):
        log.append(record(serial))
        if serial % 7 == 0:
            log.sign_head(KEY, serial)
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    log.close()
    return copy


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1), noise=st.binary(max_size=64))
def test_a_power_cut_leaves_a_whole_log(
    unfinished: Path, tmp_path: Path, share: float, noise: bytes
) -> None:
    """Wherever the write-ahead log ends, and whatever stands there: a shorter, whole log."""
    path = tmp_path / "cut.db"
    shutil.copy(unfinished, path)
    journal = Path(f"{unfinished}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(journal[: int(len(journal) * share)] + noise)
    Path(f"{path}-shm").unlink(missing_ok=True)

    log = Log(path, ORIGIN)
    log.append(record(1000))
    log.sign_head(KEY, 1000)
    log.close()

    assert verify(exported(path, ORIGIN), KEY.public_key()).findings == ()
