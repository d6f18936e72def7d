"""The disk tier: restarts, kills, damage, a full disk. Real files, real processes."""

# ruff: noqa: ASYNC110, ASYNC220, ASYNC221 - counts have no event; these processes are awaited

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynimo.edge import bodies, config, disk, disk_writer, index, purge
from dynimo.edge.stored import Stored

FRESH = "max-age=600"


def entry(key: str, body: bytes = b"body", kind: str = "") -> Stored:
    """Build an object; a kind makes it a variant."""
    return Stored(
        key=key, names=("x",) if kind else (), values=(kind,) if kind else (), status=200,
        headers=(("etag", '"1"'),), body=body, born=1.0, lifetime=600.0,
    )  # fmt: skip


async def opened(folder: Path, **settings: Any) -> disk.DiskTier:
    """Open a tier whose clock counts calls."""
    ticks = iter(range(1, 10**9))
    tier = disk.DiskTier(folder, config.Config(**settings), lambda: float(next(ticks)))
    await tier.open()
    return tier


async def flushed(tier: disk.DiskTier) -> dict[str, int | str]:
    """Wait until all that was put is written; return the counts."""
    async with asyncio.timeout(60):
        await tier.settled()
        while tier.statistics()["disk_pending"]:
            await asyncio.sleep(0.005)
    return tier.statistics()


def taken(text: str) -> purge.Purge:
    """A purge of one URL, later than all."""
    return purge.Purge(number=1, at=1.0, selector=purge.Selector(text=text))


def files(folder: Path) -> list[Path]:
    """Return all body files."""
    return sorted(path for path in folder.glob("??/??/*") if path.is_file())


async def test_objects_survive_a_restart(tmp_path: Path) -> None:
    """What was written is found by the next process, byte for byte."""
    tier = await opened(tmp_path)
    tier.put(entry("h/a", b"one", "1"))
    tier.put(entry("h/a", b"two", "2"))
    await tier.close()
    tier = await opened(tmp_path)
    found = await tier.get("h/a", {"x": "2"})
    assert found is not None
    assert (found.body, found.born, found.lifetime, found.etag) == (b"two", 1.0, 600.0, '"1"')
    assert await tier.get("h/a", {"x": "3"}) is None
    await tier.close()


async def test_an_object_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    """Whatever is wrong with one object, the writer lives on and a purge does not hang."""
    tier = await opened(tmp_path)
    tier.put(entry("h/\ud800"))
    tier.put(entry("h/a"))

    counts = await flushed(tier)

    assert counts["disk_errors"] == 1
    assert await tier.get("h/a", {}) is not None
    await tier.close()


async def test_cache_hits_after_a_restart(make_rig: Any, reply: Any, tmp_path: Path) -> None:
    """A cache that was closed serves from disk, promotes to memory, and asks only the decision."""
    first = await make_rig(disk_folder=tmp_path)
    first.origin.answers["/a"] = reply(cache_control=FRESH)
    await first.get("/a")
    await first.cache.close()
    second = await make_rig(disk_folder=tmp_path)
    assert await second.account("/a") == "hit; ttl=600"
    assert second.cache.statistics()["hits_nowait"] == 0
    await second.get("/a")
    assert (second.cache.statistics()["hits_nowait"], second.origin.count) == (1, 0)


@pytest.mark.parametrize("damage", ["truncated", "longer", "flipped", "deleted", "folder"])
async def test_torn_body_is_never_served(
    make_rig: Any, reply: Any, tmp_path: Path, damage: str
) -> None:
    """A body that is not what was stored is a miss, and is stored anew."""
    body = os.urandom(5000)
    first = await make_rig(disk_folder=tmp_path)
    first.origin.answers["/a"] = reply(body, cache_control=FRESH)
    await first.get("/a")
    await first.cache.close()
    (path,) = files(tmp_path)
    if damage == "truncated":
        os.truncate(path, 4999)
    elif damage == "longer":
        path.write_bytes(body + b"x")
    elif damage == "flipped":
        path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    second = await make_rig(disk_folder=tmp_path)
    second.origin.answers["/a"] = reply(b"new", cache_control=FRESH)
    assert (await second.get("/a")).body == b"new"
    assert second.cache.statistics()["disk_torn"] == 1


