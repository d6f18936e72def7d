"""JSON as the standard library does it, without what that does anew for each value.

``JSONEncoder.encode`` makes an encoder for every call, ``JSONDecoder.decode`` looks for blanks
around every text; a frame is small, so these are most of its price. Answers are the library's own,
byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_make = getattr(json.encoder, "c_make_encoder", None)
_raw_decode = json.JSONDecoder().raw_decode
_decode = json.JSONDecoder().decode


def encoder(*, ensure_ascii: bool, separators: tuple[str, str]) -> Callable[[Any], str]:
    """Make a function that gives a value as JSON. The value must not contain itself.

    ``separators`` are (between items, after a key). It raises what ``json.dumps`` raises.
    """
    ordinary = json.JSONEncoder(ensure_ascii=ensure_ascii, separators=separators)
    if _make is None:  # an interpreter without the C accelerator
        return ordinary.encode
    module = json.encoder
    texts = module.encode_basestring_ascii if ensure_ascii else module.encode_basestring
    item, key = separators
    pieces = _make(None, ordinary.default, texts, None, key, item, False, False, True)

    def encode(value: Any) -> str:
        # A text or a float as a whole is a piece that the accelerator does not take.
        return "".join(pieces(value, 0)) if type(value) in {dict, list} else ordinary.encode(value)

    return encode


def decode(text: str) -> Any:
    """Read a JSON text.

    Raises:
        ValueError, RecursionError: it is none, or too deep.
    """
    try:
        value, end = _raw_decode(text)
    except ValueError:
        return _decode(text)  # blanks before it, or the words for what is wrong
    return value if end == len(text) else _decode(text)
