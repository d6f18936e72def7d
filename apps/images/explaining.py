"""Why a URL gives what it gives: which rules hold, what is known, why the others do not. Pure.

For whoever runs the deployment: it names files and facts, so it takes a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import recipe as recipes
import refusals
from deciding import View
from dialects.dialect import Decision
from dynimo.sdk import http
from rulesets.choosing import Chosen
from rulesets.ruleset import Clause, Range, When

OTHERS_MAX = 1_000


def account(decided: Decision | http.Reply | refusals.Refusal, seen: View) -> dict[str, Any]:
    """Give everything that decided, as JSON has it."""
    told: dict[str, Any] = {"ruleset": seen.book.ruleset.version, "mode": seen.book.ruleset.mode}
    chosen = _chosen(seen)
    if isinstance(decided, Decision):
        told |= _picture(decided)
    elif isinstance(decided, refusals.Refusal):
        told |= {"status": decided.status, "error": decided.code, "message": decided.message}
        told |= {"why": decided.why} if decided.why else {}
    else:
        told |= {"status": decided.status}
    if chosen is not None:
        told["asked_for"] = f"{chosen.source}/{chosen.path}"
        told["rules"] = [
            {"name": each.clause.name, "line": each.clause.line, "known": dict(each.known)}
            for each in chosen.matches
        ]
        told["others"] = _others(seen, chosen)
    told["facts"] = {title: dict(facts) for title, facts in seen.situation.titles.items()}
    if told["facts"] and (trouble := seen.book.trouble()):
        told["trouble"] = trouble
    return told


def text(told: Mapping[str, Any]) -> str:
    """Print an account for people."""
    lines = []
    if "ruleset" in told:
        lines.append(f"ruleset   {told['ruleset'] or 'without version'} ({told['mode']})")
    if "message" in told:
        lines.append(f"refused   {told['status']} {told['error']}: {told['message']}")
    if "why" in told:
        lines.append(f"because   {told['why']}")
    lines += [
        f"{name.replace('_', ' '):<9} {told[name]}"
        for name in ("asked_for", "file", "ops", "recipe", "fallback")
        if told.get(name)
    ]
    lines += [
        f"rule      {each['name']} (line {each['line']}){_known(': ', each['known'])}"
        for each in told.get("rules", [])
    ]
    if "rules" in told and not told["rules"]:
        lines.append("rule      none")
    lines += [
        f"not       {each['name']} (line {each['line']}): {each['why']}"
        for each in told.get("others", [])
    ]
    lines += [
        f"facts     {title}{_known(': ', facts) or ': none'}"
        for title, facts in told.get("facts", {}).items()
    ]
    if "trouble" in told:
        lines.append(f"facts     cannot be read, what was known stays: {told['trouble']}")
    if "kept" in told:
        lines.append(f"kept      {told['kept']}; vary: {', '.join(told['vary']) or 'nothing'}")
        lines.append(f"tags      {' '.join(told['tags'])}")
    return "\n".join(lines) + "\n"


def _known(before: str, facts: Mapping[str, Any]) -> str:
    return before + ", ".join(f"{name}={facts[name]!r}" for name in facts) if facts else ""


def _picture(decided: Decision) -> dict[str, Any]:
    made = decided.recipe
    second = decided.fallback
    return {
        "status": 200,
        "file": f"{made.source}/{made.path}",
        "ops": recipes.spell_ops((*made.ops, made.out)),
        "recipe": recipes.spell(made),
        "fallback": f"{second.source}/{second.path}" if second else "",
        "vary": list(decided.vary),
        "until": decided.until,
        "kept": "for nobody else" if decided.personal else "for all who ask alike",
        "tags": list(decided.tags),
    }


def _chosen(seen: View) -> Chosen | None:
    """What was found for the file that was drafted, or else for the last one that was asked for."""
    if seen.draft is not None:
        return seen.choose(seen.draft.source, seen.draft.path)
    return next(reversed(seen.chosen.values()), None)


def _others(seen: View, chosen: Chosen) -> list[dict[str, Any]]:
    matched = {each.clause.line for each in chosen.matches}
    why = {clause.line: _why(clause, reason, seen) for clause, reason in chosen.refused}
    last = max(matched, default=0)
    told = []
    for clause in seen.book.ruleset.clauses[:OTHERS_MAX]:
        if clause.line in matched:
            continue
        reason = why.get(clause.line)
        if reason is None and matched and clause.line > last and seen.book.ruleset.mode == "first":
            reason = "an earlier rule matches"
        elif reason is None:
            reason = _elsewhere(clause)
        told.append({"name": clause.name, "line": clause.line, "why": reason})
    return told


def _elsewhere(clause: Clause) -> str:
    return f"it is for source {clause.source!r}, path {clause.path!r}"


def _why(clause: Clause, reason: str, seen: View) -> str:
    situation, when = seen.situation, clause.when
    if reason.startswith("facts."):
        name = reason.removeprefix("facts.")
        wanted = dict(when.facts)[name]
        values = [facts[name] for facts in situation.titles.values() if name in facts]
        return f"{reason} is {values[0] if values else 'not known'!r}, wanted {_wanted(wanted)}"
    match reason:
        case "from" | "until":
            return f"it holds {_time(when)}, and now is {_shown(situation.now)}"
        case "country":
            return f"country is {situation.country!r}, wanted {_wanted(when.country)}"
        case "locale":
            return f"locale is {situation.tongue!r}, wanted {', '.join(when.locale)}"
        case "device":
            return f"device is {situation.device!r}, wanted {_wanted(when.device)}"
        case "format":
            return f"format is {situation.format!r}, wanted {_wanted(when.format)}"
        case "dpr":
            return f"dpr is {situation.dpr:g}, wanted {when.dpr}"
    bucket = when.bucket
    if bucket is None:
        return reason
    place = situation.per_cent(bucket.by, bucket.salt, _url(seen))
    at = "there is no key" if place is None else f"it is at {place:.2f} %"
    return f"bucket by {bucket.by}: {at}, wanted {bucket.least:g} to {bucket.below:g}"


def _url(seen: View) -> str:
    source, path = next(reversed(seen.chosen))
    return f"{source}/{path}"


def _time(when: When) -> str:
    begins = "" if when.begins is None else f"from {_shown(when.begins)} "
    ends = "" if when.ends is None else f"until {_shown(when.ends)}"
    return (begins + ends).strip()


def _shown(seconds: float) -> str:
    """A time as `--now` takes it; as it is where no calendar has it."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s after 1970"


def _wanted(wanted: Range | frozenset[Any]) -> str:
    return str(wanted) if isinstance(wanted, Range) else ", ".join(sorted(map(str, wanted)))
