"""The keys of a rule that say what a URL may ask for; they make a `rules.Rule`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import colours
import limits as limit_names
import query
import refusals
import rules
from parameters import table as parameters_table
from rulesets.mistakes import fail, table, whole

TTL_SECONDS_MAX = 31_536_000
_KINDS = {"text": (str, int, float), "number": (int, float), "flag": (bool,)}
_CALLED = {"text": "a text or a number", "number": "a number", "flag": "true or false"}
_SIZE = re.compile(r"(?P<w>[1-9]\d{0,4})?x(?P<h>[1-9]\d{0,4})?")


def _defaults(key: str, value: object) -> query.Wanted:
    limits = limit_names.Limits()
    known = parameters_table.picture_rows(limits)
    checked: dict[str, Any] = {}
    for name, given in table(key, value).items():
        if name not in known:
            fail(f"{key}: unknown key {name!r}; allowed: {', '.join(known)}", key, name)
        kind = known[name].reader.kind
        if not isinstance(given, _KINDS[kind]) or isinstance(given, bool) != (kind == "flag"):
            fail(f"{key}: {name} = {given!r} must be {_CALLED[kind]}", key, name)
        written = str(int(given)) if isinstance(given, bool) else str(given)
        try:
            checked[name] = query.check(name, written, limits)
        except refusals.Refusal as refusal:
            fail(f"{key}: {name} = {given!r}: {refusal.message}", key, name)
    return query.Wanted(**checked)


def _sizes(key: str, value: object) -> tuple[rules.Size, ...]:
    allowed = "widths (400), 'WxH', 'Wx', 'xH' or 'original'"
    if not isinstance(value, list) or not value:
        fail(f"{key} must be a list of {allowed}", key)
    made = []
    for item in value:
        matched = _SIZE.fullmatch(item) if isinstance(item, str) else None
        if isinstance(item, int) and not isinstance(item, bool) and item > 0:
            made.append(rules.Size(w=item, h=None))
        elif item == "original":
            made.append(rules.Size(w=None, h=None))
        elif matched and (matched["w"] or matched["h"]):
            w, h = matched["w"], matched["h"]
            made.append(rules.Size(w=int(w) if w else None, h=int(h) if h else None))
        else:
            fail(f"{key}: {item!r} must be one of {allowed}", key)
    return tuple(made)


def _quality(key: str, value: object) -> Mapping[str, int]:
    given = table(key, value)
    for name, each in given.items():
        if name not in rules.QUALITY:
            allowed = ", ".join(rules.QUALITY)
            fail(f"{key}: unknown format {name!r}; allowed: {allowed}", key, name)
        if isinstance(each, bool) or not isinstance(each, int) or not 1 <= each <= 100:
            fail(f"{key}: {name} = {each!r} must be a whole number from 1 to 100", key, name)
    return dict(given)


def background(key: str, value: object) -> colours.Colour:
    """Read an opaque colour.

    Raises:
        Mistake: it is none.
    """
    colour = colours.parse(value) if isinstance(value, str) else None
    if colour is None or colour[3] < 255:
        fail(f"{key} = {value!r} must be a colour that is opaque, such as '#102030'", key)
    return colour


def _ttl(key: str, value: object) -> int:
    return whole(key, value, 0, TTL_SECONDS_MAX)


def _formats(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(v in rules.OUTPUTS for v in value):
        fail(f"{key} = {value!r} must list some of {', '.join(rules.OUTPUTS)}", key)
    return tuple(value)


READERS: Mapping[str, Callable[[str, object], Any]] = {
    "defaults": _defaults,
    "sizes": _sizes,
    "quality": _quality,
    "background": background,
    "ttl_seconds": _ttl,
    "formats": _formats,
}
