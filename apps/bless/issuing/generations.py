"""Generations of CA keys, for users and for hosts apart, and the stages that each goes through.

``published``: hosts may learn of it; ``signing``: certificates are signed by it; ``overlap``: no
longer, but its certificates hold; ``retired``: it is in no bundle. Which step may be taken is
decided here without I/O; the rows are read and written at the end of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from issuing.refusal import INVALID, NO_CA, UNAVAILABLE, Refused
from issuing.state import State
from sshca.public_key import PublicKey, parse

KINDS = ("user", "host")
PUBLISHED, SIGNING, OVERLAP, RETIRED = "published", "signing", "overlap", "retired"
ROTATION_SECONDS = 3600
"""How long a key is published before it signs: hosts fetch their bundles more often than that."""
VALID_STEP_SECONDS = 3600
"""`valid_until` is written ahead by so much at most, so that few certificates write it."""
GENERATIONS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One key of the CA. Times are seconds since the epoch.

    ``since`` is when its stage began; no certificate by it holds after ``valid_until``.
    """

    kind: str
    number: int
    stage: str
    kms_key: str
    line: str
    since: int
    valid_until: int = 0

    @property
    def key(self) -> PublicKey:
        """Its public half."""
        return parse(self.line)

    def told(self) -> dict[str, object]:
        """As it is shown."""
        return {
            "generation": self.number, "kind": self.kind, "stage": self.stage, "key": self.line,
            "since": self.since,
        }  # fmt: skip


def staged(found: Sequence[Generation], kind: str, stage: str) -> Generation | None:
    """The generation of a kind that is in a stage; of several the oldest."""
    return next((one for one in found if (one.kind, one.stage) == (kind, stage)), None)


def to_publish(found: Sequence[Generation], kind: str) -> int:
    """The number that a new key gets. Raises Refused."""
    waiting = staged(found, kind, PUBLISHED)
    if waiting is not None:
        raise Refused(
            INVALID, f"Generation {waiting.number} of the {kind} CA is published already: let it"
            " sign before there is another one."
        )  # fmt: skip
    number = max((one.number for one in found if one.kind == kind), default=0) + 1
    if number > GENERATIONS_MAX:
        raise Refused(INVALID, f"There are at most {GENERATIONS_MAX} generations.")
    return number


def to_sign(
    found: Sequence[Generation], kind: str, now: int, *, force: bool
) -> tuple[Generation, Generation | None]:
    """(which begins to sign, which ends). Raises Refused while hosts may not know it."""
    waiting = staged(found, kind, PUBLISHED)
    if waiting is None:
        raise Refused(INVALID, f"No new key of the {kind} CA is published: publish one first.")
    wait = waiting.since + ROTATION_SECONDS - now
    if wait > 0 and not force:
        raise Refused(
            INVALID, f"Generation {waiting.number} of the {kind} CA may sign in {wait} s: hosts"
            " must have fetched it. With force it signs now, and hosts without it let nobody in."
        )  # fmt: skip
    return waiting, staged(found, kind, SIGNING)


def to_retire(found: Sequence[Generation], kind: str, now: int, *, force: bool) -> Generation:
    """Which one goes. Raises Refused while certificates by it may hold."""
    old = staged(found, kind, OVERLAP)
    if old is None:
        raise Refused(INVALID, f"No key of the {kind} CA is in overlap: let a new one sign first.")
    wait = old.valid_until - now
    if wait >= 0 and not force:
        raise Refused(
            INVALID, f"Certificates of generation {old.number} of the {kind} CA may hold for"
            f" another {wait + 1} s. With force it goes now, and they are worth nothing."
        )  # fmt: skip
    return old


def signing(found: Sequence[Generation], kind: str) -> Generation:
    """The generation that signs. Raises Refused."""
    one = staged(found, kind, SIGNING)
    if one is None:
        raise Refused(NO_CA, f"There is no {kind} CA yet: an administrator makes one with init.")
    return one


def known(found: Sequence[Generation], kind: str) -> list[Generation]:
    """Those that hosts are to know: all that are not retired."""
    return [one for one in found if one.kind == kind and one.stage != RETIRED]


def read(state: State) -> tuple[Generation, ...]:
    """All of them, in order. Raises StateError."""
    return tuple(
        Generation(kind=kind, number=number, stage=stage, kms_key=kms_key, line=line, since=since,
                   valid_until=until)
        for kind, number, stage, kms_key, line, since, until in state.rows(
            "SELECT kind, generation, stage, kms_key, line, since, valid_until FROM generations"
            " ORDER BY kind DESC, generation"
        )
    )  # fmt: skip


def put(sql: sqlite3.Connection, one: Generation) -> None:
    """A new one, within `State.changing`."""
    sql.execute(
        "INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?)",
        (one.kind, one.number, one.stage, one.kms_key, one.line, one.since, one.valid_until),
    )


def move(sql: sqlite3.Connection, one: Generation, stage: str, now: int) -> None:
    """To another stage, within `State.changing`; only from the one that was seen."""
    done = sql.execute(
        "UPDATE generations SET stage = ?, since = ?"
        " WHERE kind = ? AND generation = ? AND stage = ?",
        (stage, now, one.kind, one.number, one.stage),
    )
    if done.rowcount != 1:
        raise Refused(INVALID, "Somebody else is rotating this CA: look again, then go on.")


def reserve(state: State, one: Generation, valid_before: int, now: int) -> int:
    """Note that a certificate of ``one`` will hold until ``valid_before``, before it is signed.

    Returns what is noted now. Raises Refused when the generation no longer signs, StateError.
    """
    ahead = min(VALID_STEP_SECONDS, max(valid_before - now, 1))
    with state.changing() as sql:
        row = sql.execute(
            "UPDATE generations SET valid_until = max(valid_until, ?)"
            " WHERE kind = ? AND generation = ? AND stage = ? RETURNING valid_until",
            (valid_before + ahead, one.kind, one.number, SIGNING),
        ).fetchone()
    if row is None:
        raise Refused(UNAVAILABLE, "The CA's key was just replaced: ask again.")
    return int(row[0])
