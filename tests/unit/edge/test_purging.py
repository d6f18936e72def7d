"""Purges: by URL, prefix, tag and all, soft and hard, against fills, restarts and kills."""

# ruff: noqa: ASYNC110, ASYNC220 - counts have no event; these processes are awaited

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.edge import purge_journal
from dynimo.edge.purge import EVERYTHING, Purge, Selector
from dynimo.edge.purges import Purges
from dynimo.edge.stored import Stored

FRESH = "max-age=600"
LENIENT = "max-age=600, stale-while-revalidate=60"

KEYS = st.sampled_from(["h/a", "h/a/b", "h/ab", "g/a", "g/c", "|/a", "h/"])
TAGS = st.lists(st.sampled_from(["red", "blue"]), unique=True).map(tuple)
SELECTORS = st.one_of(
    st.builds(
        Selector, text=st.sampled_from(["h/a", "/a", "h/", "/", "/a/", "|/a"]), prefix=st.booleans()
    ),
    st.builds(Selector, text=st.sampled_from(["red", "blue"]), tag=st.just(value=True)),
    st.just(EVERYTHING),
)


def entry(key: str, tags: tuple[str, ...] = (), stamp: int = 0) -> Stored:
    """Build an answer as it would be stored now."""
    headers = (("surrogate-key", " ".join(tags)),) if tags else ()
    return Stored(
        key=key, names=(), values=(), status=200, headers=headers, body=b"x", born=0.0,
        lifetime=1000.0, stamp=stamp,
    )  # fmt: skip


async def settled(rig: Any) -> None:
    """Wait until every purge is swept and forgotten."""
    async with asyncio.timeout(60):
        while rig.cache.statistics()["purges_pending"]:
            await asyncio.sleep(0.005)


@given(selectors=st.lists(SELECTORS, max_size=4), key=KEYS, tags=TAGS)
def test_the_table_takes_what_each_selector_takes(
    selectors: list[Selector], key: str, tags: tuple[str, ...]
) -> None:
    """An answer stands if no purge after its fill began takes it, and what comes later stands."""
    purges = Purges()
    before = entry(key, tags, purges.number)
    for selector in selectors:
        purges.add(selector, 5.0)
    taken = any(selector.matches(key, tags) for selector in selectors)

    assert (not taken, True) == (
        purges.judge(before),
        purges.judge(entry(key, tags, purges.number)),
    )


@given(selectors=st.lists(SELECTORS, max_size=6), key=KEYS, tags=TAGS)
def test_a_retired_purge_leaves_nothing_behind(
    selectors: list[Selector], key: str, tags: tuple[str, ...]
) -> None:
    """When all are done only those of everything are still known."""
    purges = Purges()
    before = entry(key, tags, purges.number)
    for selector in selectors:
        purges.add(selector, 5.0)
    purges.retire(purges.number)

    assert not purges.pending
    assert purges.judge(before) is (EVERYTHING not in selectors)


def test_a_soft_purge_makes_stale_from_then_on() -> None:
    """What is softly purged stands, and is not fresh after the purge."""
    purges = Purges()
    stale = entry("h/a", ("red",), purges.number)
    purges.add(Selector(text="red", tag=True, soft=True), 5.0)

    assert purges.judge(stale)
    assert (stale.expires, stale.lifetime) == (5.0, 5.0)


async def test_a_tag_takes_all_that_bear_it(rig: Any, reply: Any) -> None:
    """Tags come in either header; others stay; clients see none of them."""
    rig.origin.answers |= {
        "/a": reply(cache_control=FRESH, surrogate_key="red blue"),
        "/b": reply(cache_control=FRESH, cache_tag="green, blue"),
        "/c": reply(cache_control=FRESH, cache_tag="red blue"),
    }
    for path in "abc":
        answer = await rig.get(f"/{path}")
        again = await rig.get(f"/{path}")
        assert not {"surrogate-key", "cache-tag"} & {*dict(answer.headers.pairs)}
        assert not {"surrogate-key", "cache-tag"} & {*dict(again.headers.pairs)}

    assert await rig.cache.purge(tag="blue") == 2
    assert [await rig.account(f"/{path}") for path in "abc"] == [
        "fwd=uri-miss; stored", "fwd=uri-miss; stored", "hit; ttl=600",
    ]  # fmt: skip


