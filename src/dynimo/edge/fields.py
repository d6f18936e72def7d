"""Structured field dictionaries, read as RFC 9651 says: all of it valid, or none of it. Pure."""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_DECIMAL = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,3}(?![0-9.])")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_BINARY = re.compile(r":[A-Za-z0-9+/=]*:")
_BOOLEAN = re.compile(r"\?([01])")
_DATE = re.compile(r"@-?[0-9]{1,15}(?![0-9.])")
_DISPLAY = re.compile(r'%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"')
_SPACES = re.compile(r" *")
_BLANKS = re.compile(r"[ \t]*")


class _Text:
    """A text and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip(self, character: str) -> bool:
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def done(self) -> bool:
        return self.at >= len(self.text)


def dictionary(text: str) -> dict[str, Any] | None:
    """Return a dictionary's members, None when any of it is malformed.

    Integers are ints, decimals floats, booleans bools, strings and tokens strs, inner lists lists;
    binary, dates and display strings are given as they are written. Parameters are read and
    dropped. Of members with one key the last counts.
    """
    if not text.isascii():
        return None
    read = _Text(text.strip(" "))
    members: dict[str, Any] = {}
    try:
        while not read.done():
            key = _needed(read, _KEY)[0]
            members.pop(key, None)
            members[key] = _item(read) if read.skip("=") else True
            _parameters(read)
            read.take(_BLANKS)
            if read.done():
                break
            if not read.skip(","):
                return None
            read.take(_BLANKS)
            if read.done():
                return None
    except ValueError:
        return None
    return members


def _needed(read: _Text, pattern: re.Pattern[str]) -> re.Match[str]:
    match = read.take(pattern)
    if match is None:
        raise ValueError
    return match


def _item(read: _Text) -> Any:
    if read.skip("("):
        return _inner_list(read)
    return _bare(read)


def _inner_list(read: _Text) -> list[Any]:
    found: list[Any] = []
    while True:
        read.take(_SPACES)
        if read.skip(")"):
            return found
        if read.done():
            raise ValueError
        found.append(_bare(read))
        _parameters(read)
        if not read.done() and read.text[read.at] not in " )":
            raise ValueError


def _bare(read: _Text) -> Any:
    if match := read.take(_DECIMAL):
        return float(match[0])
    if match := read.take(_INTEGER):
        return int(match[0])
    if match := read.take(_BOOLEAN):
        return match[1] == "1"
    if match := read.take(_STRING):
        return re.sub(r"\\(.)", r"\1", match[1])
    for pattern in (_TOKEN, _BINARY, _DATE, _DISPLAY):
        if match := read.take(pattern):
            return match[0]
    raise ValueError


def _parameters(read: _Text) -> None:
    while read.skip(";"):
        read.take(_SPACES)
        _needed(read, _KEY)
        if read.skip("="):
            _bare(read)
