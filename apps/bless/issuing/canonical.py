"""JSON in its one form, so that what is signed can be told byte for byte by both sides. Pure.

Names in order of their code points, no spaces, UTF-8, whole numbers only: what RFC 8785 says of
such values. The standard library alone, since the client's commands import it too.
"""

from __future__ import annotations

import json

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_PLAIN = (str, int, bool, type(None))
DEPTH_MAX = 8


class CanonicalError(ValueError):
    """The value has no canonical form here."""


def encoded(value: object) -> bytes:
    """The bytes that stand for a JSON value.

    Raises:
        CanonicalError: a number is not whole, a name is no text, half a character, or too deep.
    """
    _check(value, DEPTH_MAX)
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise CanonicalError("half a character stands in a text") from None


def _check(value: object, depth: int) -> None:
    if isinstance(value, _PLAIN):
        return
    if not depth:
        raise CanonicalError(f"more than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise CanonicalError("names are text")
        value = list(value.values())
    if not isinstance(value, list | tuple):
        raise CanonicalError("only texts, whole numbers, lists and objects have a canonical form")
    for each in value:
        _check(each, depth - 1)
