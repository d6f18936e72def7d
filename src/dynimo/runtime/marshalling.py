"""What a handler returned, as JSON: byte for byte what AWS's Python runtime makes of it.

That runtime uses simplejson with its own rules: named tuples become objects, bytes text, Decimals
numbers; below Python 3.12 everything beyond ASCII is escaped. The standard library's encoder, which
is fast, knows none of this, so it is used only for values that the rules do not touch. Source:
awslambdaric 4.2, lambda_runtime_marshaller.py.
"""

from __future__ import annotations

import json
import marshal
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from dynimo.runtime import compact

ESCAPED = sys.version_info < (3, 12)
"""Whether characters beyond ASCII are escaped."""

MARSHAL_VERSION = 2
"""The last one that cannot say that a value contains itself, so it refuses that."""

_plain = compact.encoder(ensure_ascii=ESCAPED, separators=(", ", ": "))
_text = json.encoder.encode_basestring_ascii if ESCAPED else json.encoder.encode_basestring
_CONSTANTS = {None: "null", True: "true", False: "false"}


def encode(value: Any) -> bytes:
    """``value`` as JSON in UTF-8; bytes stay what they are.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot say it.
    """
    if isinstance(value, bytes):
        return value
    try:
        # The quickest way to learn that all of it is of the built-in types themselves: marshal
        # takes no subclasses, which is where the rules differ, and nothing that contains itself.
        marshal.dumps(value, MARSHAL_VERSION)
        return _plain(value).encode()
    except (TypeError, ValueError):
        return "".join(_pieces(value, set())).encode()


def _pieces(value: Any, within: set[int]) -> Iterator[str]:
    scalar = _scalar(value)
    if scalar is not None:
        yield scalar
        return
    if id(value) in within:
        raise ValueError("Circular reference detected")
    within.add(id(value))
    if isinstance(value, list):
        yield from _array(value, within)
    elif callable(named := getattr(value, "_asdict", None)):
        yield from _object(named(), within)
    elif isinstance(value, tuple):
        yield from _array(value, within)
    elif isinstance(value, dict):
        yield from _object(value, within)
    else:
        decimal = sys.modules.get("decimal")
        if decimal is None or not isinstance(value, decimal.Decimal):
            kind = type(value).__name__
            raise TypeError(f"Object of type {kind} is not JSON serializable")
        yield "NaN" if value.is_nan() else str(value)
    within.discard(id(value))


def _scalar(value: Any) -> str | None:
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return _text(value.decode())
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _number(value)
    return None


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _array(values: list[Any] | tuple[Any, ...], within: set[int]) -> Iterator[str]:
    separator = "["
    for item in values:
        yield separator
        yield from _pieces(item, within)
        separator = ", "
    yield "[]" if separator == "[" else "]"


def _object(values: Mapping[Any, Any], within: set[int]) -> Iterator[str]:
    separator = "{"
    for key, item in values.items():
        yield f"{separator}{_key(key)}: "
        yield from _pieces(item, within)
        separator = ", "
    yield "{}" if separator == "{" else "}"


def _key(key: Any) -> str:
    if isinstance(key, str | bytes):
        return _scalar(key) or ""
    scalar = _scalar(key)
    if scalar is None:
        kind = type(key).__name__
        raise TypeError(f"keys must be str, int, float, bool or None, not {kind}")
    return f'"{scalar}"'
