"""The rows of the backlog's file: events, deliveries and messages of built-in queues; their SQL.

Each function takes the connection of the journal's thread and works within its transaction. When a
row is written, and what follows from it, is decided elsewhere.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from dynimo.model.names import LATEST, Place

SCHEMA = """
create table if not exists event (
    seq integer primary key autoincrement,
    id text not null,
    account text not null,
    region text not null,
    function text not null,
    qualifier text not null,
    body blob not null,
    client_context text not null,
    trace text not null,
    sticky text not null,
    accepted_ms integer not null,
    due_ms integer not null,
    tries integer not null,
    failures integer not null,
    backoffs integer not null
) strict;
create table if not exists delivery (
    seq integer primary key autoincrement,
    target text not null,
    body blob not null,
    attributes text not null,
    created_ms integer not null,
    due_ms integer not null,
    tries integer not null
) strict;
create table if not exists message (
    seq integer primary key autoincrement,
    account text not null,
    region text not null,
    queue text not null,
    id text not null,
    body blob not null,
    attributes text not null,
    kept_ms integer not null,
    function text not null,
    event blob,
    target text not null
) strict;
create index if not exists message_queue on message (account, region, queue, seq);
create table if not exists queue (
    account text not null,
    region text not null,
    name text not null,
    messages integer not null,
    primary key (account, region, name)
) strict;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One accepted event. Times are epoch milliseconds.

    ``tries`` counts how often it was run or refused, ``failures`` those that the function failed,
    ``backoffs`` the throttles and faults since the last one that ran.
    """

    id: str
    place: Place
    function: str
    body: bytes
    accepted_ms: int
    due_ms: int
    qualifier: str = ""
    client_context: str = ""
    trace: str = ""
    sticky: str = ""
    tries: int = 0
    failures: int = 0
    backoffs: int = 0

    @property
    def lane(self) -> str:
        """What is fair to each other: functions."""
        return f"{self.place.account}:{self.function}"

    @property
    def arn(self) -> str:
        """The function as records name it: always qualified."""
        return self.place.function(self.function, self.qualifier or LATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something to be sent to ``target`` (an ARN). ``attributes``: name → (data type, text)."""

    target: str
    body: bytes
    created_ms: int
    due_ms: int
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a built-in queue.

    ``function`` is the (qualified) ARN whose ``event`` it came from, so that it can be redriven;
    an ``event`` of None is the body itself. A message that was on its way somewhere else has a
    ``target`` instead.
    """

    place: Place
    queue: str
    id: str
    body: bytes
    kept_ms: int
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    function: str = ""
    event: bytes | None = None
    target: str = ""
    seq: int = 0


# Events.


def add_event(database: sqlite3.Connection, event: Event) -> int:
    """Keep one; returns its number."""
    row = (
        event.id, event.place.account, event.place.region, event.function, event.qualifier,
        event.body, event.client_context, event.trace, event.sticky, event.accepted_ms,
        event.due_ms, event.tries, event.failures, event.backoffs,
    )  # fmt: skip
    marks = ", ".join("?" * len(row))
    added = database.execute(f"insert into event values (null, {marks})", row)  # noqa: S608 - marks
    return added.lastrowid or 0


def event(database: sqlite3.Connection, seq: int) -> Event | None:
    """One by its number."""
    row = database.execute("select * from event where seq = ?", (seq,)).fetchone()
    if row is None:
        return None
    _, name, account, region, function, qualifier, body, context, trace, sticky, *numbers = row
    accepted_ms, due_ms, tries, failures, backoffs = numbers
    return Event(
        id=name, place=Place(account, region), function=function, qualifier=qualifier, body=body,
        client_context=context, trace=trace, sticky=sticky, accepted_ms=accepted_ms, due_ms=due_ms,
        tries=tries, failures=failures, backoffs=backoffs,
    )  # fmt: skip


def due_events(database: sqlite3.Connection) -> list[tuple[int, str, int]]:
    """(number, lane, due) of all, oldest first."""
    return database.execute(
        "select seq, account || ':' || function, due_ms from event order by seq"
    ).fetchall()


def postpone_event(database: sqlite3.Connection, seq: int, changed: Event) -> None:
    """Note what came of a try, and when the next is due."""
    database.execute(
        "update event set due_ms = ?, tries = ?, failures = ?, backoffs = ? where seq = ?",
        (changed.due_ms, changed.tries, changed.failures, changed.backoffs, seq),
    )


def drop_event(database: sqlite3.Connection, seq: int) -> None:
    """It is over."""
    database.execute("delete from event where seq = ?", (seq,))


# Deliveries.


def add_delivery(database: sqlite3.Connection, delivery: Delivery) -> int:
    """Keep one; returns its number."""
    row = (
        delivery.target, delivery.body, json.dumps(delivery.attributes), delivery.created_ms,
        delivery.due_ms, delivery.tries,
    )  # fmt: skip
    return (
        database.execute("insert into delivery values (null, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0
    )


def delivery(database: sqlite3.Connection, seq: int) -> Delivery | None:
    """One by its number."""
    row = database.execute("select * from delivery where seq = ?", (seq,)).fetchone()
    if row is None:
        return None
    _, target, body, attributes, created_ms, due_ms, tries = row
    return Delivery(
        target=target, body=body, attributes=_attributes(attributes), created_ms=created_ms,
        due_ms=due_ms, tries=tries,
    )  # fmt: skip


def due_deliveries(database: sqlite3.Connection) -> list[tuple[int, str, int]]:
    """(number, target, due) of all, oldest first."""
    return database.execute("select seq, target, due_ms from delivery order by seq").fetchall()


def postpone_delivery(database: sqlite3.Connection, seq: int, *, due_ms: int, tries: int) -> None:
    """Note when the next try is due."""
    database.execute(
        "update delivery set due_ms = ?, tries = ? where seq = ?", (due_ms, tries, seq)
    )


def drop_delivery(database: sqlite3.Connection, seq: int) -> None:
    """It is where it belongs."""
    database.execute("delete from delivery where seq = ?", (seq,))


# Messages of built-in queues.


def add_message(database: sqlite3.Connection, message: Message, *, messages_max: int) -> int:
    """Keep one; returns how many older ones had to go for it."""
    where = (message.place.account, message.place.region, message.queue)
    row = (
        *where, message.id, message.body, json.dumps(message.attributes), message.kept_ms,
        message.function, message.event, message.target,
    )  # fmt: skip
    database.execute("insert into message values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    _count(database, where, 1)
    held = messages(database, message.place, message.queue)
    surplus = held - messages_max
    if surplus > 0:
        database.execute(
            "delete from message where seq in (select seq from message where account = ?"
            " and region = ? and queue = ? order by seq limit ?)",
            (*where, surplus),
        )
        _count(database, where, -surplus)
    return max(0, surplus)


def messages(database: sqlite3.Connection, place: Place, queue: str) -> int:
    """How many a queue holds."""
    row = database.execute(
        "select messages from queue where account = ? and region = ? and name = ?",
        (place.account, place.region, queue),
    ).fetchone()
    return int(row[0]) if row else 0


def queues(database: sqlite3.Connection, account: str | None) -> list[tuple[str, str, str, int]]:
    """(account, region, name, messages) of every queue that ever held something."""
    return database.execute(
        "select * from queue where account = ? or ? is null order by account, region, name",
        (account, account),
    ).fetchall()


def first_messages(
    database: sqlite3.Connection, place: Place, queue: str, count: int
) -> list[Message]:
    """The oldest of a queue."""
    rows = database.execute(
        "select seq, id, body, attributes, kept_ms, function, event, target from message"
        " where account = ? and region = ? and queue = ? order by seq limit ?",
        (place.account, place.region, queue, count),
    )
    return [
        Message(
            place=place, queue=queue, seq=seq, id=name, body=body,
            attributes=_attributes(attributes), kept_ms=kept_ms, function=function, event=payload,
            target=target,
        )
        for seq, name, body, attributes, kept_ms, function, payload, target in rows
    ]  # fmt: skip


def drop_messages(database: sqlite3.Connection, gone: list[Message]) -> None:
    """Take these out of their queue."""
    for each in gone:
        database.execute("delete from message where seq = ?", (each.seq,))
        _count(database, (each.place.account, each.place.region, each.queue), -1)


def purge_messages(database: sqlite3.Connection, place: Place, queue: str) -> int:
    """Take all out; returns how many."""
    where = (place.account, place.region, queue)
    database.execute("delete from message where account = ? and region = ? and queue = ?", where)
    held = messages(database, place, queue)
    _count(database, where, -held)
    return held


def _count(database: sqlite3.Connection, where: tuple[str, str, str], change: int) -> None:
    database.execute(
        "insert into queue values (?, ?, ?, ?) on conflict do update"
        " set messages = messages + excluded.messages",
        (*where, change),
    )


def _attributes(text: str) -> dict[str, tuple[str, str]]:
    return {name: (kind, value) for name, (kind, value) in json.loads(text).items()}
