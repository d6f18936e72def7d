"""A segment on the disk: torn ends are cut, an index is trusted only as far as it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.logs import layout
from dynimo.logs.reading import Scan, Wanted
from dynimo.logs.records import Row
from dynimo.logs.segment import Segment


def _row(number: int, stream: str = "s", size: int = 10) -> Row:
    return (number, stream, "function", "", f"{number:0{size}d}")


def _times(folder: Path, **wanted: object) -> list[int]:
    return [each.record.when_ms for each in Scan(folder, Wanted(**wanted))]  # type: ignore[arg-type]


def test_a_record_torn_at_any_byte_is_cut_and_the_rest_stays(tmp_path: Path) -> None:
    """Whatever a crash left of the last record, the ones before it are there, and new ones fit."""
    segment = Segment(tmp_path, 1)
    segment.append([_row(1), _row(2)])
    kept = segment.end.offset
    segment.append([(3, "s", "function", "r", 'ü "quoted"\nand more')])
    segment.rest()
    path = layout.segment_file(tmp_path, 1)
    whole = path.read_bytes()

    for cut in range(kept, len(whole)):
        path.write_bytes(whole[:cut])
        opened = Segment(tmp_path, 1)
        assert opened.end.offset == kept
        opened.append([_row(4)])
        opened.rest()
        assert _times(tmp_path) == [1, 2, 4]
    path.write_bytes(whole)
    assert Segment(tmp_path, 1).end.offset == len(whole)


def test_damage_in_the_middle_costs_its_own_lines_only(tmp_path: Path) -> None:
    """A disk may give back nonsense; it is passed over."""
    segment = Segment(tmp_path, 1)
    segment.append([_row(1), _row(2), _row(3)])
    segment.rest()
    path = layout.segment_file(tmp_path, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * (len(lines[1]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))

    assert _times(tmp_path) == [1, 3]
    again = Segment(tmp_path, 1)
    again.append([_row(4)])
    assert _times(tmp_path) == [1, 3, 4]


def _filled(folder: Path, number: int = 1, *, first: int = 0, count: int = 3000) -> int:
    """A finished segment of many blocks; its size without the index."""
    segment = Segment(folder, number)
    for at in range(first, first + count, 100):
        segment.append([_row(each, f"s{each // 1000}", 100) for each in range(at, at + 100)])
    segment.finish()
    return segment.end.offset


class _CountingScan(Scan):
    """Counts the bytes that a question costs."""

    cost = 0

    def _spend(self, block: object) -> bool:
        before = self._left
        spent = super()._spend(block)  # type: ignore[arg-type]
        self.cost += before - self._left
        return spent


def test_the_index_spares_what_is_out_of_range(tmp_path: Path) -> None:
    """Time and stream each rule blocks out without reading them."""
    size = _filled(tmp_path)

    by_time = _CountingScan(tmp_path, Wanted(since_ms=2500, until_ms=2510))
    by_stream = _CountingScan(tmp_path, Wanted(stream={"s1"}.__contains__))

    assert [each.record.when_ms for each in by_time] == list(range(2500, 2510))
    assert [each.record.when_ms for each in by_stream] == list(range(1000, 2000))
    assert by_time.cost < size / 3
    assert by_stream.cost < size * 2 / 3


@pytest.mark.parametrize("damage", ["gone", "torn", "ahead", "nonsense"])
def test_a_damaged_index_changes_no_answer(tmp_path: Path, damage: str) -> None:
    """It is only a shortcut; opening the segment mends it."""
    _filled(tmp_path)
    index = layout.index_file(tmp_path, 1)
    whole = index.read_bytes()
    if damage == "gone":
        index.unlink()
    else:
        ahead = whole + b'[9999999,99999999,1,2,{"s":[1,1,2]}]\n'
        damaged = {"torn": whole[:-20], "ahead": ahead, "nonsense": b"\xff\n" + whole}
        index.write_bytes(damaged[damage])

    assert _times(tmp_path, since_ms=1490, until_ms=1500) == list(range(1490, 1500))
    segment = Segment(tmp_path, 1)
    segment.append([_row(3000)])
    segment.finish()
    assert _times(tmp_path, since_ms=2990) == list(range(2990, 3001))


def test_backwards_is_forwards_reversed(tmp_path: Path) -> None:
    """Over several segments, from any position."""
    _filled(tmp_path, 1, count=1500)
    _filled(tmp_path, 2, first=1500, count=1500)
    forth = list(Scan(tmp_path, Wanted()))
    back = list(Scan(tmp_path, Wanted(), backwards=True))

    assert back == forth[::-1]
    for at in (0, 1, 1499, 1500, 1501, 2999):
        middle = forth[at].at
        assert list(Scan(tmp_path, Wanted(), start=middle)) == forth[at:]
        assert list(Scan(tmp_path, Wanted(), start=middle, backwards=True)) == forth[:at][::-1]


def test_a_budget_ends_a_walk_that_can_be_gone_on_with(tmp_path: Path) -> None:
    """No question costs more than was meant; together the pieces are the whole."""
    _filled(tmp_path)
    found: list[int] = []
    start = layout.START
    walks = 0
    while True:
        scan = Scan(tmp_path, Wanted(), start=start, bytes_max=70_000)
        found += [each.record.when_ms for each in scan]
        walks += 1
        if not scan.exhausted:
            break
        start = scan.position

    assert found == list(range(3000))
    assert walks > 2
