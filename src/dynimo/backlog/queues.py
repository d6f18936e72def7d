"""The built-in queues: listed, shown, redriven, purged. Their messages are in the journal's file.

What puts messages there is told in ``backlog``; how an operator asks, in ``api`` and ``cli``.
"""

from __future__ import annotations

import base64
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from dynimo import ports
from dynimo.backlog import events
from dynimo.backlog.destinations import target
from dynimo.backlog.events import Delivery, Event, Message
from dynimo.backlog.journal import Journal
from dynimo.model.names import LATEST, Place

SHOWN_MAX = 1000
REDRIVE_BATCH = 100
_UNDELIVERED_REASON = "Undelivered"


class Queues:
    """The queues of a journal. ``added`` is told of events and deliveries that a redrive made."""

    def __init__(
        self,
        journal: Journal,
        clock: ports.Clock,
        added: Callable[[str, int, str, int], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._added = added

    async def ask(self, asked: Mapping[str, Any], place: Place) -> dict[str, Any]:
        """Do what an operator asks: ``{"do": "list"|"show"|"redrive"|"purge", "name": …}``.

        ``place`` is whose queues, unless ``account`` says another.

        Raises:
            ValueError: it is no question.
            LookupError: there is no such queue.
        """
        account = asked.get("account", place.account)
        name, limit = asked.get("name", ""), asked.get("limit", 10)
        if not isinstance(account, str) or not isinstance(name, str) or type(limit) is not int:
            raise ValueError("account and name must be texts, limit a number.")
        where = Place(account, place.region)
        does = asked.get("do")
        if does == "list":
            return {"queues": await self.listed(where)}
        if does not in {"show", "redrive", "purge"}:
            raise ValueError("do must be list, show, redrive or purge.")
        if name not in [each["name"] for each in await self.listed(where)]:
            text = f"There is no queue {name!r} that ever held a message"
            raise LookupError(f"{text}; `dynimo queue list` names those that did.")
        if does == "show":
            return {"messages": await self.shown(where, name, limit)}
        if does == "redrive":
            return {"redriven": await self.redrive(where, name)}
        return {"purged": await self.purge(where, name)}

    async def listed(self, place: Place) -> list[dict[str, Any]]:
        """Every queue that ever held a message, with how many it holds now."""
        rows = await self._journal.read(lambda database: events.queues(database, place.account))
        return [
            {"name": name, "messages": count, "arn": arn(Place(account, region), name)}
            for account, region, name, count in rows
            if region == place.region
        ]

    async def shown(self, place: Place, name: str, limit: int) -> list[dict[str, Any]]:
        """The oldest messages, with their bodies."""
        count = max(1, min(limit, SHOWN_MAX))
        held = await self._journal.read(
            lambda database: events.first_messages(database, place, name, count)
        )
        return [_shown(each) for each in held]

    async def redrive(self, place: Place, name: str) -> int:
        """Send every message held now on its way again: as a new event, or to its destination.

        It leaves the queue in the same transaction.
        """
        rest = await self._journal.read(lambda database: events.messages(database, place, name))
        count = 0
        while rest > 0:
            moved = await self._redriven(place, name, min(rest, REDRIVE_BATCH))
            if not moved:
                break
            count += moved
            rest -= moved
        return count

    async def purge(self, place: Place, name: str) -> int:
        """Drop every message."""
        return await self._journal.write(
            lambda database: events.purge_messages(database, place, name)
        )

    async def _redriven(self, place: Place, name: str, count: int) -> int:
        now_ms = int(self._clock.now() * 1000)

        def move(database: sqlite3.Connection) -> tuple[int, list[tuple[str, int, str, int]]]:
            held = events.first_messages(database, place, name, count)
            made = [_again(database, each, now_ms) for each in held]
            events.drop_messages(database, held)
            return len(held), made

        moved, made = await self._journal.write(move)
        for each in made:
            self._added(*each)
        return moved


def arn(place: Place, name: str) -> str:
    """What a configuration names a built-in queue by."""
    return place.arn("dynimo", f"queue/{name}")


def _again(
    database: sqlite3.Connection, message: Message, now_ms: int
) -> tuple[str, int, str, int]:
    """Put a message back on its way: (kind, number, lane, due)."""
    to = target(message.target or message.function)
    if message.target and (to is None or to.kind != "function"):
        attributes = {
            key: value for key, value in message.attributes.items() if key != _UNDELIVERED_REASON
        }
        delivery = Delivery(
            target=message.target, body=message.body, attributes=attributes, created_ms=now_ms,
            due_ms=now_ms,
        )  # fmt: skip
        return "delivery", events.add_delivery(database, delivery), message.target, now_ms
    assert to is not None
    event = Event(
        id=str(uuid.uuid4()),
        place=to.place,
        function=to.name,
        qualifier="" if to.qualifier == LATEST else to.qualifier,
        body=message.body if message.event is None else message.event,
        accepted_ms=now_ms,
        due_ms=now_ms,
    )
    return "event", events.add_event(database, event), event.lane, now_ms


def _shown(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": message.id,
        "kept_ms": message.kept_ms,
        "attributes": {name: value for name, (_, value) in message.attributes.items()},
    }
    if message.function:
        shown["function"] = message.function
    if message.target:
        shown["target"] = message.target
    try:
        shown["body"] = message.body.decode()
    except UnicodeDecodeError:
        shown["body_base64"] = base64.b64encode(message.body).decode()
    return shown
