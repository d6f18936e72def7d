"""Headers with thousands of values, told apart by the few that an answer may depend on. Pure.

Both sides use it: an app decides by what these give, and says so with its answer (``dynimo-vary``);
then the edge keeps one variant for each of the few, not for each spelling. What else an app makes
of a header is no business of this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

HEADER_MAX = 2_048
"""Characters of a header that are looked at."""
LANGUAGES_MAX = 8
"""Languages of a client that are looked at, those it likes best."""
NAMED_MAX = 64
"""Languages that one answer may depend on."""
OTHER = "und"
"""Stands first where what a client likes best is a language without a name (RFC 5646, 4.1)."""
DEVICES = ("phone", "tablet", "tv", "desktop", "bot")
BY_DEVICE = "device"
NUMBERS = frozenset(
    {"dpr", "sec-ch-dpr", "width", "sec-ch-width", "viewport-width", "sec-ch-viewport-width"}
)
"""Client Hints that are numbers: told apart by the number, or by the step that it is taken for."""
BY_NUMBER = "number"
THOUSANDTH = Decimal("0.001")
"""What numbers are rounded to, half up: browsers that zoom say 1.100000023841858."""
NUMBER_MAX = Decimal("99999.999")
STEPS_MAX = 64
"""Steps that the numbers of one header are taken for."""
ACCEPT, MEDIA_MAX = "accept", 16
"""Of Accept those media types that are offered, in this order of preference; so many at most."""
SAVE_DATA, BY_ON = "save-data", "on"
"""A header that is on, or is not."""

_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,4}")
_NUMBER = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,32})?")
_STEP = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,3})?")
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_DESKTOPS = frozenset({"windows", "macos", "chrome os", "chromium os", "desktop"})
_TELEVISION = re.compile(r"\btv\b|aft[a-z]{1,8}\b")
_AGENTS = (
    ("bot", ("crawler", "spider", "slurp", "facebookexternalhit"), re.compile(r"bot\b")),
    ("tv", ("smart-tv", "smarttv", "appletv", "bravia", "roku", "crkey"), _TELEVISION),
    ("tablet", ("ipad", "tablet", "kindle", "silk/"), None),
    ("phone", ("mobi", "iphone", "ipod"), re.compile(r"\Aphone\Z")),
    ("tablet", ("android",), None),
)
"""In this order: words in a User-Agent in lower case, and what else there may be."""


def languages(accept_language: str, named: Collection[str]) -> tuple[str, ...]:
    """Give a client's languages of those named, best first, each before its wider ones.

    ``named`` are lower-case tags: who wants ``pt-br`` wants ``pt`` too. Where what it likes best
    has no name, ``OTHER`` comes first. Malformed elements count as none (RFC 9110, 12.5.4).
    """
    made: dict[str, None] = {}
    for place, tag in enumerate(preferred(accept_language)):
        found = [each for each in _widened(tag) if each in named]
        if not found and not place:
            found = [OTHER]
        made.update(dict.fromkeys(found))
    return tuple(made)


def preferred(accept_language: str) -> tuple[str, ...]:
    """Give the languages that a client names, in lower case, best first; eight at most."""
    return _preferred(accept_language[:HEADER_MAX])


def agent(user_agent: str) -> str:
    """Give the one of ``DEVICES`` that a User-Agent names."""
    text = user_agent[:HEADER_MAX].lower()
    for name, words, further in _AGENTS:
        for word in words:
            if word in text:
                return name
        if further is not None and further.search(text):
            return name
    return "desktop"


def mobile(hint: str) -> str:
    """Give ``?1``, ``?0`` or, for anything else, nothing (Sec-CH-UA-Mobile)."""
    found = hint.strip()
    return found if found in {"?0", "?1"} else ""


def platform(hint: str) -> str:
    """Give ``desktop`` for a system that only desktops have, else nothing (Sec-CH-UA-Platform)."""
    return "desktop" if hint.strip().strip('"').lower() in _DESKTOPS else ""


def number(hint: str) -> Decimal | None:
    """Give the number that a hint says, in thousandths; None for none, zero or nonsense."""
    text = hint.strip()
    if not _NUMBER.fullmatch(text):
        return None
    found = Decimal(text).quantize(THOUSANDTH, ROUND_HALF_UP)
    return min(found, NUMBER_MAX) if found else None


def step(found: Decimal, steps: Iterable[Decimal]) -> Decimal:
    """Give the least of some steps that is no less than a number; else the largest of them."""
    rising = sorted(steps)
    return next((each for each in rising if each >= found), rising[-1])


def steps(given: Iterable[Decimal]) -> str:
    """Spell steps, each in whole thousandths, as ``told_apart`` gives them."""
    return " ".join(map(_spelled, sorted(set(given))))


def on(hint: str) -> str:
    """Give ``on`` for what says so, else nothing (Save-Data)."""
    return BY_ON if hint.strip().lower() == BY_ON else ""


def together(name: str, how: str, other: str) -> str:
    """Tell a header's values apart as finely as both ways do."""
    if how == other or name in _WAYS:
        return how
    if name in NUMBERS:
        both = how.split() + other.split()
        return BY_NUMBER if BY_NUMBER in both else steps(map(Decimal, both))
    return " ".join(sorted({*how.split(), *other.split()}))


