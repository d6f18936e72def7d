"""`dynimo images rules diff OLD NEW [--log FILE]`: which requests would give another picture."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deciding
import preprocess
import recipe as recipes
import refusals
from commands import logged, options
from dialects.dialect import Asked, Decision
from rulesets import reading
from rulesets.facts import Titles
from rulesets.ruleset import Facts, Ruleset

OK = 0
SHOWN = 20
ACCEPT = "image/avif,image/webp,*/*"
"""What a request accepts when nothing else is said: logs do not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request that gives something else; ``count`` is how often it was logged."""

    url: str
    count: int
    old: str
    new: str
    old_rules: str
    new_rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """A request, and how often; ``facts`` are those of whatever title, if a test says them."""

    url: str
    count: int
    headers: Mapping[str, str]
    now: float
    facts: Facts | None = None


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = verbs.add_parser(
        "diff", help="Show which requests a change of rules changes, and how."
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--log", help="requests to replay; - for what comes in (without: the tests)"
    )
    parser.add_argument("--limit", type=int, default=SHOWN, help=f"changes shown  [{SHOWN}]")
    options.add_request(parser)
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Decide every request by both, and show where they differ."""
    old, new = reading.load(typed.old), reading.load(typed.new)
    asks = list(_asks(typed, (old, new)))
    if typed.log is not None and not asks:
        raise OSError(f"{typed.log}: no line asks for a picture; give an access log, or URLs.")
    books = [_book(each) for each in (old, new)]
    changes = list(_changes(asks, books))
    changes.sort(key=lambda each: (-each.count, each.url))
    told = {
        "requests": sum(each.count for each in asks),
        "urls": len({each.url for each in asks}),
        "changed_requests": sum(each.count for each in changes),
        "changed_urls": len({each.url for each in changes}),
    }
    if typed.as_json:
        shown = [_told(each) for each in changes[: typed.limit]]
        options.say_json({**told, "changes": shown})
        return OK
    for each in changes[: typed.limit]:
        options.say(f"{each.count:>7,}  {each.url}")
        options.say(f"     -  {each.old}  ({each.old_rules})")
        options.say(f"     +  {each.new}  ({each.new_rules})")
    if len(changes) > typed.limit:
        options.say(f"    …   {len(changes) - typed.limit:,} more")
    options.say(
        f"{told['changed_requests']:,} of {told['requests']:,} requests change"
        f" ({told['changed_urls']:,} of {told['urls']:,} URLs)"
    )
    return OK


def _asks(typed: argparse.Namespace, rulesets: tuple[Ruleset, Ruleset]) -> Iterator[_Ask]:
    """Give what to decide: what a log has, or the tests, with what each of them says it finds."""
    headers = options.headers(typed.header)
    if typed.log is not None:
        now = time.time() if typed.now is None else typed.now
        for url, count in Counter(_urls(typed.log)).items():
            yield _Ask(url=url, count=count, headers={"accept": ACCEPT, **headers}, now=now)
        return
    for each in (each for ruleset in rulesets for clause in ruleset.clauses
                 for each in clause.examples):  # fmt: skip
        now = each.now if typed.now is None else typed.now
        found = {**each.headers, **headers}
        yield _Ask(url=each.url, count=1, headers=found, now=now, facts=each.facts)


def _urls(log: str) -> Iterator[str]:
    if log == "-":
        yield from filter(_is_ours, logged.targets(sys.stdin))
        return
    try:
        with Path(log).open(encoding="utf-8", errors="replace") as lines:
            yield from filter(_is_ours, logged.targets(lines))
    except FileNotFoundError:
        raise OSError(
            f"{log}: there is no such file; a server writes access.log into its data folder where"
            ' [access_log] form = "combined" is set.'
        ) from None


def _is_ours(url: str) -> bool:
    return url.removeprefix("/").partition("/")[0] in preprocess.DIALECTS


def _book(ruleset: Ruleset) -> deciding.Book:
    if ruleset.table is None:
        return deciding.Book(ruleset=ruleset)
    titles = Titles(ruleset.table)
    if ruleset.table.url:
        titles.refresh()
    return deciding.Book(ruleset=ruleset, look=titles.look)


def _changes(asks: Iterable[_Ask], books: list[deciding.Book]) -> Iterable[Change]:
    for each in asks:
        (old, old_rules), (new, new_rules) = (_decided(each, book) for book in books)
        if old != new:
            yield Change(
                url=each.url, count=each.count, old=old, new=new,
                old_rules=old_rules, new_rules=new_rules,
            )  # fmt: skip


def _decided(ask: _Ask, book: deciding.Book) -> tuple[str, str]:
    """Give the picture in words, and the rules that made it so."""
    path, _, query = ask.url.partition("?")
    asked = Asked(path=path.removeprefix("/"), query=query, headers=ask.headers)
    facts = ask.facts
    if facts is not None:
        book = deciding.Book(ruleset=book.ruleset, look=lambda _: facts)
    seen = deciding.view(asked, book, ask.now)
    try:
        decided = preprocess.decide_for(asked, seen, trial=True)
    except refusals.Refusal as refusal:
        return f"{refusal.status} {refusal.message}", "refused"
    if not isinstance(decided, Decision):
        return f"{decided.status}", "no picture"
    made = decided.recipe
    spelled = f"{recipes.spell_ops((*made.ops, made.out))} {made.source}/{made.path}"
    return spelled, ", ".join(decided.because) or "no rule"


def _told(change: Change) -> dict[str, Any]:
    return {
        "url": change.url, "count": change.count,
        "old": {"recipe": change.old, "rules": change.old_rules},
        "new": {"recipe": change.new, "rules": change.new_rules},
    }  # fmt: skip
