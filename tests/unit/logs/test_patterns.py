"""Filter patterns: CloudWatch's syntax, as far as it is served."""

from __future__ import annotations

import time

import pytest

from dynimo.logs.jsonpatterns import InvalidPattern
from dynimo.logs.patterns import compiled


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("ERROR", "[ERROR] it broke", True),
        ("ERROR", "UNERRORED", True),
        ("ERROR", "error", False),
        ("ERROR timeout", "timeout: ERROR", True),
        ("ERROR timeout", "ERROR", False),
        ('"it broke"', "ERROR it broke", True),
        ('"it broke"', "it really broke", False),
        ('"say \\"no\\""', 'they say "no"', True),
        ("?ERROR ?WARN", "WARN: low", True),
        ("?ERROR ?WARN", "INFO: fine", False),
        ("ERROR ?WARN", "ERROR", True),
        ("ERROR -handled", "ERROR handled", False),
        ("ERROR -handled", "ERROR", True),
        ('ERROR -"all well"', "ERROR all well", False),
        ('-"all well"', "anything", True),
    ],
)
def test_terms(pattern: str, message: str, *, matches: bool) -> None:
    """All plain terms, any optional one, no excluded one; with case, anywhere."""
    match = compiled(pattern)
    assert match is not None
    assert match(message) is matches


LINE = (
    '{"level": "ERROR", "ms": 12.5, "user": {"ids": [7, "x"], "name": "Ada"}, "ok": true,'
    ' "none": null, "odd key": "v"}'
)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{$.level=ERROR}", True),
        ('{ $.level != "ERROR" }', False),
        ('{ $.gone != "ERROR" }', False),
        ('{ $.level = "E*R" }', True),
        ('{ $.level = "*RR*" }', True),
        ('{ $.level = "E*X*R" }', False),
        ("{ $.ms > 12 }", True),
        ("{ $.ms >= 12.5 && $.ms <= 12.5 }", True),
        ("{ $.ms < 12.5 }", False),
        ("{ $.ms = 12.5 }", True),
        ('{ $.ms = "12.5" }', False),
        ("{ $.user.ids[0] = 7 }", True),
        ('{ $.user.ids[1] = "x" }', True),
        ("{ $.user.ids[2] = 7 }", False),
        ("{ $['odd key'] = \"v\" }", True),
        ("{ $.ok IS TRUE }", True),
        ("{ $.ok IS FALSE }", False),
        ("{ $.none IS NULL }", True),
        ("{ $.gone IS NULL }", False),
        ("{ $.gone NOT EXISTS }", True),
        ("{ $.none NOT EXISTS }", False),
        ('{ $.level = "INFO" || $.ms > 1 && $.ok IS TRUE }', True),
        ('{ ($.level = "INFO" || $.ms > 1) && $.ok IS FALSE }', False),
    ],
)
def test_json(pattern: str, *, matches: bool) -> None:
    """Selectors, comparisons, and how they are joined."""
    match = compiled(pattern)
    assert match is not None
    assert match(LINE) is matches
    assert match("no JSON { at all") is False
    assert match("[1]") is False


@pytest.mark.parametrize(
    "pattern",
    [
        '"open',
        "{",
        "{ }",
        "{ level = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a < text }",
        "{ $.a = 1",
        "{ $.a = 1 } more",
        "{ $.a IS MAYBE }",
        "{ " + "(" * 100 + "$.a = 1" + ")" * 100 + " }",
        "[a, b]",
        "%regex%",
        "x" * 1025,
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """Rather an error than a wrong answer."""
    with pytest.raises(InvalidPattern):
        compiled(pattern)


def test_an_empty_pattern_matches_all() -> None:
    """Nothing to decide."""
    assert compiled("  ") is None


def test_a_hostile_pattern_is_quick() -> None:
    """Stars cannot make it look at the same text again and again."""
    match = compiled('{ $.a = "' + "*a" * 200 + '" }')
    assert match is not None
    began = time.process_time()
    assert match('{"a": "' + "a" * 50_000 + 'b"}') is False
    assert time.process_time() - began < 5
