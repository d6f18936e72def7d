"""The keys of ``when``: for whom and from when to when a rule holds. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rulesets.mistakes import fail, number, only, table, text, texts
from rulesets.ruleset import Bucket, Fact, Range, When

KEYS = ("facts", "from", "until", "country", "locale", "device", "format", "dpr", "bucket")
_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,4}")
_BY = re.compile(r"url|(?:header|cookie):[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_RANGE = ("least", "most")


def read(key: str, value: object) -> When:
    """Read a table of conditions.

    Raises:
        Mistake: a condition is unknown or impossible.
    """
    given = table(key, value)
    only(key, given, KEYS)
    bucket = given.get("bucket")
    begins, ends = (_moment(name, given.get(name)) for name in ("from", "until"))
    if begins is not None and ends is not None and begins >= ends:
        fail("until must be later than from", key, "until")
    return When(
        facts=tuple(
            (name, _wanted(f"facts.{name}", each))
            for name, each in table("facts", given.get("facts", {})).items()
        ),
        begins=begins,
        ends=ends,
        country=frozenset(each.upper() for each in _some(given, "country")),
        locale=tuple(map(_language, _some(given, "locale"))),
        device=frozenset(each.lower() for each in _some(given, "device")),
        format=frozenset(_some(given, "format")),
        dpr=_density(given["dpr"]) if "dpr" in given else None,
        bucket=None if bucket is None else _bucket("bucket", bucket),
    )


def by(key: str, value: object) -> str:
    """Read what stands for a viewer: ``url``, ``header:NAME`` or ``cookie:NAME``.

    Raises:
        Mistake: it is none of them.
    """
    found = text(key, value)
    if not _BY.fullmatch(found):
        fail(f"{key} = {found!r} must be 'url', 'header:NAME' or 'cookie:NAME'", key)
    kind, colon, name = found.partition(":")
    return f"{kind}{colon}{name.lower() if kind == 'header' else name}"


def facts(key: str, value: object) -> Mapping[str, Fact]:
    """Read facts as they are written in tests.

    Raises:
        Mistake: one is a list or a table.
    """
    given = table(key, value)
    for name, each in given.items():
        if not isinstance(each, str | int | float | bool):
            fail(f"{key}: {name} must be a text, a number, true or false", key, name)
    return given


def _some(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return texts(name, given[name]) if name in given else ()


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag.lower()):
        fail(f"locale: {tag!r} must be a language such as 'de' or 'pt-BR'", "when", "locale")
    return tag.lower()


def _moment(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        allowed = "a time with its offset, such as 2026-12-01T00:00:00Z"
        fail(f"{name} = {value} must be {allowed}", "when", name)
    try:
        return value.timestamp()
    except (OverflowError, ValueError):
        fail(f"{name} = {value} is too far away", "when", name)


def _wanted(key: str, value: object) -> Range | frozenset[Fact]:
    if isinstance(value, dict):
        return _range(key, value)
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(each, str | int | float | bool) for each in given):
        allowed = "a value, a list of values, or { least = …, most = … }"
        fail(f"{key} = {value!r} must be {allowed}", "when", "facts")
    return frozenset(given)


def _range(key: str, value: Mapping[str, Any]) -> Range:
    only(key, value, _RANGE)
    if not value:
        fail(f"{key} must have least, most or both", key)
    return Range(**{name: number(name, each, -math.inf, math.inf) for name, each in value.items()})


def _density(value: object) -> Range:
    if isinstance(value, dict):
        return _range("dpr", value)
    found = number("dpr", value, 0, 100)
    return Range(least=found, most=found)


def _bucket(key: str, value: object) -> Bucket:
    given = table(key, value)
    only(key, given, ("by", "salt", "from", "to"))
    salt = given.get("salt", "")
    if not isinstance(salt, str):
        fail(f"{key}: salt = {salt!r} must be a text", key, "salt")
    least = number("from", given.get("from", 0), 0, 100)
    below = number("to", given.get("to", 100), 0, 100)
    if least >= below:
        fail(f"{key}: from = {least:g} must be below to = {below:g}", key, "from")
    return Bucket(by=by("by", given.get("by", "url")), salt=salt, least=least, below=below)
