"""What an operator may see of the stored answers: one of them in full, and those asked for most.

Looks, and counts no hit. Nothing is changed here.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

from dynimo.edge import index, purge
from dynimo.edge.stored import Stored
from dynimo.edge.tiers import Tiers

LOOKED_AT_MAX = 1000
"""Answers shown at once."""


async def inspect(store: Tiers, url: str, now: float) -> list[dict[str, Any]]:
    """Return what is stored for a URL (``http://host/path?query``; ``/path?query`` for any host).

    Raises:
        ValueError: it is no URL.
    """
    chosen = purge.selector(url)
    if chosen.one_key:
        held = store.memory.variants(chosen.text)
    else:
        all_held = store.memory.entries()
        held = await asyncio.to_thread(
            lambda: [entry for entry in all_held if chosen.matches(entry.key)]
        )
    found = {each.place: _told(each, now) for each in held[:LOOKED_AT_MAX] if store.stands(each)}
    rows = None
    if store.disk is not None:
        rows = await store.disk.ask(lambda db: index.find_all(db, chosen, LOOKED_AT_MAX))
    for row in rows or ():
        entry = row.stored(b"")
        if entry.place in found:
            found[entry.place]["tier"] = "memory and disk"
        elif store.stands(entry):
            found[entry.place] = _told(entry, now, row)
    return list(found.values())


async def top(store: Tiers, limit: int, now: float) -> list[dict[str, Any]]:
    """Return the answers that were asked for most, the most first; dead ones are left out."""
    limit = min(limit, LOOKED_AT_MAX)
    held = store.memory.entries()
    most = await asyncio.to_thread(heapq.nlargest, limit, held, lambda entry: entry.uses)
    found = {entry.place: _told(entry, now) for entry in most if store.stands(entry)}
    rows = None
    if store.disk is not None:
        rows = await store.disk.ask(lambda db: index.most_hit(db, limit))
    for row in rows or ():
        entry = row.stored(b"")
        if entry.place in found:
            found[entry.place]["tier"] = "memory and disk"
        elif row.hits and store.stands(entry):
            found[entry.place] = _told(entry, now, row)
    return heapq.nlargest(limit, found.values(), key=lambda each: int(each["hits"]))


def _told(entry: Stored, now: float, row: index.Row | None = None) -> dict[str, Any]:
    """Describe one answer; with ``row`` it is only on disk, and its body was not read."""
    host, slash, rest = entry.key.partition("/")
    return {
        "key": entry.key,
        "host": host,
        "target": slash + rest,
        "variant": entry.selecting,
        "status": entry.status,
        "tier": "memory" if row is None else "disk",
        "bytes": len(entry.body) if row is None else row.length,
        "type": next((value for name, value in entry.headers if name == "content-type"), ""),
        "age_seconds": entry.age(now),
        "fresh_seconds": entry.ttl(now),
        "stale_while_revalidate_seconds": int(entry.stale_while_revalidate),
        "stale_if_error_seconds": int(entry.stale_if_error),
        "tags": list(entry.tags),
        "hits": entry.uses,
        "etag": entry.etag,
        "leads_to": entry.forward,
    }
