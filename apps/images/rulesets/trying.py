"""Runs the tests inside a ruleset: each request must lead to what its rule expects. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import recipe as recipes
import refusals
import tags
from dialects.dialect import Asked, Decision
from dynimo.sdk import http
from rulesets.mistakes import RulesError
from rulesets.ruleset import Clause, Example, Ruleset

Answer = Callable[[Ruleset, Example], Decision | http.Reply]
"""Decides an example's request; may raise Refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One test that failed."""

    clause: Clause
    line: int
    expected: str
    got: str

    def __str__(self) -> str:
        return f"rule {self.clause.name!r}: expected {self.expected}, got {self.got}"


def failures(ruleset: Ruleset, answer: Answer) -> Iterator[Failure]:
    """Run every test of a ruleset."""
    for clause in ruleset.clauses:
        for example in clause.examples:
            yield from _tried(ruleset, clause, example, answer)


def count(ruleset: Ruleset) -> int:
    """Count the tests of a ruleset."""
    return sum(len(clause.examples) for clause in ruleset.clauses)


def check(ruleset: Ruleset, name: str, answer: Answer) -> None:
    """Refuse a ruleset of which a test fails; ``name`` is its file's.

    Raises:
        RulesError: naming file, line, rule, what was expected and what came.
    """
    for failure in failures(ruleset, answer):
        raise RulesError(f"{name}:{failure.line}: {failure}")


def asked(example: Example) -> Asked:
    """Give an example's request; its path begins with the dialect."""
    path, _, query = example.url.partition("?")
    return Asked(path=path.removeprefix("/"), query=query, headers=example.headers)


def _tried(ruleset: Ruleset, clause: Clause, example: Example, answer: Answer) -> Iterator[Failure]:
    try:
        decided = answer(ruleset, example)
        status = 200 if isinstance(decided, Decision) else decided.status
        said = ""
    except refusals.Refusal as refusal:
        decided, status, said = None, refusal.status, f" ({refusal.message})"
    wanted = example.expect.get("status", 200)
    if status != wanted:
        yield Failure(
            clause=clause, line=example.line, expected=f"status {wanted}", got=f"{status}{said}"
        )
        return
    if not isinstance(decided, Decision):
        return
    for key, value in example.expect.items():
        got = _got(decided, key)
        if not _fits(key, value, got):
            yield Failure(
                clause=clause, line=example.line, expected=f"{key} {_shown(value)}",
                got=_shown(got),
            )  # fmt: skip


def _got(decided: Decision, key: str) -> Any:
    made, out = decided.recipe, decided.recipe.out
    match key:
        case "ops":
            return recipes.spell_ops((*made.ops, out))
        case "has" | "lacks":
            return tuple(recipes.spell_ops((op,)) for op in (*made.ops, out))
        case "format":
            return out.fm
        case "quality":
            return out.quality
        case "ttl_seconds":
            return out.ttl_seconds
        case "file":
            return f"{made.source}/{made.path}"
        case "rules":
            return decided.because
        case "tags":
            kind = tags.TAG
            return tuple(each.removeprefix(kind) for each in decided.tags if each.startswith(kind))
        case "fallback":
            second = decided.fallback
            return f"{second.source}/{second.path}" if second else ""
    return 200


def _fits(key: str, wanted: Any, got: Any) -> bool:
    if key in ("has", "lacks"):
        found = [any(_is(each, part) for each in got) for part in wanted]
        return all(found) if key == "has" else not any(found)
    if key == "tags":
        return set(wanted) <= set(got)
    return bool(wanted == got)


def _is(spelled: str, part: str) -> bool:
    """``layer`` means any layer, ``cut:300,450`` that and whatever follows."""
    return spelled == part or spelled.startswith((f"{part}:", f"{part},"))


def _shown(value: Any) -> str:
    return ", ".join(map(repr, value)) or "none" if isinstance(value, tuple) else repr(value)
