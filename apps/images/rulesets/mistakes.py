"""What is wrong with a rules file, and in which line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[\w.\s-]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?(?P<name>[\w-]+)["']?\s*[.=]""")


class RulesError(ValueError):
    """The rules cannot be used. The message is ``FILE:LINE: reason``."""


class Mistake(Exception):
    """A value that cannot be; ``keys`` lead to it."""

    def __init__(self, reason: str, *keys: str) -> None:
        super().__init__(reason)
        self.keys = keys


def fail(reason: str, *keys: str) -> NoReturn:
    """Say what is wrong with the value at ``keys``.

    Raises:
        Mistake: always.
    """
    raise Mistake(reason, *keys)


def table(key: str, value: object) -> Mapping[str, Any]:
    """Check that a value is a table.

    Raises:
        Mistake: it is not.
    """
    if not isinstance(value, dict):
        fail(f"{key} must be a table", key)
    return value


def tables(key: str, value: object, most: int) -> list[dict[str, Any]]:
    """Check that a value is a list of tables.

    Raises:
        Mistake: it is not, or they are too many.
    """
    fit = isinstance(value, list) and len(value) <= most
    if not isinstance(value, list) or not fit or not all(isinstance(v, dict) for v in value):
        fail(f"{key} must be a list of at most {most} tables", key)
    return value


def only(key: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Check that a table has no other keys.

    Raises:
        Mistake: it has.
    """
    for name in given:
        if name not in known:
            fail(f"{key}: unknown key {name!r}; allowed: {', '.join(known)}", key, name)


def text(key: str, value: object) -> str:
    """Check that a value is a text.

    Raises:
        Mistake: it is none, or empty.
    """
    if not isinstance(value, str) or not value:
        fail(f"{key} = {value!r} must be a text that is not empty", key)
    return value


def texts(key: str, value: object) -> tuple[str, ...]:
    """Check that a value is a text or a list of texts.

    Raises:
        Mistake: it is neither.
    """
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(each, str) and each for each in given):
        fail(f"{key} = {value!r} must be a text or a list of texts", key)
    return tuple(given)


def number(key: str, value: object, least: float, most: float) -> float:
    """Check that a value is a number.

    Raises:
        Mistake: it is none, or not between ``least`` and ``most``.
    """
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not right or not least <= value <= most:
        fail(f"{key} = {value!r} must be a number from {least:g} to {most:g}", key)
    return value


def whole(key: str, value: object, least: int, most: int) -> int:
    """Check that a value is a whole number.

    Raises:
        Mistake: it is none, or not between ``least`` and ``most``.
    """
    right = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not right or not least <= value <= most:
        fail(f"{key} = {value!r} must be a whole number from {least} to {most}", key)
    return value


def line(text: str, index: int, keys: tuple[str, ...], nth: int = 0) -> int:
    """Find the line of ``keys`` in the rule number ``index`` (-1: before or outside all rules).

    TOML's reader keeps no lines, so this walks headers and keys; it falls back to the nearest
    thing found: the outer key, the rule's header, the first line. ``nth``: of several tables of
    that name, which.
    """
    best, best_depth = 1, -1
    rule = -1
    inside: tuple[str, ...] = ()
    for count, written in enumerate(text.splitlines(), 1):
        depth = -1
        if header := _HEADER.fullmatch(written):
            names = tuple(part.strip() for part in header["name"].split("."))
            rule += names == ("rule",)
            inside = names[1:] if names[0] == "rule" else names
            found = inside
        elif key := _KEY.match(written):
            found = (*inside, key["name"])
        else:
            continue
        if (rule == index or index < 0) and found == keys[: len(found)]:
            depth = len(found)
            if header and found == keys and nth:
                nth -= 1
                continue
        if depth > best_depth:
            best, best_depth = count, depth
    return best
