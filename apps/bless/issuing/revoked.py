"""What is revoked: rows that are never removed, and the list that is made of them.

A list has a version, which grows with each change; its bytes are made once for each version and
kept as a file, so that nobody waits for them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from issuing.refusal import INVALID, Refused
from issuing.requested import key as read_key
from issuing.state import State, put_meta
from revocation import krl, writing
from revocation.krl import EVERY_CA, Krl
from sshca.public_key import PublicKey, from_blob
from sshca.wire import UINT64_MAX

SERIAL, KEY_ID, KEY, FINGERPRINT, CA = "serial", "key_id", "key", "fingerprint", "ca"
MEMBERS: Mapping[str, str] = {
    "serials": SERIAL, "key_ids": KEY_ID, "keys": KEY, "fingerprints": FINGERPRINT, "ca": CA,
}  # fmt: skip
AT_ONCE_MAX = 100_000
REASON_CHARACTERS_MAX = 256
KEY_ID_CHARACTERS_MAX = 1024
_PREFIX = "SHA256:"
_ANY_OF_TWO = "SELECT 1 FROM revoked WHERE (what, value) IN (VALUES (?, ?), (?, ?)) LIMIT 1"
_KEYS = (KEY, CA, FINGERPRINT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is revoked; ``value`` in the one form in which it is looked for."""

    what: str
    value: str


def entries(told: Mapping[str, object], cas: Sequence[PublicKey]) -> list[Entry]:
    """Read what is to be revoked. ``cas`` are the CA's own keys, the only ones that ``ca`` names.

    Raises:
        Refused: a member is none, or there is nothing.
    """
    found: list[Entry] = []
    for member, what in MEMBERS.items():
        values = told.get(member, [])
        values = [values] if what == CA and isinstance(values, str) else values
        if not isinstance(values, list) or len(found) + len(values) > AT_ONCE_MAX:
            raise Refused(INVALID, f"{member} must be a list, and all at most {AT_ONCE_MAX}.")
        found += [Entry(what, _value(member, what, each, cas)) for each in values]
    if not found:
        raise Refused(INVALID, f"Say what to revoke: {', '.join(MEMBERS)}.")
    return found


def _value(member: str, what: str, told: object, cas: Sequence[PublicKey]) -> str:
    if what == SERIAL:
        text = str(told) if type(told) is int else told
        if not isinstance(text, str) or not text.isdecimal() or not text.isascii():
            raise Refused(INVALID, f"{member} must be decimal numbers.")
        number = int(text) if len(text) <= len(str(UINT64_MAX)) else 0
        if not 0 < number <= UINT64_MAX:
            raise Refused(INVALID, f"{member} must be from 1 to {UINT64_MAX}.")
        return str(number)
    if not isinstance(told, str):
        raise Refused(INVALID, f"{member} must be texts.")
    if what == KEY_ID:
        if not told or len(told) > KEY_ID_CHARACTERS_MAX or "\0" in told:
            raise Refused(INVALID, f"{member}: a key id is text, not empty, without NUL.")
        return told
    if what == FINGERPRINT:
        return _fingerprint(member, told)
    key = read_key(told, member)
    if what == CA and key.blob not in {each.blob for each in cas}:
        raise Refused(INVALID, f"{member}: this is no key of this CA.")
    if what == KEY and key.blob in {each.blob for each in cas}:
        raise Refused(INVALID, f"{member}: this is the CA's own key; revoke it as ca.")
    return base64.b64encode(key.blob).decode()


def _fingerprint(member: str, told: str) -> str:
    text = told.removeprefix(_PREFIX)
    try:
        digest = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if not told.startswith(_PREFIX) or len(digest) != hashlib.sha256().digest_size:
        raise Refused(INVALID, f"{member} must be as OpenSSH prints them: {_PREFIX}…")
    return _PREFIX + base64.b64encode(digest).decode().rstrip("=")


def put(sql: sqlite3.Connection, found: Sequence[Entry], *, reason: str, by: str, now: int) -> int:
    """Add them, within `State.changing`; return the list's new version."""
    sql.executemany(
        "INSERT OR IGNORE INTO revoked VALUES (?, ?, ?, ?, ?)",
        [(each.what, each.value, reason, by, now) for each in found],
    )
    row = sql.execute("SELECT value FROM meta WHERE name = 'krl_version'").fetchone()
    version = int(row[0]) + 1 if row else 1
    put_meta(sql, "krl_version", str(version))
    put_meta(sql, "krl_at", str(now))
    return version


def fingerprints(state: State) -> frozenset[str]:
    """Of every key that is revoked, by itself or by its fingerprint. Raises StateError."""
    rows = state.rows("SELECT what, value FROM revoked WHERE what IN (?, ?, ?)", _KEYS)
    return frozenset(
        value if what == FINGERPRINT else from_blob(base64.b64decode(value)).sha256
        for what, value in rows
    )


def certificate_is(state: State, serial: int, key_id: str) -> bool:
    """Whether a certificate is, by its serial or its key id. Raises StateError."""
    asked = (SERIAL, str(serial), KEY_ID, key_id)
    return bool(state.rows(_ANY_OF_TWO, asked))


def listed(state: State, comment: str) -> bytes:
    """The KRL's bytes. Serials and key ids are revoked whichever of the CA's keys signed.

    Raises:
        StateError: the file cannot be read.
    """
    found: dict[str, list[str]] = {what: [] for what in MEMBERS.values()}
    for what, value in state.rows("SELECT what, value FROM revoked"):
        found[what].append(value)
    section = krl.certificates(map(int, found[SERIAL]), key_ids=found[KEY_ID])
    blobs = [base64.b64decode(each) for each in found[KEY] + found[CA]]
    hashes = [
        base64.b64decode(each.removeprefix(_PREFIX) + "=") for each in found[FINGERPRINT]
    ]  # fmt: skip
    made = Krl(
        version=int(state.meta("krl_version") or 0),
        generated=int(state.meta("krl_at") or 0),
        comment=comment,
        certificates={EVERY_CA: section} if found[SERIAL] or found[KEY_ID] else {},
        keys=frozenset(blobs),
        sha256=frozenset(hashes),
    )
    return writing.encoded(made)