async def test_equal_bodies_share_a_file_until_none_needs_it(tmp_path: Path) -> None:
    """Bodies are stored once for all keys; the file goes with the last of them."""
    tier = await opened(tmp_path)
    tier.put(entry("h/a"))
    tier.put(entry("h/b"))
    await flushed(tier)
    assert len(files(tmp_path)) == 1
    await tier.sweep(taken("/a"))
    assert (await tier.get("h/b", {})) is not None
    await tier.sweep(taken("/b"))
    assert files(tmp_path) == []
    await tier.close()


async def test_budget_is_kept_by_dropping_the_least_used(tmp_path: Path) -> None:
    """Above the budget the least recently used objects go, with their files."""
    tier = await opened(tmp_path, disk_bytes=20 * (1000 + index.ROW_BYTES))
    for number in range(15):
        tier.put(entry(f"h/{number}", b"%03d" % number + b"x" * 997))
    await flushed(tier)
    assert await tier.get("h/0", {}) is not None
    await flushed(tier)
    for number in range(15, 25):
        tier.put(entry(f"h/{number}", b"%03d" % number + b"x" * 997))
    counts = await flushed(tier)
    await tier.close()
    assert int(counts["disk_evictions"]) >= 5
    assert len(files(tmp_path)) <= 20
    tier = await opened(tmp_path)
    assert await tier.get("h/0", {}) is not None
    assert await tier.get("h/1", {}) is None
    await tier.close()


async def test_full_queue_drops_and_counts(tmp_path: Path) -> None:
    """More bytes than may wait are not written, and nobody waits for them."""
    tier = await opened(tmp_path, disk_write_bytes_max=10)
    assert not tier.put(entry("h/a", b"x" * 11))
    assert tier.statistics()["disk_dropped"] == 1
    await tier.close()


async def test_nobody_waits_for_one_gathering_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much for one transaction has been gathered: the rest follows at once."""
    monkeypatch.setattr(disk_writer, "GATHER_SECONDS", 3600.0)
    tier = await opened(tmp_path)
    for number in range(3 * disk_writer.BATCH_STEPS_MAX):
        tier.touch(f"key-{number}", 1)
    await asyncio.wait_for(tier.settled(), 60)
    for number in range(3 * disk_writer.BATCH_STEPS_MAX):
        tier.touch(f"key-{number}", 1)
    await asyncio.wait_for(tier.close(), 60)


async def test_variants_on_disk_are_capped(tmp_path: Path) -> None:
    """The oldest variant of a key gives way."""
    tier = await opened(tmp_path, variants_max=2)
    for kind in "123":
        tier.put(entry("h/a", kind.encode(), kind))
    await flushed(tier)
    found = [await tier.get("h/a", {"x": kind}) for kind in "123"]
    assert [one.body if one else None for one in found] == [None, b"2", b"3"]
    await tier.close()


async def test_damaged_index_begins_anew(tmp_path: Path) -> None:
    """An index that is no database is replaced; the cache works."""
    (tmp_path / "index.sqlite").write_bytes(b"nonsense" * 1000)
    tier = await opened(tmp_path)
    tier.put(entry("h/a"))
    await flushed(tier)
    assert await tier.get("h/a", {}) is not None
    await tier.close()


async def test_unusable_folder_turns_the_tier_off(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """When the folder cannot be made, memory alone serves, and statistics say why."""
    (tmp_path / "file").write_bytes(b"")
    rig = await make_rig(disk_folder=tmp_path / "file")
    rig.origin.answers["/a"] = reply(cache_control=FRESH)
    await rig.get("/a")
    assert await rig.account("/a") == "hit; ttl=600"
    assert "Error" in str(rig.cache.statistics()["disk_error"])


async def test_orphans_are_found_later(tmp_path: Path) -> None:
    """A file without a row, left by a kill, is old enough to be seen; a new one is not."""
    store = bodies.Bodies(tmp_path)
    store.open()
    for body in (b"old", b"new"):
        store.write(bodies.name_of(body), body)
    os.utime(store.path(bodies.name_of(b"old")), (0, 0))
    seen = [name for first in range(256) for name in store.old_names(first)]
    assert [bodies.name_of(b"old")] == seen


async def test_purge_while_reading_from_disk_wins(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """What a purge overtakes between disk and memory is not promoted."""
    first = await make_rig(disk_folder=tmp_path)
    first.origin.answers["/a"] = reply(b"old", cache_control=FRESH)
    await first.get("/a")
    await first.cache.close()
    second = await make_rig(disk_folder=tmp_path)
    second.origin.answers["/a"] = reply(b"new", cache_control=FRESH)
    reading = asyncio.ensure_future(second.get("/a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await second.cache.purge("/a")
    assert (await reading).body == b"new"
    assert (await second.get("/a")).body == b"new"


async def test_purge_reaches_objects_whose_decision_is_forgotten(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """After a restart the decision is gone from memory, but a purge still finds its object."""
    first = await make_rig(disk_folder=tmp_path)
    first.origin.answers["/a"] = reply(dynimo_forward="/b", cache_control=FRESH)
    first.origin.answers["/b"] = reply(b"old", cache_control=FRESH)
    await first.get("/a")
    await first.cache.close()
    second = await make_rig(disk_folder=tmp_path)
    second.origin.answers = dict(first.origin.answers, **{"/b": reply(b"new", cache_control=FRESH)})
    assert await second.cache.purge("/a") == 1
    assert (await second.get("/a")).body == b"new"


def assert_agreeing(folder: Path) -> None:
    """Every row has its body, whole; the totals are the sums; tags belong to objects there are."""
    held = bodies.Bodies(folder)
    with contextlib.closing(index.connect(folder / "index.sqlite")) as db:
        rows = db.execute("SELECT file, length, cost FROM objects").fetchall()
        totals = db.execute("SELECT count, bytes FROM totals").fetchone()
        strays = db.execute(
            "SELECT count(*) FROM tags WHERE object NOT IN (SELECT id FROM objects)"
        ).fetchone()
    assert all(held.read(file, length) is not None for file, length, _ in rows)
    assert totals == (len(rows), sum(cost for *_, cost in rows))
    assert strays == (0,)


WRITER = """
import asyncio, os, sys
from pathlib import Path
from dynimo.edge import config, disk
from dynimo.edge.stored import Stored

