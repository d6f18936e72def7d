"""Event patterns in EventBridge's language: read once, then asked of each event. Pure.

Exact values, prefix, suffix, anything-but, numeric, exists, equals-ignore-case, wildcard, cidr and
$or.
Source: Amazon EventBridge User Guide, comparison operators for use in event patterns.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

PATTERN_CHARACTERS_MAX = 4096
DEPTH_MAX = 100
NUMBER_MAX = 5e9
Test: TypeAlias = Callable[[Any], bool]
"""Of one value that is there and is no list and no object."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
_LOWER, _UPPER = {">", ">="}, {"<", "<="}


class InvalidPattern(ValueError):
    """It is no event pattern; the message says where it is not."""


class Pattern:
    """One pattern. ``names`` are the keys at its top."""

    def __init__(self, text: str) -> None:
        """Read it. Raises InvalidPattern."""
        if len(text) > PATTERN_CHARACTERS_MAX:
            raise InvalidPattern(f"A pattern has at most {PATTERN_CHARACTERS_MAX} characters.")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidPattern(f"A pattern is JSON: {error}") from None
        if not isinstance(document, dict):
            raise InvalidPattern("A pattern is a JSON object.")
        self.document: dict[str, Any] = document
        self._matches = _object(document, "") if document else lambda _: True

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is one of those that are meant."""
        return self._matches(event)


def _object(document: Mapping[str, Any], path: str) -> Callable[[Mapping[str, Any]], bool]:
    """Every key must match; of ``$or``, one of the objects."""
    if path.count(".") > DEPTH_MAX:
        raise InvalidPattern(f"A pattern is at most {DEPTH_MAX} objects deep.")
    if not document:
        raise InvalidPattern(f"{path or 'The pattern'} must not be empty.")
    tests = [_member(key, held, f"{path}.{key}" if path else key) for key, held in document.items()]
    return lambda event: all(test(event) for test in tests)


def _member(key: str, held: Any, path: str) -> Callable[[Mapping[str, Any]], bool]:
    if key == "$or" and isinstance(held, list):
        if len(held) < 2 or not all(isinstance(each, dict) for each in held):
            raise InvalidPattern(f"{path} must list at least two objects.")
        choices = [_object(each, path) for each in held]
        return lambda event: any(choice(event) for choice in choices)
    if isinstance(held, dict):
        inner = _object(held, path)
        return lambda event: _inside(event.get(key, _NOTHING), inner)
    if not isinstance(held, list) or not held:
        raise InvalidPattern(f"{path} must be an object or a list of values that is not empty.")
    absent = any(each == {"exists": False} for each in held)
    present = [_value(each, path) for each in held if each != {"exists": False}]
    return lambda event: _leaf(event.get(key, _NOTHING), present, absent=absent)


_NOTHING = object()


def _inside(value: Any, inner: Callable[[Mapping[str, Any]], bool]) -> bool:
    """An object under a key, or one of a list of them. What is absent is an empty object."""
    if isinstance(value, list):
        return any(isinstance(each, dict) and inner(each) for each in value)
    if value is _NOTHING:
        return inner({})
    return isinstance(value, dict) and inner(value)


def _leaf(value: Any, tests: list[Test], *, absent: bool) -> bool:
    if value is _NOTHING or isinstance(value, dict):
        return absent
    values = value if isinstance(value, list) else [value]
    return any(test(each) for each in values for test in tests)


def _value(held: Any, path: str) -> Test:
    """The test of one entry in a list of values."""
    if isinstance(held, dict):
        if len(held) != 1:
            raise InvalidPattern(f"{path}: a comparison has one operator.")
        ((operator, operand),) = held.items()
        make = _OPERATORS.get(operator)
        if make is None:
            raise InvalidPattern(f"{path}: unknown operator {operator!r}.")
        return make(operand, path)
    if isinstance(held, list):
        raise InvalidPattern(f"{path}: a list within a list.")
    return lambda value: _same(value, held)


def _same(value: Any, held: Any) -> bool:
    if isinstance(value, bool) or isinstance(held, bool):
        return value is held
    return bool(value == held) and not isinstance(value, list | dict)


def _text(operand: Any, path: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{path}: a text is needed.")
    return operand


def _edge(operand: Any, path: str, *, start: bool) -> Test:
    """Build prefix or suffix; either may ignore case."""
    ignored = isinstance(operand, dict) and list(operand) == ["equals-ignore-case"]
    wanted = _text(operand["equals-ignore-case"] if ignored else operand, path)
    wanted = wanted.lower() if ignored else wanted

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        given = value.lower() if ignored else value
        return given.startswith(wanted) if start else given.endswith(wanted)

    return test


def _ignore_case(operand: Any, path: str) -> Test:
    wanted = _text(operand, path).lower()
    return lambda value: isinstance(value, str) and value.lower() == wanted


def _exists(operand: Any, path: str) -> Test:
    if operand is not True:
        raise InvalidPattern(f"{path}: exists is true or false.")
    return lambda _: True


def _anything_but(operand: Any, path: str) -> Test:
    """Build the opposite of values, or of a comparison of texts (with one text or several)."""
    if isinstance(operand, dict):
        if len(operand) != 1 or next(iter(operand)) not in _TEXT_OPERATORS:
            raise InvalidPattern(f"{path}: anything-but takes {', '.join(_TEXT_OPERATORS)}.")
        ((operator, inner),) = operand.items()
        texts = inner if isinstance(inner, list) else [inner]
        tests = [_OPERATORS[operator](each, path) for each in texts]
    else:
        values = operand if isinstance(operand, list) else [operand]
        if any(each is None or isinstance(each, list | dict) for each in values):
            raise InvalidPattern(f"{path}: anything-but takes texts and numbers.")
        tests = [_value(each, path) for each in values]
    if not tests:
        raise InvalidPattern(f"{path}: anything-but needs a value.")
    return lambda value: not any(test(value) for test in tests)


def _numeric(operand: Any, path: str) -> Test:
    """Build one comparison, or a range of two."""
    pairs = (
        list(zip(operand[::2], operand[1::2], strict=False)) if isinstance(operand, list) else []
    )
    sound = isinstance(operand, list) and len(operand) in {2, 4}
    for operator, bound in pairs:
        number = isinstance(bound, int | float) and not isinstance(bound, bool)
        sound = sound and operator in _COMPARISONS and number and abs(bound) <= NUMBER_MAX
    if sound and len(pairs) == 2:
        (low, least), (high, most) = pairs
        sound = low in _LOWER and high in _UPPER and least < most
    if not sound:
        raise InvalidPattern(f"{path}: numeric needs an operator and a number, or a range.")

    def test(value: Any) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return all(_COMPARISONS[operator](value, bound) for operator, bound in pairs)

    return test


def _wildcard(operand: Any, path: str) -> Test:
    r"""Build a text in which ``*`` stands for any; ``\*`` is the character itself."""
    text = _text(operand, path)
    parts, held, escaped = [], "", False
    for each in text:
        if escaped:
            if each not in "*\\":
                raise InvalidPattern(f"{path}: \\{each} means nothing in a wildcard.")
            held, escaped = held + each, False
        elif each == "\\":
            escaped = True
        elif each == "*":
            parts.append(held)
            held = ""
        else:
            held += each
    parts.append(held)
    if escaped or any(not part for part in parts[1:-1]):
        raise InvalidPattern(f"{path}: a wildcard holds ** or ends with \\.")
    return lambda value: isinstance(value, str) and _fits(value, parts)


def _fits(value: str, parts: list[str]) -> bool:
    """Whether the parts occur in their order: the first at the start, the last at the end."""
    first, *rest = parts
    if not rest:
        return value == first
    *middle, last = rest
    if not value.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = value.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(value) - at >= len(last) and value.endswith(last)


def _cidr(operand: Any, path: str) -> Test:
    try:
        network = ipaddress.ip_network(_text(operand, path), strict=False)
    except ValueError:
        raise InvalidPattern(f"{path}: {operand!r} is no block of addresses.") from None

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


_TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard")
_OPERATORS: dict[str, Callable[[Any, str], Test]] = {
    "prefix": lambda operand, path: _edge(operand, path, start=True),
    "suffix": lambda operand, path: _edge(operand, path, start=False),
    "equals-ignore-case": _ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "wildcard": _wildcard,
    "cidr": _cidr,
}
