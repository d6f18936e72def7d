"""The store: what is written is found, within limits that hold whatever functions do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dynimo.logs import groups, layout
from dynimo.logs.reading import Scan, Wanted
from dynimo.logs.store import LINE_CHARACTERS_MAX, LINE_COST_BYTES, Store
from tests.unit.logs.conftest import ACCOUNT, line

Opener = Callable[..., Store]
GROUP = "/aws/lambda/f"


def _folder(store: Store, group: str = GROUP) -> Path:
    return layout.group_folder(store.folder, ACCOUNT, group)


def _texts(store: Store, group: str = GROUP) -> list[str]:
    return [each.record.text for each in Scan(_folder(store, group), Wanted())]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_lines_are_found_in_order_after_settling(open_store: Opener) -> None:
    """Once ``settle`` returns, what was written before it can be read."""
    store = open_store()
    for number in range(500):
        store.write(line(f"line {number}", when_ms=number))
    await store.settle()

    assert _texts(store) == [f"line {number}" for number in range(500)]


async def test_lines_reach_the_disk_by_themselves(open_store: Opener) -> None:
    """Nobody has to ask, so that another process can follow."""
    store = open_store()
    store.write(line("hello"))
    for _ in range(500):
        if _texts(store):
            break
        await asyncio.sleep(0.01)

    assert _texts(store) == ["hello"]


async def test_a_store_goes_on_where_it_was(open_store: Opener) -> None:
    """After a restart the same segment grows on."""
    first = open_store()
    first.write(line("one", when_ms=1))
    await first.close()
    second = open_store()
    second.write(line("two", when_ms=2))
    await second.settle()

    assert _texts(second) == ["one", "two"]
    assert len(list(_folder(second).glob("*.jsonl"))) == 1


async def test_segments_are_rotated_and_a_group_keeps_within_its_limit(open_store: Opener) -> None:
    """The oldest go; the newest stay; another group loses nothing."""
    store = open_store(segment_bytes=20_000, group_bytes_max=100_000)
    store.write(line("quiet", group="/q"))
    for number in range(5_000):
        store.write(line(f"{number:0100d}", when_ms=number))
        if number % 1000 == 999:
            await store.settle()

    texts = _texts(store)
    assert texts[-1] == f"{4999:0100d}"
    assert texts == [f"{number:0100d}" for number in range(5_000 - len(texts), 5_000)]
    assert _size(_folder(store)) <= 100_000 + 1000 * 150
    assert _texts(store, "/q") == ["quiet"]


async def test_all_together_keep_within_the_total(open_store: Opener) -> None:
    """Who holds most pays first, also when nobody has a finished segment."""
    store = open_store(segment_bytes=20_000, total_bytes_max=200_000)
    store.write(line("small", group="/small"))
    for turn in range(20):
        for group in range(30):
            for number in range(10):
                store.write(line("x" * 100, group=f"/g{group}", when_ms=turn * 10 + number))
        await store.settle()
    await store.act(lambda keeper: keeper.tidy())

    assert _size(store.folder) <= 200_000 + 31 * 200
    assert _texts(store, "/small") == ["small"]


async def test_who_writes_too_fast_loses_lines_and_is_told_how_many(open_store: Opener) -> None:
    """The queue is bounded for each group; the others do not notice."""
    store = open_store(queue_group_bytes_max=100_000, flush_seconds=60.0)
    for number in range(10_000):
        store.write(line("x" * 300, when_ms=number))
    store.write(line("still here", group="/other"))
    await store.settle()

    texts = _texts(store)
    kept = texts.count("x" * 300)
    assert kept == 100_000 // (300 + LINE_COST_BYTES)
    assert texts[-1] == (
        f"[dynimo] {10_000 - kept} lines were lost here: more was written than the log could take."
    )
    assert store.dropped == 10_000 - kept
    assert _texts(store, "/other") == ["still here"]


async def test_a_gigabyte_of_log_fills_neither_memory_nor_disk(open_store: Opener) -> None:
    """What one function can print at most is bounded in every place where it could pile up."""
    store = open_store(segment_bytes=200_000, group_bytes_max=1_000_000)
    text = "y" * 60_000
    waiting = 0
    for _ in range(1_000_000_000 // len(text)):
        store.write(line(text))
        waiting = max(waiting, int(store.statistics()["bytes_waiting"]))
    await store.settle()

    assert waiting <= store.config.queue_group_bytes_max
    assert _size(store.folder) <= 1_000_000 + store.config.queue_group_bytes_max + 200_000


async def test_many_groups_share_one_bounded_queue(open_store: Opener) -> None:
    """The whole queue has a limit too."""
    store = open_store(queue_bytes_max=50_000, flush_seconds=60)
    for number in range(1000):
        store.write(line("x", group=f"/g{number}"))

    assert int(store.statistics()["bytes_waiting"]) <= 50_000
    assert store.dropped > 0


async def test_old_segments_go_by_the_groups_own_retention(
    open_store: Opener, tmp_path: Path
) -> None:
    """A finished segment whose last line came before that is removed."""
    store = open_store(segment_bytes=1000)
    for number in range(40):
        store.write(line("x" * 100, when_ms=number))
        await store.settle()
    await store.close()
    for path in _folder(store).glob("*.jsonl"):
        os.utime(path, (1_000_000, 1_000_000))
    await open_store(retention_days=1).settle()

    assert groups.names(store.folder, ACCOUNT) == [GROUP]
    assert _texts(store) == []


async def test_a_full_disk_loses_lines_and_says_so_afterwards(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written when little is free; the count of what was lost follows."""
    store = open_store()
    store.write(line("before"))
    await store.settle()
    with monkeypatch.context() as patch:
        patch.setattr("dynimo.logs.keeper.FREE_CHECK_SECONDS", 0.0)
        patch.setattr(
            "dynimo.logs.keeper.os.statvfs",
            lambda _: os.statvfs_result((4096, 4096, 9, 0, -1, 9, 9, 9, 0, 255)),
        )
        for _ in range(3):
            store.write(line("lost"))
        await store.settle()
        assert store.statistics()["disk_error"]
    store.write(line("after"))
    await store.settle()

    assert _texts(store) == [
        "before",
        "after",
        "[dynimo] 3 lines were lost here: more was written than the log could take.",
    ]
    assert store.statistics()["disk_error"] == ""