_BY_DEVICE: Mapping[str, Callable[[str], str]] = {
    "user-agent": agent,
    "sec-ch-ua-mobile": mobile,
    "sec-ch-ua-platform": platform,
}


def reduced(name: str, how: str, value: str) -> str:
    """Give what of a header's value matters; ``how`` is as ``told_apart`` gives it.

    What it gives is its own reduction: wider languages are left out, as they follow by themselves.
    Accept is no matter for apps: the edge reduces it to what a route offers (``edge.key``).
    """
    if how == BY_DEVICE:
        return _BY_DEVICE[name](value)
    if name == SAVE_DATA:
        return on(value)
    if name in NUMBERS:
        said = number(value)
        if said is None:
            return ""
        return _spelled(said if how == BY_NUMBER else step(said, _steps(how)))
    found = languages(value, _named(how))
    return ",".join(
        tag
        for place, tag in enumerate(found)
        if not any(earlier.startswith(f"{tag}-") for earlier in found[:place])
    )


@lru_cache(maxsize=256)
def told_apart(text: str) -> Mapping[str, str]:
    """Read ``dynimo-vary``: header → how its values are told apart; what is no sense is left out.

    ``accept-language=de pt-br, user-agent=device, dpr=1 1.5 2, save-data=on``.
    """
    found = {}
    for part in text.lower().split(","):
        name, _, how = (piece.strip() for piece in part.partition("="))
        if name == "accept-language":
            tags = sorted(set(how.split()))
            if len(tags) <= NAMED_MAX and all(map(_LANGUAGE.fullmatch, tags)):
                found[name] = " ".join(tags)
        elif name == ACCEPT:
            offers = dict.fromkeys(how.split())
            if 0 < len(offers) <= MEDIA_MAX and all(map(_MEDIA.fullmatch, offers)):
                found[name] = " ".join(offers)
        elif name in NUMBERS and how != BY_NUMBER:
            given = how.split()
            if 0 < len(given) <= STEPS_MAX and all(map(_STEP.fullmatch, given)):
                found[name] = steps(map(Decimal, given))
        elif how == (BY_NUMBER if name in NUMBERS else _WAYS.get(name)):
            found[name] = how
    return found


_WAYS: Mapping[str, str] = {**dict.fromkeys(_BY_DEVICE, BY_DEVICE), SAVE_DATA: BY_ON}


def _spelled(found: Decimal) -> str:
    return f"{found.normalize():f}"


@lru_cache(maxsize=256)
def _steps(how: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, how.split()))


@lru_cache(maxsize=256)
def _named(how: str) -> frozenset[str]:
    return frozenset(how.split())


@lru_cache(maxsize=1_024)
def _preferred(header: str) -> tuple[str, ...]:
    found: list[tuple[float, str]] = []
    for element in header.split(",")[: 4 * LANGUAGES_MAX]:
        tag, *parameters = (part.strip().lower() for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = float(value) if _WEIGHT.fullmatch(value.strip()) else 0
        if weight > 0 and _LANGUAGE.fullmatch(tag):
            found.append((weight, tag))
    found.sort(key=lambda each: -each[0])
    return tuple(tag for _, tag in found[:LANGUAGES_MAX])


def _widened(tag: str) -> list[str]:
    parts = tag.split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