@pytest.mark.parametrize("looked", ["inspect", "top"])
async def test_a_look_does_not_bring_back_what_was_purged(
    rig: Any, reply: Any, looked: str
) -> None:
    """Between a purge and its sweep an operator looks; the purged answer is gone all the same."""
    rig.origin.answers["/a"] = reply(b"old", cache_control=FRESH)
    await rig.get("/a")
    await rig.get("/a")
    rig.origin.answers["/a"] = reply(b"new", cache_control=FRESH)
    await rig.cache.purge("/a")
    seen = await (rig.cache.inspect("/a") if looked == "inspect" else rig.cache.top(9))
    pending = rig.cache.statistics()["purges_pending"]

    assert (seen, pending) == ([], 1), "looked at before the sweep"
    assert (await rig.get("/a")).body == b"new"


async def test_tags_are_shown_where_a_setting_says_so(make_rig: Any, reply: Any) -> None:
    """For a cache behind this one."""
    rig = await make_rig(tags_shown=True)
    rig.origin.answers["/a"] = reply(cache_control=FRESH, surrogate_key="red")
    shown = [(await rig.get("/a")).headers.get("surrogate-key") for _ in range(2)]

    assert shown == ["red", "red"]


@pytest.mark.parametrize("how", [{"url": "/a"}, {"url": "/", "prefix": True}, {"tag": "red"},
                                 {"everything": True}])  # fmt: skip
async def test_a_soft_purge_serves_stale_while_it_asks_again(
    rig: Any, reply: Any, how: dict[str, Any]
) -> None:
    """The old answer is used once more as stale-while-revalidate allows, then the new one."""
    rig.origin.answers["/a"] = reply(b"old", cache_control=LENIENT, surrogate_key="red")
    await rig.get("/a")
    rig.origin.answers["/a"] = reply(b"new", cache_control=LENIENT)
    rig.clock.time += 10

    assert await rig.cache.purge(**how, soft=True) == 1
    rig.clock.time += 1
    stale = await rig.get("/a")
    async with asyncio.timeout(60):
        while (new := await rig.get("/a")).body == b"old":
            await asyncio.sleep(0.001)

    assert (stale.body, new.body) == (b"old", b"new")
    assert "detail=stale-while-revalidate" in stale.headers.get("cache-status")


async def test_all_that_was_softly_purged_is_not_made_anew_at_once(
    make_rig: Any, reply: Any
) -> None:
    """It is given meanwhile, and made anew as fast as other things are."""
    rig = await make_rig()
    for number in range(50):
        rig.origin.answers[f"/{number}"] = reply(b"old", cache_control=FRESH)
        await rig.get(f"/{number}")
    for number in range(50):
        rig.origin.answers[f"/{number}"] = reply(b"new", cache_control=FRESH)
    before = rig.origin.count
    rig.clock.time += 10
    await rig.cache.purge(everything=True, soft=True)
    bodies = []
    for _ in range(10):
        rig.clock.time += 1
        bodies += [(await rig.get(f"/{number}")).body for number in range(50)]
        await asyncio.sleep(0)
    made = rig.origin.count - before

    assert bodies[:50] == [b"old"] * 50
    assert 5 <= made <= 25, "fifty were made at once, ten seconds ago"
    rig.clock.time += 300
    assert [(await rig.get(f"/{number}")).body for number in range(50)] == [b"new"] * 50


async def test_a_soft_purge_without_leave_to_be_stale_asks_first(make_rig: Any, reply: Any) -> None:
    """Softly purged and nothing said about staleness, where no time is set: as if expired."""
    rig = await make_rig(soft_purge_seconds=0.0)
    rig.origin.answers["/a"] = reply(cache_control=FRESH, etag='"1"')
    await rig.get("/a")
    await rig.cache.purge("/a", soft=True)
    rig.clock.time += 1

    assert (await rig.account("/a")).startswith("fwd=stale")


