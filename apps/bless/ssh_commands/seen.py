"""What this machine has seen of audit logs: each log's key, and its newest head that was checked.

Only what is kept elsewhere can tell a log that was cut short or written anew by its own keeper.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dynimo.sdk.commands import CommandError
from ssh_commands.options import FAILED
from ssh_commands.replacing import SECRET, replace
from transparency import heads
from transparency.heads import SignedHead

FILE_NAME = "dynimo/ssh-audit-seen.json"


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one log: the line of its key, and a head."""

    key: str
    head: SignedHead | None = None


def default_path() -> Path:
    """Where it is kept if nothing else is said."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / FILE_NAME


def load(path: Path) -> dict[str, Seen]:
    """Every log that was seen, by its name.

    Raises:
        CommandError: the file is damaged: what it said must not be forgotten in silence.
    """
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text())
        return {
            str(origin): Seen(
                str(each["key"]), heads.read(each["head"]) if each.get("head") else None
            )
            for origin, each in told.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"{path} is damaged ({error}); if you know why, move it away"
        raise CommandError(text, FAILED) from None


def remember(path: Path, origin: str, key: str, head: SignedHead | None = None) -> None:
    """Keep what was seen last of one log."""
    known = {**load(path), origin: Seen(key, head)}
    told = {
        name: {"key": each.key, "head": each.head.line() if each.head else None}
        for name, each in known.items()
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(path, json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n", SECRET)
