"""Which rules hold for a request: the first that matches, or all that do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rules
from rulesets.ruleset import ALWAYS, NO_FACTS, Clause, Facts, Ruleset, When
from rulesets.situation import Situation

TITLE = "title"
"""The part of a path whose facts are looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule that holds; ``known`` fills its holes: facts, and over them the parts of the path."""

    clause: Clause
    known: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rules that hold for a file, in their order."""

    source: str
    path: str
    matches: tuple[Match, ...] = ()
    refused: tuple[tuple[Clause, str], ...] = field(default=())
    """Those that are for the file and do not hold, and the first condition that fails."""

    @property
    def policy(self) -> rules.Rule:
        """What they say together about what a URL may ask for."""
        given: dict[str, Any] = {}
        for match in self.matches:
            given.update(match.clause.policy)
        return rules.Rule(**given)


def choose(ruleset: Ruleset, situation: Situation, source: str, path: str) -> Chosen:
    """Find the rules for a file."""
    matches: list[Match] = []
    refused: list[tuple[Clause, str]] = []
    url = f"{source}/{path}"
    looked: Mapping[str, str] | None = None
    facts = NO_FACTS
    for number, parts in ruleset.places.match(source, path):
        clause = ruleset.clauses[number]
        if parts is not looked:  # rules with one pattern share their parts
            looked = parts
            facts = situation.facts(parts[TITLE]) if TITLE in parts else NO_FACTS
        if clause.when is not ALWAYS:
            failed = _fails(clause.when, situation, parts, facts, url)
            if failed:
                refused.append((clause, failed))
                continue
        matches.append(Match(clause=clause, known={**facts, **parts} if facts else parts))
        if ruleset.mode == "first":
            break
    return Chosen(source=source, path=path, matches=tuple(matches), refused=tuple(refused))


def fails(when: When, situation: Situation, known: Mapping[str, Any], url: str) -> str:
    """Name the first condition that does not hold; "" if all do."""
    return "" if when is ALWAYS else _fails(when, situation, known, NO_FACTS, url)


def _fails(
    when: When, situation: Situation, parts: Mapping[str, Any], facts: Facts, url: str
) -> str:
    """As `fails`, where parts of the path win over facts. The cheapest come first."""
    for name, wanted in when.facts:
        value = parts[name] if name in parts else facts.get(name)
        if not (value in wanted if isinstance(wanted, frozenset) else wanted.holds(value)):
            return f"facts.{name}"
    if when.timed and (outside := _outside(when, situation)):
        return outside
    if when.asks and (strange := _strange(when, situation)):
        return strange
    bucket = when.bucket
    if bucket is not None:
        place = situation.per_cent(bucket.by, bucket.salt, url)
        if place is None or not bucket.least <= place < bucket.below:
            return "bucket"
    return ""


def _outside(when: When, situation: Situation) -> str:
    for edge in (when.begins, when.ends):
        if edge is not None:
            situation.before(edge)
    if when.begins is not None and situation.now < when.begins:
        return "from"
    if when.ends is not None and situation.now >= when.ends:
        return "until"
    return ""


def _strange(when: When, situation: Situation) -> str:
    """Name the first condition on the client that does not hold."""
    if when.country and situation.country not in when.country:
        return "country"
    if when.locale and not situation.speaks(when.locale):
        return "locale"
    if when.device and situation.device not in when.device:
        return "device"
    if when.format and situation.format not in when.format:
        return "format"
    if when.dpr is not None and not situation.is_dense(when.dpr):
        return "dpr"
    return ""