async def test_a_tag_purge_holds_for_a_fill_under_way(rig: Any, reply: Any) -> None:
    """What bears the tag and was asked for before is given to who asked then, and not stored."""
    bodies = iter([b"old", b"new"])
    rig.origin.answers["/a"] = lambda _: reply(
        next(bodies), cache_control=FRESH, surrogate_key="red"
    )
    rig.origin.gate.clear()
    first = asyncio.ensure_future(rig.get("/a"))
    await rig.origin.asked.wait()
    await rig.cache.purge(tag="red")
    late = asyncio.ensure_future(rig.get("/a"))
    await asyncio.sleep(0)
    rig.origin.gate.set()

    assert (await first).body == b"old"
    assert (await late).body == b"new"
    assert (await rig.get("/a")).body == b"new"


async def test_who_joins_a_purged_fill_asks_anew_together(rig: Any, reply: Any) -> None:
    """A body that is still coming was purged by its tag: the next answer serves all who come."""
    end = asyncio.Event()

    async def slowly() -> AsyncGenerator[bytes, None]:
        yield b"old"
        await end.wait()

    first = reply(cache_control=FRESH, surrogate_key="red")
    first.body, first.pieces = b"", slowly()
    answers = iter([first, reply(b"new", cache_control=FRESH, surrogate_key="red")])
    rig.origin.answers["/a"] = lambda _: next(answers)
    old = await rig.get("/a")
    await rig.cache.purge(tag="red")
    late = await asyncio.gather(*(rig.get("/a") for _ in range(4)))
    end.set()

    assert [answer.body for answer in late] == [b"new"] * 4
    assert b"".join([piece async for piece in old.pieces]) == b"old"
    assert (await rig.get("/a")).body == b"new"
    assert rig.origin.count == 2


async def test_a_purge_of_a_prefix_reaches_what_its_decisions_led_to(rig: Any, reply: Any) -> None:
    """Though the decision is made anew, the object that it names is not the old one."""
    rig.origin.answers["/a/1"] = reply(dynimo_forward="/b", cache_control=FRESH)
    rig.origin.answers["/b"] = reply(b"old", cache_control=FRESH)
    await rig.get("/a/1")
    rig.origin.answers["/b"] = reply(b"new", cache_control=FRESH)
    await rig.cache.purge("/a/", prefix=True)

    assert (await rig.get("/a/1")).body == b"new"


async def test_what_is_swept_is_gone_and_forgotten(rig: Any, reply: Any) -> None:
    """Behind the purge, what it took leaves memory and disk, and the purge leaves the table."""
    for number in range(20):
        rig.origin.answers[f"/{number}"] = reply(b"%d" % number, cache_control=FRESH)
        await rig.get(f"/{number}")
    await rig.cache.purge("/1", prefix=True)
    await settled(rig)
    counts = rig.cache.statistics()

    assert counts["memory_entries"] == 9
    assert counts.get("disk_entries", 9) == 9


