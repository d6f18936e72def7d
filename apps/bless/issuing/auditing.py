"""The audit log, as it is asked: heads, proofs, records, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asking.who import Who
from contract.cloud import CloudError
from issuing import refused
from issuing.authority import AUDIT_FILE, Authority, Snapshot
from issuing.refusal import INVALID, UNAVAILABLE, UNKNOWN, Refused
from transparency.export import exported
from transparency.heads import HeadError
from transparency.log import Log, LogBrokenError
from transparency.tree import leaf_hash

HEAD_SECONDS = 2
"""Heads are signed no more often."""
COUNT_MAX = 1000
EXPORT_BYTES_MAX = 4 * 1024 * 1024
"""Of one answer: what a function answers has at most 6 MB."""


def asked(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Answer ``what``. Raises Refused, StateError, StoreError."""
    found = authority.founded()
    what = event.get("what", "head")
    log = authority.log(found)
    if what == "head":
        return _head(found, log)
    if what == "sign":
        return signed(authority, found, now)
    if what == "inclusion":
        if "serial" not in event:  # numbers are counted, so with them everything is read
            found.audits(who)
        return _inclusion(log, event)
    if what == "consistency":
        old, new = _number(event, "old", None), _number(event, "new", log.size())
        return {"old": old, "new": new, "proof": _hexes(_proof(lambda: log.consistency(old, new)))}
    found.audits(who)
    if what == "export":
        return _export(authority, found, event)
    if what == "refusals":
        count = min(_number(event, "count", COUNT_MAX), COUNT_MAX)
        return {"refusals": refused.read(authority.state, _number(event, "from", 0), count)}
    raise Refused(INVALID, "what must be head, sign, inclusion, consistency, export or refusals.")


def signed(authority: Authority, found: Snapshot, now: float) -> dict[str, Any]:
    """Sign how the log is now, unless that was done just now. Raises Refused, StoreError."""
    log = authority.log(found)
    last, milliseconds = log.head(), int(now * 1000)
    fresh = last is not None and milliseconds - last.head.time < HEAD_SECONDS * 1000
    if last is None or (last.head.size != log.size() and not fresh):
        try:
            head = log.sign_head(authority.head_signer(found), milliseconds)
        except (CloudError, HeadError, LogBrokenError) as error:
            raise Refused(UNAVAILABLE, str(error)) from None
        authority.publish_head(head.line())
    return _head(found, log)


def _head(found: Snapshot, log: Log) -> dict[str, Any]:
    head = log.head()
    return {
        "head": head.line() if head else None, "key": found.audit_line, "origin": found.origin,
        "size": log.size(),
    }  # fmt: skip


def _inclusion(log: Log, event: Mapping[str, Any]) -> dict[str, Any]:
    """Of a record, by its number or by its serial, in a log of a size."""
    number = log.number_of(_number(event, "serial", None)) if "serial" in event else None
    if "serial" in event and number is None:
        raise Refused(UNKNOWN, "No certificate of this serial was recorded.")
    if number is None:
        number = _number(event, "record", None)
    head = log.head()
    signed_for = head is not None and number < head.head.size
    size = _number(event, "size", head.head.size if head and signed_for else log.size())
    proof = _proof(lambda: log.inclusion(number, size))
    body = log.record(number)
    return {
        "record": number, "size": size, "proof": _hexes(proof), "leaf": leaf_hash(body).hex(),
        "body": body.decode(), "head": head.line() if head and head.head.size == size else None,
    }  # fmt: skip


def _export(authority: Authority, found: Snapshot, event: Mapping[str, Any]) -> dict[str, Any]:
    """Some records' lines and their heads, from a record on; ``next`` is null at the end."""
    begin, count = _number(event, "from", 0), _number(event, "count", COUNT_MAX)
    count = min(count, COUNT_MAX)
    path = authority.state.folder / AUDIT_FILE
    lines: list[str] = []
    size = records = 0
    for line in exported(path, found.origin, begin, count):
        if line.startswith(b'{"index"'):
            if size > EXPORT_BYTES_MAX:
                return {"lines": lines, "next": begin + records}
            records += 1
        lines.append(line.decode().rstrip("\n"))
        size += len(line)
    more = records == count and begin + records < authority.log(found).size()
    return {"lines": lines, "next": begin + records if more else None}


def _proof(made: Any) -> list[bytes]:
    try:
        return list(made())
    except ValueError as error:
        raise Refused(UNKNOWN, f"There is no such proof: {error}.") from None


def _hexes(proof: list[bytes]) -> list[str]:
    return [step.hex() for step in proof]


def _number(event: Mapping[str, Any], member: str, default: int | None) -> int:
    told = event.get(member, default)
    if isinstance(told, str) and told.isascii() and told.isdecimal() and len(told) <= 20:
        told = int(told)
    if type(told) is not int or not 0 <= told < 1 << 64:
        raise Refused(INVALID, f"{member} must be a whole number.")
    return told
