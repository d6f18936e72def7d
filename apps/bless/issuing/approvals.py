"""Requests that wait until others agree: kept as they were asked, decided again when collected.

Who asked may not approve, nor may one principal twice, under whatever session's name: a role is one
principal. What is granted in the end is what the policy grants then.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from issuing.refusal import DENIED, INVALID, UNKNOWN, Refused
from issuing.state import State

ID_BYTES = 16
WAITING_MAX = 1000
OF_ONE_MAX = 20
"""Requests of one principal that wait at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request that waits. ``asked`` is JSON, as `issuing.stored` reads it; ``until`` seconds."""

    id: str
    asker: str
    principal: str
    asked: str
    rule: str
    needs: int
    approvers: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True)
class Approval:
    """Who agreed, and when."""

    principal: str
    arn: str
    at: int


def fresh_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(ID_BYTES)


def put(sql: sqlite3.Connection, one: Pending, now: int) -> None:
    """Let it wait, within `State.changing`. Raises Refused when too many do."""
    sql.execute("DELETE FROM pending WHERE until < ?", (now,))
    sql.execute("DELETE FROM approved WHERE id NOT IN (SELECT id FROM pending)")
    waiting, own = sql.execute(
        "SELECT count(*), count(*) FILTER (WHERE principal = ?) FROM pending", (one.principal,)
    ).fetchone()
    if waiting >= WAITING_MAX or own >= OF_ONE_MAX:
        raise Refused(DENIED, "Too many requests wait for approval: collect or withdraw some.")
    sql.execute(
        "INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (one.id, one.asker, one.principal, one.asked, one.rule, one.needs,
         "\n".join(one.approvers), one.until),
    )  # fmt: skip


def approve(sql: sqlite3.Connection, one: Pending, approval: Approval) -> None:
    """Note an approval, within `State.changing`. Raises Refused for the asker, and for a second."""
    if one.principal == approval.principal or one.asker == approval.arn:
        raise Refused(DENIED, "Whoever asks cannot approve: somebody else must.")
    done = sql.execute(
        "INSERT OR IGNORE INTO approved VALUES (?, ?, ?, ?)",
        (one.id, approval.principal, approval.arn, approval.at),
    )
    if done.rowcount != 1:
        raise Refused(INVALID, f"{approval.principal} has approved already: another must.")


def remove(sql: sqlite3.Connection, id_: str) -> bool:
    """Whether it was still there, within `State.changing`."""
    sql.execute("DELETE FROM approved WHERE id = ?", (id_,))
    return sql.execute("DELETE FROM pending WHERE id = ?", (id_,)).rowcount == 1


def found(state: State, id_: object, now: int) -> Pending:
    """By its id. Raises Refused when there is none, or its time has ended."""
    known = isinstance(id_, str) and id_.isascii()
    rows = state.rows("SELECT * FROM pending WHERE id = ?", (id_,)) if known else []
    if not rows or rows[0][7] < now:
        raise Refused(UNKNOWN, "No request of this id waits: its time has ended, or it was denied.")
    return _pending(rows[0])


def waiting(state: State, now: int) -> list[Pending]:
    """All that wait, the one that ends first in front."""
    rows = state.rows("SELECT * FROM pending WHERE until >= ? ORDER BY until", (now,))
    return [_pending(row) for row in rows]


def approvals(state: State, id_: str) -> list[Approval]:
    """Who agreed to it."""
    rows = state.rows("SELECT principal, arn, at FROM approved WHERE id = ? ORDER BY at", (id_,))
    return [Approval(*row) for row in rows]


def _pending(row: Sequence[object]) -> Pending:
    id_, asker, principal, asked, rule, needs, approvers, until = row
    return Pending(
        id=str(id_), asker=str(asker), principal=str(principal), asked=str(asked), rule=str(rule),
        needs=int(str(needs)), approvers=tuple(filter(None, str(approvers).split("\n"))),
        until=int(str(until)),
    )  # fmt: skip
