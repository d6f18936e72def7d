"""The README names every parameter, limit and rule there is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import limits
from rulesets import policy, reading

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_every_limit_is_documented_with_its_default() -> None:
    """The table of limits is complete and true."""
    defaults = limits.Limits()
    missing = [
        field.name
        for field in fields(limits.Limits)
        if f"| `{field.name}` | {getattr(defaults, field.name)} |" not in README
    ]
    assert missing == []


def test_every_rule_and_the_first_parameters_are_documented() -> None:
    """So are the names in URLs and rules."""
    names = ["w", "h", "fit", "dpr", "fm", "q", "bg", "inside", "cover", "contain", "fill"]
    assert [name for name in names if f"`{name}`" not in README] == []
    example = README.partition("```toml")[2].partition("```")[0]
    assert [key for key in ("source", "path", *policy.READERS) if key not in example] == []


def test_the_example_of_rules_is_right() -> None:
    """Readers copy it."""
    example = README.partition("```toml")[2].partition("```")[0]
    assert len(reading.parse(example, "README.md").clauses) == 2
