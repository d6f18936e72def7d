"""Wildcards, ARNs with wildcards, and variables of policies. Pure, and linear in what is matched.

No regular expression is made of a policy's stars: whoever may write a session's policy must not be
able to keep the platform busy with one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from dynimo.identity.refusals import MalformedPolicy

_VARIABLE = re.compile(r"\$\{([^${}]*)\}")
_DEFAULT = re.compile(r"([^,]*?)\s*,\s*'([^']*)'\s*")
_ARN_PARTS = 6


def like(pattern: str, text: str) -> bool:
    """Whether ``text`` matches, with ``*`` for any characters and ``?`` for one."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(first) == len(text) and _at(first, text, 0)
    *middle, last = rest
    end = len(text) - len(last)
    if end < len(first) or not _at(first, text, 0) or not _at(last, text, end):
        return False
    start = len(first)
    for part in middle:
        start = _find(part, text, start, end)
        if start < 0:
            return False
    return True


def arn_like(pattern: str, arn: str) -> bool:
    """Whether an ARN matches, part by part: no star reaches over a colon but in the last part."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == len(given) == _ARN_PARTS and all(map(like, wanted, given))


def check_arn(pattern: str) -> None:
    """Refuse what can be no ARN's pattern. Raises ValueError."""
    pattern = _VARIABLE.sub("x", pattern)  # a variable's name has colons too
    if pattern != "*" and not (pattern.startswith("arn:") and pattern.count(":") >= _ARN_PARTS - 1):
        raise ValueError(pattern)


def check_variables(text: str) -> None:
    """Refuse a ``${`` that begins no variable. Raises MalformedPolicy."""
    if _VARIABLE.sub("", text).find("${") >= 0 or "${*}" in text or "${?}" in text:
        raise MalformedPolicy(f"The policy variable in {text!r} cannot be used.")


def filled(text: str, context: Mapping[str, Sequence[str]]) -> str | None:
    """The text with its variables' values; None if one has no single plain value."""
    if "${" not in text:
        return text
    parts: list[str] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        value = _value(match[1], context)
        if value is None:
            return None
        parts += [text[at : match.start()], value]
        at = match.end()
    return "".join((*parts, text[at:]))


def _value(name: str, context: Mapping[str, Sequence[str]]) -> str | None:
    if name == "$":
        return "$"
    default = _DEFAULT.fullmatch(name)
    values = context.get((default[1] if default else name).strip().lower())
    if not values:
        return default[2] if default else None
    # A value with a wildcard in it would match more than itself.
    return values[0] if len(values) == 1 and not set("*?") & set(values[0]) else None


def _at(part: str, text: str, start: int) -> bool:
    if "?" not in part:
        return text.startswith(part, start)
    return _expression(part).match(text, start) is not None


def _find(part: str, text: str, start: int, end: int) -> int:
    """Where the search goes on behind the first occurrence of ``part``; -1 if there is none."""
    if "?" not in part:
        found = text.find(part, start, end)
        return found + len(part) if found >= 0 else -1
    match = _expression(part).search(text, start, end)
    return match.end() if match is not None else -1


@functools.lru_cache(maxsize=512)
def _expression(part: str) -> re.Pattern[str]:
    """A part without stars, as an expression of fixed length."""
    return re.compile("".join("." if each == "?" else re.escape(each) for each in part), re.DOTALL)
