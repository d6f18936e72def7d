"""Folder sources: only regular files, within the byte limit, never two versions mixed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import folder
import limits
import refusals
from dynimo.sdk import http

Ask = Callable[..., http.Reply]
LIMITS = limits.Limits(source_bytes=1000)


def read(root: Path, name: str) -> bytes:
    found = folder.open_file(str(root), name, LIMITS)
    try:
        return found.read().data
    finally:
        found.close()


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Bytes, revision and time of the file."""
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    os.utime(path, (1_000_000, 1_000_000))
    found = folder.open_file(str(tmp_path), "a", LIMITS)
    got = found.read()
    found.close()
    assert (got.data, got.modified) == (b"x" * 1000, 1_000_000)
    assert got.revision == found.revision


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """One byte over the limit is 422, naming the limit."""
    (tmp_path / "a").write_bytes(b"x" * 1001)
    with pytest.raises(refusals.Refusal, match="limit source_bytes") as caught:
        read(tmp_path, "a")
    assert caught.value.status == 422


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_what_is_no_regular_file_is_not_there(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A FIFO must not block, a folder is no picture."""
    make(tmp_path / "a")
    with pytest.raises(refusals.Refusal) as caught:
        read(tmp_path, "a")
    assert caught.value.status == 404


def test_a_device_is_not_there(tmp_path: Path) -> None:
    """Links to devices lead out of the folder."""
    (tmp_path / "a").symlink_to("/dev/zero")
    with pytest.raises(refusals.Refusal) as caught:
        read(tmp_path, "a")
    assert caught.value.status == 404


def test_a_loop_of_links_is_not_there(tmp_path: Path) -> None:
    """Links that lead in a circle end."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(refusals.Refusal) as caught:
        read(tmp_path, "a")
    assert caught.value.status == 404


def test_the_root_may_itself_be_a_link(tmp_path: Path) -> None:
    """Deployments often point at a link to the current version."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"x")
    (tmp_path / "current").symlink_to("real")
    assert read(tmp_path / "current", "a") == b"x"


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    """Reading and refusing leave nothing open."""
    (tmp_path / "a").write_bytes(b"x")
    before = set(Path("/proc/self/fd").iterdir())
    for name in ("a", "missing", "a/b", ".", "../x"):
        with contextlib.suppress(refusals.Refusal):
            read(tmp_path, name)
    assert set(Path("/proc/self/fd").iterdir()) == before


LONG_AGO = (1_000_000_000, 1_000_000_000)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``written(N)``: while ``a``, all A, is read, it is overwritten with B in N steps."""
    path = tmp_path / "a"
    path.write_bytes(b"A" * 900)
    os.utime(path, LONG_AGO)
    pread = os.pread

    def begin(count: int) -> None:
        steps = iter(range(count))

        def read_and_write(descriptor: int, size: int, offset: int) -> bytes:
            data = pread(descriptor, size, offset)
            for step in steps:
                with path.open("r+b") as file:
                    os.pwrite(file.fileno(), b"B" * 300, 300 * step % 900)
                break
            return data

        monkeypatch.setattr(os, "pread", read_and_write)

    return begin


def test_a_file_that_changes_meanwhile_is_read_again(
    tmp_path: Path, written: Callable[[int], None]
) -> None:
    """Until nobody writes any more: what is read is one version."""
    written(folder.TRIES_MAX - 1)
    assert read(tmp_path, "a") == b"B" * 900


def test_a_file_that_does_not_stop_changing_is_refused(
    tmp_path: Path, written: Callable[[int], None]
) -> None:
    """503: whoever asks again may be luckier."""
    written(1000)
    with pytest.raises(refusals.Refusal) as caught:
        read(tmp_path, "a")
    assert caught.value.status == 503


def test_a_change_that_its_time_does_not_tell_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within one tick have one time; the first alone is never taken for the file."""
    path = tmp_path / "a"
    path.write_bytes(b"B" * 300 + b"A" * 600)
    first = path.stat().st_mtime_ns

    now = first / 1e9

    def second_write(seconds: float) -> None:
        nonlocal now
        now += seconds
        path.write_bytes(b"B" * 900)
        os.utime(path, ns=(first, first))

    monkeypatch.setattr(time, "sleep", second_write)
    monkeypatch.setattr(time, "time", lambda: now)
    assert read(tmp_path, "a") == b"B" * 900


def test_a_new_version_has_another_revision(tmp_path: Path) -> None:
    """Replacing the file changes the revision, even at equal size and time."""
    path, fresh = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"one")
    os.utime(path, (5, 5))
    old = folder.open_file(str(tmp_path), "a", LIMITS)
    fresh.write_bytes(b"two")
    os.utime(fresh, (5, 5))
    fresh.replace(path)
    new = folder.open_file(str(tmp_path), "a", LIMITS)
    assert old.revision != new.revision
    assert old.read().data == b"one"
    old.close()
    new.close()


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text))
def test_no_name_leads_out(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever the name, an empty folder has nothing to give."""
    root = tmp_path_factory.getbasetemp() / "empty"
    root.mkdir(exist_ok=True)
    with pytest.raises(refusals.Refusal):
        folder.open_file(str(root), name, LIMITS)
