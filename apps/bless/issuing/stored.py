"""What was asked, as text, so that it can be decided again when others have agreed. Pure.

Beside it stands why it was asked, which decides nothing and is for those who approve.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from asking.asked import Asked
from asking.who import Who
from issuing.ca_keys import as_line
from sshca.public_key import parse

_LISTS = ("principals", "source_addresses", "extensions")


def written(asked: Asked, reason: str = "") -> str:
    """As JSON."""
    members: dict[str, Any] = {
        "reason": reason,
        "key": as_line(asked.key, asked.key.comment).rstrip(),
        "who": _who(asked.who),
        "tokens": [_who(each) for each in asked.tokens],
    }
    for name in (
        "type", *_LISTS, "force_command", "valid_seconds", "address", "hardware", "touched",
        "verified",
    ):  # fmt: skip
        members[name] = getattr(asked, name)
    return json.dumps(members, separators=(",", ":"))


def read(text: str, now: float) -> Asked:
    """The same, asked ``now``."""
    members = json.loads(text)
    members.pop("reason", None)
    for name in _LISTS:
        members[name] = None if members[name] is None else tuple(members[name])
    members["key"] = parse(members["key"])
    members["who"] = _read_who(members["who"])
    members["tokens"] = tuple(_read_who(each) for each in members["tokens"])
    return Asked(**members, now=now)


def reason(text: str) -> str:
    """Why, in the words of who asked."""
    return str(json.loads(text).get("reason", ""))


def _who(who: Who) -> dict[str, Any]:
    return asdict(who) | {"claims": dict(who.claims)}


def _read_who(members: dict[str, Any]) -> Who:
    return Who(**members | {"groups": tuple(members["groups"])})
