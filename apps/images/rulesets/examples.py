"""The tests inside a rule: a request, and what must come of it. Reading them only. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rulesets import conditions
from rulesets.mistakes import fail, only, table, tables, text, texts, whole
from rulesets.ruleset import Example

EXAMPLES_MAX = 64
"""Tests of one rule."""
NOW = 1_800_000_000.0
"""When a test is that does not say: some time in 2027."""
_KEYS = ("url", "headers", "facts", "now", "expect")

_EXPECTED: Mapping[str, Callable[[str, object], Any]] = {
    "ops": text,
    "has": texts,
    "lacks": texts,
    "format": text,
    "quality": lambda key, value: whole(key, value, 0, 100),
    "ttl_seconds": lambda key, value: whole(key, value, 0, 1 << 31),
    "file": text,
    "rules": lambda _, value: tuple(value) if isinstance(value, list) else (str(value),),
    "tags": texts,
    "fallback": text,
    "status": lambda key, value: whole(key, value, 200, 599),
}
"""What may be expected; what each means is in `trying`."""


def read(value: object, line: Callable[[str, int], int]) -> tuple[Example, ...]:
    """Read ``tests``; ``line`` gives the line of a key in the nth of them.

    Raises:
        Mistake: one is malformed.
    """
    made = []
    for number, given in enumerate(tables("tests", value, EXAMPLES_MAX)):
        only("tests", given, _KEYS)
        url = text("tests.url", given.get("url"))
        if not url.startswith("/"):
            fail(f"tests: url = {url!r} must begin with '/'", "tests", "url")
        headers = table("tests.headers", given.get("headers", {}))
        if not all(isinstance(each, str) for each in headers.values()):
            fail("tests: headers must be texts", "tests", "headers")
        made.append(
            Example(
                line=line("tests", number),
                url=url,
                headers={name.lower(): each for name, each in headers.items()},
                facts=conditions.facts("facts", given.get("facts", {})),
                now=_now(given.get("now")),
                expect=_expect(given.get("expect")),
            )
        )
    return tuple(made)


def _now(value: object) -> float:
    if value is None:
        return NOW
    if not isinstance(value, datetime) or value.tzinfo is None:
        fail(f"tests: now = {value} must be a time with its offset", "tests", "now")
    try:
        return value.timestamp()
    except (OverflowError, ValueError):
        fail(f"tests: now = {value} is too far away", "tests", "now")


def _expect(value: object) -> Mapping[str, Any]:
    given = table("tests.expect", value)
    only("tests.expect", given, tuple(_EXPECTED))
    if not given:
        fail(f"tests: expect must have one of {', '.join(_EXPECTED)}", "tests", "expect")
    return {name: _EXPECTED[name](f"expect.{name}", each) for name, each in given.items()}
