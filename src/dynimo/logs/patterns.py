"""CloudWatch Logs' filter patterns: which messages does one match? Pure.

Terms (all must occur), ``"quoted phrases"``, ``?optional`` ones (any of them), ``-excluded`` ones,
and ``{ $.field = "value" && … }`` for messages that are JSON. Terms match anywhere in a message,
with case. Regular expressions (``%…%``) and ``[w1, w2]`` are refused: not to answer wrongly.
Source: the user guide's "Filter pattern syntax".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from dynimo.logs import jsonpatterns
from dynimo.logs.jsonpatterns import InvalidPattern

Match: TypeAlias = Callable[[str], bool]

PATTERN_CHARACTERS_MAX = 1024
_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')


def compiled(pattern: str) -> Match | None:
    """What decides whether a message matches; None if all do.

    Raises:
        InvalidPattern: it is no pattern, or of a kind that is not served.
    """
    text = pattern.strip()
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise InvalidPattern(f"it is longer than {PATTERN_CHARACTERS_MAX} characters")
    if not text:
        return None
    if text.startswith("{"):
        return jsonpatterns.compiled(text)
    if text.startswith(("[", "%")):
        raise InvalidPattern("space-delimited patterns and regular expressions are not served")
    return _terms(text)


def _terms(text: str) -> Match:
    every: list[str] = []
    some: list[str] = []
    none: list[str] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise InvalidPattern(f"a quotation mark at {at} has no other")
        sign, quoted, plain = found.groups()
        term = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        {"": every, "?": some, "-": none}[sign].append(term)
        at = found.end()
        if at < len(text) and not text[at].isspace():
            raise InvalidPattern(f"a space is missing at {at}")
    # Beside terms that must occur, optional ones change nothing.
    either = some if not every else []

    def match(message: str) -> bool:
        if any(term in message for term in none) or not all(term in message for term in every):
            return False
        return not either or any(term in message for term in either)

    return match
