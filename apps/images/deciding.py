"""One request through its dialect and the rules: the dialect drafts, the ruleset finishes. Pure.

The same for clients, for the tests inside rulesets, and for who asks why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import recipe as recipes
import refusals
import rules
from dialects.dialect import Asked, Decision, Dialect, World
from dynimo.sdk import http, selecting
from rulesets import choosing, finishing
from rulesets.ruleset import Facts, Ruleset
from rulesets.situation import Look, Situation

EMPTY = Ruleset()


def nobody(_: str) -> Facts:
    """Know no title."""
    return {}


def no_trouble() -> str:
    """Say that nothing fails."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A ruleset, where it finds what is known of titles, and why that fails, if it does."""

    ruleset: Ruleset = EMPTY
    look: Look = nobody
    trouble: Callable[[], str] = no_trouble


@dataclass(slots=True)
class View:
    """The rules as one request sees them; remembers what was found."""

    book: Book
    situation: Situation
    asked: bool = False
    chosen: dict[tuple[str, str], choosing.Chosen] = field(default_factory=dict)
    draft: recipes.Recipe | None = None

    def find(self, source: str, path: str) -> rules.Rule:
        """Give what the rules say about what a URL for this file may ask for."""
        self.asked = True
        return self.choose(source, path).policy

    def choose(self, source: str, path: str) -> choosing.Chosen:
        """Give the rules that hold for a file."""
        place = (source, path)
        found = self.chosen.get(place)
        if found is None:
            found = choosing.choose(self.book.ruleset, self.situation, source, path)
            self.chosen[place] = found
        return found


def view(asked: Asked, book: Book, now: float) -> View:
    """Look at the rules with the eyes of one request."""
    situation = Situation(
        query=asked.query, headers=asked.headers, now=now, ruleset=book.ruleset, look=book.look
    )
    return View(book, situation)


def apart(
    vary: Collection[str], drafted: Mapping[str, str], situation: Situation
) -> dict[str, str]:
    """Say of which headers neither the dialect (``vary``, ``drafted``) nor the rules saw all."""
    told = dict(drafted)
    for name, how in situation.apart.items():
        if name not in vary:
            told[name] = how
        elif name in told:
            told[name] = selecting.together(name, told[name], how)
    return {name: how for name, how in told.items() if name not in situation.whole}


def decide(asked: Asked, dialect: Dialect, world: World, seen: View) -> Decision | http.Reply:
    """Say which picture is meant; ``world`` has ``seen`` for its rules.

    Raises:
        Refusal: as the dialect, and 400 where the rules do not allow what it drafted.
    """
    drafted = dialect.decide(asked, world)
    if not isinstance(drafted, Decision):
        return drafted
    seen.draft = drafted.recipe
    chosen = seen.choose(drafted.recipe.source, drafted.recipe.path)
    try:
        finished = finishing.finish(
            drafted.recipe,
            chosen,
            seen.situation,
            limits=world.limits,
            asked_policy=seen.asked,
            version=seen.book.ruleset.version,
        )
    except refusals.Refusal as refusal:
        refusal.apart = {name: drafted.apart.get(name, "") for name in drafted.vary}
        raise
    situation = seen.situation
    times = [at for at in (drafted.until, situation.until) if at is not None]
    return replace(
        drafted,
        recipe=finished.recipe,
        vary=tuple(dict.fromkeys((*drafted.vary, *situation.vary))),
        apart=apart(drafted.vary, drafted.apart, situation),
        until=min(times, default=None),
        personal=situation.personal or drafted.personal,
        fallback=finished.fallback,
        tags=tuple(dict.fromkeys((*finished.tags, *drafted.tags))),
        because=tuple(match.clause.name for match in chosen.matches),
    )
