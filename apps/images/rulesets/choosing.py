"""Which rules hold for a request: the first that matches, or all that do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import rules
from rulesets.ruleset import ALWAYS, Clause, Range, Ruleset, When
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
    for number, parts in ruleset.places.match(source, path):
        clause = ruleset.clauses[number]
        facts = situation.facts(parts[TITLE]) if TITLE in parts else {}
        known = {**facts, **parts} if facts else parts
        failed = fails(clause.when, situation, known, f"{source}/{path}")
        if failed:
            refused.append((clause, failed))
            continue
        matches.append(Match(clause=clause, known=known))
        if ruleset.mode == "first":
            break
    return Chosen(source=source, path=path, matches=tuple(matches), refused=tuple(refused))


def fails(when: When, situation: Situation, known: Mapping[str, Any], url: str) -> str:
    """Name the first condition that does not hold; "" if all do. The cheapest come first."""
    if when is ALWAYS:
        return ""
    for name, wanted in when.facts:
        value = known.get(name)
        if not (wanted.holds(value) if isinstance(wanted, Range) else value in wanted):
            return f"facts.{name}"
    if when.timed and (outside := _outside(when, situation)):
        return outside
    for name in when.asked:
        if not _TESTS[name](when, situation):
            return name
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


def _speaks(when: When, situation: Situation) -> bool:
    best = next(iter(situation.languages), "")
    return any(best == each or best.startswith(f"{each}-") for each in when.locale)


def _dense(when: When, situation: Situation) -> bool:
    return when.dpr is not None and when.dpr.holds(situation.dpr)


_TESTS: Mapping[str, Callable[[When, Situation], bool]] = {
    "country": lambda when, situation: situation.country in when.country,
    "locale": _speaks,
    "device": lambda when, situation: situation.device in when.device,
    "format": lambda when, situation: situation.format in when.format,
    "dpr": _dense,
}
