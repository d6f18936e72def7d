"""What counts as a change, and what does not."""

from __future__ import annotations

import os
from pathlib import Path

from dynimo.deploying.watching import state


def test_a_change_of_time_or_size_is_one(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    assert state(file) == frozenset()
    file.write_text("1")
    first = state(file)
    assert state(file) == first
    os.utime(file, ns=(1, 1))
    second = state(file)
    file.write_text("12")
    os.utime(file, ns=(1, 1))
    assert len({first, second, state(file)}) == 3
    file.unlink()
    assert state(file) == frozenset()


def test_a_folder_changes_with_its_files_and_not_with_what_is_never_deployed(
    tmp_path: Path,
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.py").write_text("1")
    before = state(tmp_path)
    for skipped in ("__pycache__", ".git", "tests", ".dynimo"):
        (tmp_path / skipped).mkdir()
        (tmp_path / skipped / "x").write_text("1")
    (tmp_path / "below" / "a.pyc").write_text("1")
    assert state(tmp_path) == before
    (tmp_path / "below" / "b.py").write_text("1")
    assert state(tmp_path) != before
