"""What a purge of nginx's cache takes, on files as nginx writes them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynimo.edge.purge import EVERYTHING, Selector, selector
from dynimo.nginx import cached
from dynimo.nginx.purger import KEPT_SECONDS, UNDER_WAY_SECONDS, Purger

NOW = 1_000_000.0


class Cache:
    """A cache folder that nginx might have written, and a purger with a clock by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cache"
        self.file = folder / "catalogue.sqlite3"
        self.now = NOW
        self.count = 0
        self.purger = self.opened()

    def opened(self) -> Purger:
        return Purger(self.folder, self.file, now=lambda: self.now)

    def put(
        self, key: str, tags: str = "", *, generation: int = 7, arrived: float = NOW - 60,
        version: int = cached.VERSION, name: str = "",
    ) -> Path:  # fmt: skip
        """Store an answer as nginx does: aside, then by rename."""
        self.count += 1
        name = name or f"{self.count:032x}"
        whole = f"\nKEY: {generation}|http|*/*||{key}\n".encode()
        head = f"HTTP/1.1 200 OK\r\nSurrogate-Key: {tags}\r\nX: 1\r\n\r\n".encode()
        begin = 336 + len(whole)
        fixed = struct.pack(
            "@QqqqqqIHHHB128sB128s16s0Q", version, int(NOW) + 600, 0, 0, 0, int(arrived), 0, 0,
            begin, begin + len(head), 0, b"", 0, b"", b"",
        )  # fmt: skip
        place = self.folder / name[-1] / name[-3:-1] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f"{name}.0000000001")
        aside.write_bytes(fixed + whole + head + b"body")
        return aside.rename(place)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """An empty one."""
    made = Cache(tmp_path)
    yield made
    made.purger.close()


@pytest.mark.parametrize(
    ("chosen", "gone"),
    [
        (selector("http://a.org/x?y"), {"a.org/x?y"}),
        (selector("/x?y"), {"a.org/x?y", "b.org/x?y"}),
        (selector("/x", prefix=True), {"a.org/x?y", "b.org/x?y", "a.org/xx"}),
        (selector("http://a.org/x", prefix=True), {"a.org/x?y", "a.org/xx"}),
        (Selector(text="red", tag=True), {"a.org/xx", "a.org/z"}),
        (Selector(text="re", tag=True), set()),
    ],
)
def test_a_purge_takes_what_it_names(cache: Cache, chosen: Selector, gone: set[str]) -> None:
    """The same words select the same as in Dynimo's own cache."""
    tags = {"a.org/x?y": "blue", "b.org/x?y": "", "a.org/xx": "blue red", "a.org/z": "red"}
    paths = {key: cache.put(key, tag) for key, tag in tags.items()}

    assert cache.purger.purge(chosen) == len(gone)
    assert {key for key, path in paths.items() if not path.exists()} == gone
    assert cache.purger.purge(chosen) == 0


def test_what_is_replaced_is_known_by_its_new_tags(cache: Cache) -> None:
    """Also across a restart; and what nginx dropped itself is forgotten."""
    old = cache.put("a/x", "red", name="a" * 32)
    dropped = cache.put("a/y", "red")
    cache.purger.look()
    cache.put("a/x", "blue", name="a" * 32)
    dropped.unlink()
    cache.purger.close()
    cache.purger = cache.opened()

    assert cache.purger.purge(Selector(text="red", tag=True)) == 0
    assert old.exists()
    assert cache.purger.purge(Selector(text="blue", tag=True)) == 1


def test_a_purge_holds_for_what_is_stored_after_it_and_began_before(cache: Cache) -> None:
    """For a while; what began later stays, and so does what has other tags."""
    cache.purger.purge(Selector(text="red", tag=True))
    late = cache.put("a/1", "red", arrived=NOW)
    soon = cache.put("a/2", "red", arrived=NOW + UNDER_WAY_SECONDS)
    new = cache.put("a/3", "red", arrived=NOW + UNDER_WAY_SECONDS + 1)
    other = cache.put("a/4", "blue", arrived=NOW)
    cache.purger.look()
    assert [path.exists() for path in (late, soon, new, other)] == [False, False, True, True]

    cache.now += KEPT_SECONDS + 1
    later = cache.put("a/5", "red", arrived=NOW)
    cache.purger.look()
    assert later.exists()


def test_a_soft_purge_makes_stale_and_keeps(cache: Cache) -> None:
    """The second that nginx compares with is before now; all else stays as it was."""
    path = cache.put("a/x", "red")
    before = path.read_bytes()

    assert cache.purger.purge(Selector(text="red", tag=True, soft=True)) == 1
    after = path.read_bytes()
    assert struct.unpack_from("@q", after, 8) == (int(NOW) - 1,)
    assert (after[:8], after[16:]) == (before[:8], before[16:])
    assert cache.purger.purge(Selector(text="red", tag=True, soft=True)) == 0


@pytest.mark.parametrize("soft", [False, True])
def test_what_nobody_understands_goes_with_every_purge(cache: Cache, *, soft: bool) -> None:
    """Another nginx's files, or torn ones: they might hold what was purged."""
    strange, torn = cache.put("a/x", version=6), cache.put("a/y")
    os.truncate(torn, 100)
    mine = cache.put("a/z")

    assert cache.purger.purge(Selector(text="red", tag=True, soft=soft)) == 2
    assert [path.exists() for path in (strange, torn, mine)] == [False, False, True]
    assert cache.purger.counts["unreadable"] == 2


def test_a_look_that_was_ended_early_missed_nothing(cache: Cache) -> None:
    """What it did not come to is looked at next time."""
    path = cache.put("a/x", "red")
    cache.purger.hurry()
    cache.purger.look()
    assert cache.purger.counts["files"] == 0
    cache.purger.close()
    cache.purger = cache.opened()

    assert cache.purger.purge(Selector(text="red", tag=True)) == 1
    assert not path.exists()


def test_generations_before_are_swept(cache: Cache) -> None:
    """Their keys are not asked for any more; they only take room."""
    old, mine = cache.put("a/x", generation=6), cache.put("a/y", generation=7)
    cache.purger.look()

    assert not cache.purger.sweep(7)
    assert (old.exists(), mine.exists()) == (False, True)


def test_everything_can_be_made_stale(cache: Cache) -> None:
    """A soft purge of all touches each file, and loses none."""
    paths = [cache.put(f"a/{number}") for number in range(3)]
    soft = Selector(text=EVERYTHING.text, prefix=True, soft=True)
    assert cache.purger.purge(soft) == 3
    assert all(path.exists() for path in paths)
