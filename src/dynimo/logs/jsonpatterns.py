"""Filter patterns for messages that are JSON: ``{ ($.level = "ERROR" && $.ms > 10) || … }``. Pure.

A pattern becomes a tree of small functions. A message that is no JSON object matches none. Numbers
compare as numbers, texts exactly or with ``*`` for anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

Test: TypeAlias = Callable[[Any], bool]

DEPTH_MAX = 32
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<path>\$(?:\.[\w@\-]+|\[\s*\d+\s*\]|\[\s*'[^']*'\s*\]|\[\s*"[^"]*"\s*\])*)
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<sign>&&|\|\||!=|<=|>=|[(){}=<>])
      | (?P<word>[^\s(){}=<>!&|"]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.([\w@\-]+)|\[\s*(\d+)\s*\]|\[\s*['"]([^'"]*)['"]\s*\]""")
_MISSING = object()


class InvalidPattern(ValueError):
    """A filter pattern that cannot be used; the text says why."""


def compiled(text: str) -> Callable[[str], bool]:
    """What decides whether a message matches.

    Raises:
        InvalidPattern: it is no pattern of this kind.
    """
    parser = _Parser(text)
    parser.expect("{")
    test = parser.either()
    parser.expect("}")
    parser.end()

    def match(message: str) -> bool:
        if "{" not in message:
            return False
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and test(value)

    return match


class _Parser:
    """Reads a pattern from left to right; ``&&`` binds closer than ``||``."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.end() == at or found.lastgroup is None:
                raise InvalidPattern(f"{text[at : at + 20]!r} is not understood")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def either(self) -> Test:
        """Alternatives."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidPattern(f"it is nested deeper than {DEPTH_MAX}")
        tests = [self._both()]
        while self._taken("||"):
            tests.append(self._both())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)

    def expect(self, sign: str) -> None:
        """The next token is this one."""
        if not self._taken(sign):
            raise InvalidPattern(f"{sign!r} is missing before {self._peek()[1] or 'its end'!r}")

    def end(self) -> None:
        """There is no token left."""
        if self._at < len(self._tokens):
            raise InvalidPattern(f"{self._peek()[1]!r} comes after its end")

    def _both(self) -> Test:
        tests = [self._one()]
        while self._taken("&&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _one(self) -> Test:
        if self._taken("("):
            test = self.either()
            self.expect(")")
            return test
        kind, text = self._next()
        if kind != "path":
            raise InvalidPattern(f"a selector like $.name is missing before {text!r}")
        steps = _steps(text)
        kind, operator = self._next()
        if kind == "word":
            return self._worded(steps, operator.upper())
        if operator not in {"=", "!=", "<", ">", "<=", ">="}:
            raise InvalidPattern(f"{operator!r} is no comparison")
        kind, wanted = self._next()
        if kind not in {"text", "word"}:
            raise InvalidPattern(f"{wanted!r} is no value")
        return _comparison(steps, operator, wanted, quoted=kind == "text")

    def _worded(self, steps: list[str | int], first: str) -> Test:
        """``IS NULL``, ``IS TRUE``, ``IS FALSE``, ``NOT EXISTS``, ``EXISTS``."""
        if first == "EXISTS":
            return lambda value: _found(value, steps) is not _MISSING
        second = self._next()[1].upper()
        if first == "NOT" and second == "EXISTS":
            return lambda value: _found(value, steps) is _MISSING
        known = {"NULL": None, "TRUE": True, "FALSE": False}
        if first != "IS" or second not in known:
            raise InvalidPattern(f"{first} {second} is not understood")
        wanted = known[second]
        return lambda value: _found(value, steps) is wanted

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if not token[0]:
            raise InvalidPattern("it ends too early")
        self._at += 1
        return token

    def _taken(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False


def _steps(path: str) -> list[str | int]:
    return [
        int(found[2]) if found[2] else found[1] or found[3] for found in _STEP.finditer(path)
    ]  # fmt: skip


def _found(value: Any, steps: list[str | int]) -> Any:
    """What a selector leads to, or ``_MISSING``."""
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _MISSING
            value = value[step]
        elif not isinstance(value, dict) or step not in value:
            return _MISSING
        else:
            value = value[step]
    return value


def _comparison(steps: list[str | int], operator: str, wanted: str, *, quoted: bool) -> Test:
    number = None if quoted else _number(wanted)
    if operator in {"<", ">", "<=", ">="}:
        if number is None:
            raise InvalidPattern(f"{operator} compares numbers, not {wanted!r}")
        bound = number
        return lambda value: _ordered(_found(value, steps), operator, bound)
    text = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if quoted else wanted
    equal = _equality(text, number)
    if operator == "=":
        return lambda value: equal(_found(value, steps))
    return lambda value: (found := _found(value, steps)) is not _MISSING and not equal(found)


def _equality(text: str, number: float | None) -> Test:
    pieces = text.split("*")

    def equal(found: Any) -> bool:
        if isinstance(found, bool) or found is None or found is _MISSING:
            return False
        if isinstance(found, int | float):
            return number is not None and found == number
        return isinstance(found, str) and _like(found, pieces)

    return equal


def _like(text: str, pieces: list[str]) -> bool:
    """Whether a text is these pieces with anything between them; linear, unlike an expression."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _ordered(found: Any, operator: str, bound: float) -> bool:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    if operator.startswith("<"):
        return found < bound or (operator == "<=" and found == bound)
    return found > bound or (operator == ">=" and found == bound)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
