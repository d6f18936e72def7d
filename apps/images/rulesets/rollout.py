"""Which of two rulesets is for an address: a small file names them and the share. No rules here.

    stable = "2026-10.toml"
    canary = "2026-11.toml"
    canary_percent = 10

Any other TOML file is a ruleset, and then it is for everybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rulesets import buckets
from rulesets.mistakes import Mistake, RulesError, fail, line, number, only, text
from rulesets.reading import content, document

KEYS = ("stable", "canary", "canary_percent")
SALT = "rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``canary`` is for ``per_cent`` of all addresses, the same ones every time."""

    stable: Path
    canary: Path | None = None
    per_cent: float = 0.0


def read(path: Path) -> Plan:
    """Read a roll-out file; a ruleset is a plan in which it is for all.

    Raises:
        RulesError: it cannot be read or used.
    """
    written = content(path)
    found = document(written, str(path))
    if "stable" not in found:
        return Plan(stable=path)
    try:
        only("roll-out", found, KEYS)
        stable = _beside(path, "stable", found["stable"])
        if "canary" not in found:
            if "canary_percent" in found:
                fail("canary_percent needs a canary", "canary_percent")
            return Plan(stable=stable)
        share = number("canary_percent", found.get("canary_percent", 0), 0, 100)
        return Plan(stable=stable, canary=_beside(path, "canary", found["canary"]), per_cent=share)
    except Mistake as mistake:
        keys = mistake.keys[-1:]
        raise RulesError(f"{path}:{line(written, -1, keys)}: {mistake}") from None


def _beside(plan: Path, key: str, value: object) -> Path:
    """Find a ruleset in the folder of the plan, or below: no other is there for a function."""
    name = text(key, value)
    if Path(name).is_absolute() or ".." in Path(name).parts:
        fail(f"{key} = {name!r} must be a file in the folder of the roll-out file", key)
    return plan.parent / name


def is_canary(plan: Plan, url: str) -> bool:
    """Tell whether an address is among those that get the canary."""
    return plan.canary is not None and buckets.per_cent(url, SALT) < plan.per_cent


def write(path: Path, *, stable: str, canary: str = "", per_cent: float = 0.0) -> None:
    """Put a plan in the place of the one before, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    lines = [f"stable = {json.dumps(stable)}"]
    if canary:
        lines += [f"canary = {json.dumps(canary)}", f"canary_percent = {per_cent:g}"]
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text("\n".join(lines) + "\n", "utf-8")
    fresh.replace(path)
