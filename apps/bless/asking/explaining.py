"""A decision as plain data, and as words: what `explain` answers, what a refusal says. Pure."""

from __future__ import annotations

from typing import Any

from asking.deciding import Decision
from asking.unmet import SHOWN_ITEMS_MAX


def told(decision: Decision) -> dict[str, Any]:
    """As JSON has it: lists for tuples, None for no grant."""
    grant = decision.grant
    given = None
    if grant is not None:
        given = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in grant._asdict().items()
        }
    return {
        "allowed": decision.allowed,
        "rule": decision.rule,
        "grant": given,
        "passed_over": [{"rule": each.rule, "why": each.why} for each in decision.passed_over],
        "needs": grant.needs if grant else 0,
    }


def refusal(decision: Decision) -> str:
    """Why nothing was granted, for who asked."""
    passed = decision.passed_over
    if not passed:
        return "The policy has no rules: nothing is certified. An administrator can write some."
    reasons = [f"{each.rule!r}: {each.why}" for each in passed[:SHOWN_ITEMS_MAX]]
    more = len(passed) - len(reasons)
    return (
        "No rule of the policy allows this. "
        + ". ".join(reasons)
        + (f". And {more} more rules." if more else ".")
    )