async def test_odd_names_and_texts_are_kept_as_they_are(open_store: Opener) -> None:
    """No name leads out of the folder; no text breaks a line."""
    store = open_store()
    names = ["..", ".", "/", "/../../etc", "a/b#c", "x" * 400, "ä+b", "~", "/aws/lambda/..%2f"]
    for name in names:
        store.write(line(f'in {name}\n"and" more', group=name))
    store.write(line("lone \ud800 surrogate", group="/s"))
    await store.settle()

    assert sorted(groups.names(store.folder, ACCOUNT)) == sorted([*names, "/s"])
    for name in names:
        assert _texts(store, name) == [f'in {name}\n"and" more']
    assert _texts(store, "/s") == ["lone ? surrogate"]
    assert {path.name for path in store.folder.parent.iterdir()} == {"logs"}


async def test_a_line_that_is_too_long_is_cut(open_store: Opener) -> None:
    """And says that it was."""
    store = open_store()
    store.write(line("z" * (LINE_CHARACTERS_MAX + 1)))
    await store.settle()

    (text,) = _texts(store)
    assert len(text) == LINE_CHARACTERS_MAX
    assert text.endswith("[line cut by Dynimo]")


async def test_a_deleted_group_is_gone_and_may_begin_again(open_store: Opener) -> None:
    """As on AWS: the next line makes it anew."""
    from dynimo.logs.keeper import Key

    store = open_store()
    store.write(line("old"))
    key = Key(ACCOUNT, GROUP)
    assert await store.act(lambda keeper: keeper.delete_group(key)) is True
    assert _texts(store) == []
    assert await store.act(lambda keeper: keeper.delete_group(key)) is False
    store.write(line("new"))
    await store.settle()

    assert _texts(store) == ["new"]


async def test_following_gives_lines_as_they_come(open_store: Opener) -> None:
    """Those of the group only; a slow reader loses the oldest and is told how many."""
    store = open_store(queue_group_bytes_max=100_000_000)
    feed = store.follow(ACCOUNT, GROUP)
    store.write(line("other", group="/other"))
    for number in range(5000):
        store.write(line(str(number)))
    feed.close()
    store.write(line("too late"))
    texts = [each.text async for each in feed]

    assert texts == [str(number) for number in range(5000 - 4096, 5000)]
    assert feed.lost == 5000 - 4096


async def test_a_folder_that_cannot_be_used_costs_the_lines_only(tmp_path: Path) -> None:
    """The platform goes on without its logs."""
    from dynimo.logs.config import Config

    (tmp_path / "logs").write_text("a file")
    store = Store(tmp_path / "logs", Config())
    store.open()
    store.write(line("x"))
    await store.settle()
    assert store.statistics()["disk_error"]
    await store.close()


GROUPS = 500


async def test_many_groups_are_loaded_again(open_store: Opener) -> None:
    """Opening learns what is there without reading it."""
    store = open_store(flush_seconds=0.0)
    for number in range(GROUPS):
        store.write(line("x", group=f"/g/{number}"))
    await store.close()
    second = open_store()
    assert await second.act(lambda keeper: keeper.groups) == GROUPS
    second.write(line("y", group="/g/7"))
    await second.settle()

    assert _texts(second, "/g/7") == ["x", "y"]


WRITER = """
import sys, asyncio
from pathlib import Path
from dynimo.logs.config import Config
from dynimo.logs.store import Store
from dynimo.ports import Line

async def main():
    store = Store(Path(sys.argv[1]), Config(flush_seconds=0.001, segment_bytes=30_000))
    store.open()
    start = int(sys.argv[2])
    for number in range(start, start + 100_000):
        text = str(number)
        store.write(Line(group="/k", stream="s", when_ms=number, text=text, account="0" * 12))
        if number % 50 == 0:
            await store.settle()
            print(number, flush=True)

asyncio.run(main())
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_settled(tmp_path: Path) -> None:
    """Each run begins where the killed one stopped; no line is torn, none twice."""
    settled: list[int] = []
    start = 0
    for turn in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "logs"), str(start)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        settled += [int(process.stdout.readline()) for _ in range(5 + 15 * turn)]
        process.kill()
        settled += [int(each) for each in process.stdout.read().split("\n")[:-1]]
        process.wait()
        process.stdout.close()
        start = settled[-1] + 1000
    folder = layout.group_folder(tmp_path / "logs", ACCOUNT, "/k")
    found = [int(each.record.text) for each in Scan(folder, Wanted())]

    assert sorted(set(found)) == sorted(found)
    assert set(settled) <= set(found)