async def main():
    tier = disk.DiskTier(Path(sys.argv[1]), config.Config(), lambda: 1.0)
    await tier.open()
    for number in range(100000):
        body = (b"%06d" % number) * 5000
        while not tier.put(Stored(key=f"h/{number}", names=(), values=(), status=200, headers=(),
                                  body=body, born=1.0, lifetime=600.0)):
            await asyncio.sleep(0.001)
        if number % 50 == 0:
            await asyncio.sleep(0.001)
            if tier.statistics()["disk_writes"] > 200:
                print("going", flush=True)

asyncio.run(main())
"""


async def test_kill_in_the_middle_of_writing_leaves_only_whole_objects(tmp_path: Path) -> None:
    """After kill -9 every object that is found is whole, and the tier works on."""
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"going\n"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
        tier = await opened(tmp_path)
        whole = 0
        for number in range(400):
            found = await tier.get(f"h/{number}", {})
            if found is not None:
                whole += 1
                assert found.body == (b"%06d" % number) * 5000
        assert whole > 0
        assert_agreeing(tmp_path)
        assert tier.statistics()["disk_torn"] == 0
        assert list((tmp_path / "aside").iterdir()) == []
        await tier.close()


CHURN = """
import asyncio, random, sys
from pathlib import Path
from dynimo.edge import config, disk, purge
from dynimo.edge.stored import Stored

async def main():
    chance = random.Random(int(sys.argv[2]))
    tier = disk.DiskTier(Path(sys.argv[1]), config.Config(disk_bytes=2_000_000), lambda: 1.0)
    await tier.open()
    sweeps = []
    for number in range(1, 100000):
        key, tag = chance.randrange(300), chance.randrange(20)
        body = b"%d " % key * chance.randrange(1, 9000)
        tier.put(Stored(key=f"h/{key}", names=(), values=(), status=200, body=body, born=1.0,
                        headers=(("surrogate-key", f"t{tag}"),), lifetime=600.0, stamp=number))
        if number % 20 == 0:
            chosen = purge.Selector(text=f"t{tag}", tag=True, soft=number % 40 == 0)
            made = purge.Purge(number=number, at=1.0, selector=chosen)
            sweeps.append(asyncio.create_task(tier.sweep(made)))
        if number % 5 == 0:
            await asyncio.sleep(0.001)
        if number == 500:
            print("going", flush=True)

