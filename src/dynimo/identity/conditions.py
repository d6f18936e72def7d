"""Conditions of a policy: operators, keys and values. Pure.

The answer is yes, no, or None for "cannot be told" (a value that is none of the operator's kind, a
variable without a value); the policy turns None into what refuses. An operator that is not known
here is refused when the policy is read. Source: AWS's IAM reference, "JSON policy elements:
Condition operators".
"""

from __future__ import annotations

import ipaddress
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dynimo.identity import patterns
from dynimo.identity.refusals import MalformedPolicy

VALUES_MAX = 500
"""In one condition."""

Context = Mapping[str, Sequence[str]]
"""Condition keys, in lower case, and their values."""
_Match = Callable[[str, str], bool]
"""(the request's value, the policy's value); raises ValueError if it cannot be told."""


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _date(text: str) -> float:
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return _number(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bool(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _in_network(value: str, network: str) -> bool:
    address = ipaddress.ip_address(value.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address) in ipaddress.ip_network(network, strict=False)


def _compared(kind: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> _Match:
    return lambda value, wanted: compare(kind(value), kind(wanted))


def _plain(text: str) -> str:
    return text


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_OPERATORS: dict[str, tuple[_Match, Callable[[str], Any]]] = {
    "StringEquals": (operator.eq, _plain),
    "StringEqualsIgnoreCase": (_compared(str.lower, operator.eq), _plain),
    "StringLike": (lambda value, wanted: patterns.like(wanted, value), _plain),
    "ArnEquals": (lambda value, wanted: patterns.arn_like(wanted, value), patterns.check_arn),
    "ArnLike": (lambda value, wanted: patterns.arn_like(wanted, value), patterns.check_arn),
    "BinaryEquals": (operator.eq, _plain),
    "Bool": (_compared(_bool, operator.eq), _bool),
    "IpAddress": (_in_network, lambda text: ipaddress.ip_network(text, strict=False)),
    **{f"Numeric{name}": (_compared(_number, each), _number)
       for name, each in _COMPARISONS.items()},
    **{f"Date{name}": (_compared(_date, each), _date) for name, each in _COMPARISONS.items()},
}  # fmt: skip
"""Operator → how it compares, and what refuses a value of the policy that is none of its kind."""
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
_WITH_VARIABLES = ("String", "Arn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One key under one operator. ``quantifier`` is ``ForAnyValue``, ``ForAllValues`` or empty."""

    key: str
    base: str
    values: tuple[str, ...]
    negated: bool = False
    if_exists: bool = False
    quantifier: str = ""
    variables: bool = False

    def holds(self, context: Context) -> bool | None:
        """Whether it holds for a request; None if that cannot be told."""
        given = context.get(self.key)
        if self.base == "Null":
            return any((not given) == _bool(wanted) for wanted in self.values)
        if not given:
            absent = self.negated or self.quantifier == "ForAllValues"
            return self.if_exists or (absent and self.quantifier != "ForAnyValue")
        wanted: list[str] = []
        for text in self.values:
            filled = patterns.filled(text, context) if self.variables else text
            if filled is None:
                return None
            wanted.append(filled)
        match = _OPERATORS[self.base][0]
        try:
            matched = [any(match(value, one) for one in wanted) for value in given]
        except ValueError:
            return None
        return self._joined(matched)

    def _joined(self, matched: list[bool]) -> bool:
        """Of several values of the request: by the quantifier, else any of them counts."""
        if self.negated:
            matched = [not each for each in matched]
            return any(matched) if self.quantifier == "ForAnyValue" else all(matched)
        return all(matched) if self.quantifier == "ForAllValues" else any(matched)


def read(block: Any, *, variables: bool) -> tuple[Condition, ...]:
    """Read a Condition block; ``variables`` says whether ``${…}`` means something in its version.

    Raises:
        MalformedPolicy: an operator is not known, or a value is none of its kind.
    """
    if not isinstance(block, dict):
        raise MalformedPolicy("Syntax errors in policy: Condition must be an object.")
    found: list[Condition] = []
    for name, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicy(f"Syntax errors in policy: Condition {name} must be an object.")
        found += [_one(name, key, value, variables) for key, value in keys.items()]
    return tuple(found)


def _one(name: str, key: str, value: Any, variables: bool) -> Condition:  # noqa: FBT001 - private
    quantifier, colon, rest = name.rpartition(":")
    if colon and quantifier not in {"ForAnyValue", "ForAllValues"}:
        raise MalformedPolicy(f"Invalid Condition type : {name}.")
    base = rest.removesuffix("IfExists")
    negated = base in _NEGATED
    base = _NEGATED.get(base, base)
    if base not in _OPERATORS and (base != "Null" or colon or rest != base):
        raise MalformedPolicy(f"Invalid Condition type : {name}.")
    listed = value if isinstance(value, list) else [value]
    if not 1 <= len(listed) <= VALUES_MAX or not key:
        raise MalformedPolicy(f"Syntax errors in policy: Condition {name} of {key!r} has no value.")
    texts = tuple(_text(each, name) for each in listed)
    filling = variables and base.startswith(_WITH_VARIABLES)
    check = _bool if base == "Null" else _OPERATORS[base][1]
    for text in texts:
        if filling:
            patterns.check_variables(text)
        try:
            check(text)
        except ValueError:
            raise MalformedPolicy(f"The value {text!r} cannot be used with {name}.") from None
    return Condition(
        key=key.lower(), base=base, values=texts, negated=negated, quantifier=quantifier,
        if_exists=rest.endswith("IfExists"), variables=filling,
    )  # fmt: skip


def _text(value: Any, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise MalformedPolicy(f"Syntax errors in policy: Condition {name} takes texts, not {value!r}.")