async def test_purges_hold_for_what_only_the_disk_has(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """After a restart with an empty memory; hard, soft, and by tag."""
    first = await make_rig(disk_folder=tmp_path)
    for path in ("/a", "/b", "/c", "/d"):
        first.origin.answers[path] = reply(b"old", cache_control=LENIENT, surrogate_key=path[1:])
        await first.get(path)
    await first.cache.close()
    second = await make_rig(disk_folder=tmp_path)
    second.origin.answers = {p: reply(b"new", cache_control=LENIENT) for p in ("/a", "/b", "/c")}
    assert await second.cache.purge("/a") == 1
    assert await second.cache.purge(tag="b") == 1, second.cache.statistics()
    assert await second.cache.purge("/c", soft=True) == 1
    second.clock.time += 1

    assert [(await second.get(path)).body for path in ("/a", "/b")] == [b"new", b"new"]
    assert (await second.account("/c")).startswith("fwd=stale")
    assert await second.account("/d") == "hit; ttl=599"


@pytest.mark.parametrize("swept", [False, True])
async def test_a_purge_outlives_a_restart(
    make_rig: Any, reply: Any, tmp_path: Path, *, swept: bool
) -> None:
    """Whether its sweep had ended or not."""
    first = await make_rig(disk_folder=tmp_path)
    for path in ("/a", "/b"):
        first.origin.answers[path] = reply(b"old", cache_control=FRESH, surrogate_key=path[1:])
        await first.get(path)
    await first.cache.purge(tag="a")
    if swept:
        await settled(first)
    await first.cache.close()
    second = await make_rig(disk_folder=tmp_path)
    second.origin.answers["/a"] = reply(b"new", cache_control=FRESH)

    assert (await second.get("/a")).body == b"new"
    assert (await second.get("/b")).body == b"old"


PURGER = """
import asyncio, json, os, sys
from pathlib import Path
from dynimo.edge import cache, config
from dynimo.backends.clocks import SystemClock
from dynimo.web import message

async def origin(request):
    headers = [("cache-control", "max-age=600"), ("surrogate-key", "t" + request.path[2:3])]
    return message.Response(status=200, headers=message.Headers(headers), body=os.urandom(2000))

async def main():
    held = cache.Cache(origin, settings=config.Config(disk_folder=Path(sys.argv[1])),
                       clock=SystemClock(), offers=lambda path: ())
    await held.open()
    async def fill():
        for number in range(100000):
            headers = message.Headers([("host", "a.example")])
            await held(message.Request(method="GET", path=f"/a{number % 500}", headers=headers))
            await asyncio.sleep(0)
    filling = asyncio.create_task(fill())
    while held.statistics()["disk_writes"] < 400:
        await asyncio.sleep(0.01)
    filling.cancel()
    await asyncio.gather(filling, return_exceptions=True)
    await held.purge(tag="t1")
    await held.purge("/a2", prefix=True)
    print("purged", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_kill_right_after_the_answer_undoes_no_purge(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """What was purged is not found again by the next life, and what was not is."""
    process = subprocess.Popen(
        [sys.executable, "-c", PURGER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"purged\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    rig = await make_rig(disk_folder=tmp_path)
    found = {}
    for number in range(500):
        rig.origin.answers[f"/a{number}"] = reply(b"new", cache_control=FRESH)
        request = await rig.get(f"/a{number}")
        found[number] = request.body != b"new"

    taken = {number for number in found if str(number)[0] in "12"}
    assert not any(found[number] for number in taken)
    assert any(found.values())


def test_the_journal_gives_back_what_is_not_done(tmp_path: Path) -> None:
    """Numbers only rise from life to life, and a line that was cut off never counted."""
    path = tmp_path / "purges.log"
    first = purge_journal.Journal(path)
    start, _, _ = first.open()
    made = [
        Purge(number=start + n, at=1.5, selector=selector)
        for n, selector in enumerate(
            [Selector(text="/a"), Selector(text="red", tag=True, soft=True), EVERYTHING], 1
        )
    ]
    first.append(made)
    first.append([], done=start + 1)
    first.close()
    with path.open("ab") as file:
        file.write(b'{"purge": 1')
    second = purge_journal.Journal(path)
    number, done, kept = second.open()
    second.close()

    assert (start + 1, made[1:]) == (done, kept)
    assert number > start + 3


@pytest.mark.parametrize("line", ["nonsense", "{}x", json.dumps({"purge": "x", "url": "/"}), "[]"])
def test_a_journal_that_cannot_be_read_purges_everything(tmp_path: Path, line: str) -> None:
    """Rather all than one too few; and what is stored from now on stands."""
    path = tmp_path / "purges.log"
    path.write_text(f'{{"number": {10**17}, "done": 0}}\n{line}\n')
    opened = purge_journal.Journal(path)
    number, _, kept = opened.open()
    opened.close()
    purges = Purges()
    purges.begin(number, 0, kept)

    assert number > 10**17
    assert not purges.judge(entry("h/a", stamp=10**17 + 5))
    assert purges.judge(entry("h/a", stamp=purges.number))


async def test_a_purge_that_cannot_be_written_says_so(
    make_rig: Any, reply: Any, tmp_path: Path
) -> None:
    """It holds while the server runs, and the caller hears that a crash may undo it."""
    rig = await make_rig(disk_folder=tmp_path)
    rig.origin.answers["/a"] = reply(b"old", cache_control=FRESH)
    await rig.get("/a")
    os.close(rig.cache._disk._journal._file)
    rig.cache._disk._journal._file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        await rig.cache.purge("/a")
    rig.origin.answers["/a"] = reply(b"new", cache_control=FRESH)

    assert (await rig.get("/a")).body == b"new"