asyncio.run(main())
"""


async def test_kill_amid_replacing_purging_and_evicting_leaves_index_and_bodies_agreeing(
    tmp_path: Path,
) -> None:
    """Wherever it is killed: what the index names is there, whole, and is what its key says."""
    for life in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", CHURN, str(tmp_path), str(life)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"going\n"
        await asyncio.sleep(0.04 * life)  # no condition: a kill at any moment
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
        assert_agreeing(tmp_path)
    tier = await opened(tmp_path)
    found = [(key, await tier.get(f"h/{key}", {})) for key in range(300)]
    assert any(one is not None for _, one in found)
    assert all(set(one.body.split()) == {b"%d" % key} for key, one in found if one is not None)
    assert tier.statistics()["disk_torn"] == 0
    await tier.close()


LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from dynimo.edge import config, disk, purge
from dynimo.edge.stored import Stored

async def main():
    tier = disk.DiskTier(Path(sys.argv[1]), config.Config(), lambda: 1.0)
    await tier.open()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300000, resource.RLIM_INFINITY))
    def stored(key, size):
        return Stored(key=key, names=(), values=(), status=200, headers=(), body=b"x" * size,
                      born=1.0, lifetime=600.0)
    async def settled():
        while tier.statistics()["disk_pending"]:
            await asyncio.sleep(0.01)
    tier.put(stored("h/large", 400000))
    tier.put(stored("h/small", 1000))
    await settled()
    counts = tier.statistics()
    assert counts["disk_errors"] >= 1, counts
    assert await tier.get("h/large", {}) is None
    assert await tier.get("h/small", {}) is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    tier.put(stored("h/more", 100))
    await settled()
    assert tier.statistics()["disk_error"], "the disk is full"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tier.put(stored("h/again", 400000))
    await settled()
    assert tier.statistics()["disk_error"] == "", tier.statistics()
    assert await tier.get("h/again", {}) is not None
    await tier.close()
    print("served on")

asyncio.run(main())
"""


def test_disk_that_takes_no_more(tmp_path: Path) -> None:
    """Writes that fail are counted and named; reading goes on; so does writing, when it can."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "cache")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("served on\n", 0), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
async def test_mounted_disk_that_is_full(make_rig: Any, reply: Any, tmp_path: Path) -> None:
    """On a disk of one megabyte the cache serves on, and says what happened."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("this host does not let us mount")
    try:
        rig = await make_rig(disk_folder=folder)
        for number in range(20):
            body = os.urandom(200_000)
            rig.origin.answers[f"/{number}"] = reply(body, cache_control=FRESH)
            assert body == (await rig.get(f"/{number}")).body
        async with asyncio.timeout(60):
            while rig.cache.statistics()["disk_pending"]:
                await asyncio.sleep(0.01)
        assert int(rig.cache.statistics()["disk_errors"]) > 0
        assert await rig.account("/19") == "hit; ttl=600"
        await rig.cache.close()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_index_totals_are_what_is_held(tmp_path: Path) -> None:
    """The total is right after replacing, dropping and undoing."""
    db = index.Index(index.connect(tmp_path / "index.sqlite"))
    db.begin()
    db.put(entry("h/a", b"x" * 100), "f1", 1.0, 16)
    db.put(entry("h/a", b"x" * 50), "f2", 1.0, 16)
    db.commit()
    db.begin()
    db.put(entry("h/b", b"x" * 100), "f3", 1.0, 16)
    db.rollback()
    total, rows = db.bytes, len(db)
    db.close()
    with sqlite3.connect(tmp_path / "index.sqlite") as again:
        stored = again.execute("SELECT bytes FROM totals").fetchone()[0]
    again.close()
    assert (50 + index.ROW_BYTES, 1, total) == (total, rows, stored)
