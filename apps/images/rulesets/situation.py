"""What is known of one request, looked up when a rule asks; what was looked at is noted. Pure.

The notes become ``Vary`` and the time until which the decision is good. Whatever has few values is
named as it is; what has as many as there are viewers makes a decision that is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl

import accept
from rulesets import buckets
from rulesets.ruleset import NO_FACTS, Facts, Ruleset

LANGUAGES_MAX = 8
"""Languages of a client that are looked at, those it likes best."""
HEADER_MAX = 2_048
"""Characters of a header that are looked at."""
QUERY_NAMES_MAX = 64
FACTS_PENDING_SECONDS = 1.0
"""So soon a decision is made anew that was made before the facts were there."""
DEVICES = ("phone", "tablet", "tv", "desktop", "bot")
_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,4}")
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_DPR = re.compile(r"\d{1,2}(?:\.\d{1,4})?")
_PLATFORMS = {"windows", "macos", "chrome os", "chromium os"}
_AGENTS = (
    ("bot", re.compile(r"bot\b|crawler|spider|slurp|facebookexternalhit", re.IGNORECASE)),
    ("tv", re.compile(r"smart-?tv|appletv|bravia|roku|\btv\b|crkey|aft[a-z]+\b", re.IGNORECASE)),
    ("tablet", re.compile(r"ipad|tablet|kindle|silk/", re.IGNORECASE)),
    ("phone", re.compile(r"mobi|iphone|ipod", re.IGNORECASE)),
    ("tablet", re.compile(r"android", re.IGNORECASE)),
)

Look = Callable[[str], Facts | None]
"""Gives the facts of a title; None while they are not there yet."""


class Situation:
    """One request for a file: ``headers`` by their lower-case names, ``now`` in epoch seconds."""

    def __init__(
        self, *, query: str, headers: Mapping[str, str], now: float, ruleset: Ruleset, look: Look
    ) -> None:
        self.now = now
        self.until: float | None = None
        self.vary: dict[str, None] = {}
        self.personal = False
        self.pending = False
        """Whether facts were asked for that are not there yet."""
        self.titles: dict[str, Facts] = {}
        self._query = query
        self._headers = headers
        self._ruleset = ruleset
        self._look = look

    def header(self, name: str) -> str:
        """Give a header, noting that it was looked at."""
        self.vary[name] = None
        return self._headers.get(name, "")[:HEADER_MAX]

    def before(self, at: float) -> None:
        """Note that at ``at`` the decision would be another."""
        if at > self.now and (self.until is None or at < self.until):
            self.until = at

    def facts(self, title: str) -> Facts:
        """Give what is known of a title."""
        if title not in self.titles:
            found = self._look(title)
            if found is None:
                self.pending = True
                self.before(self.now + FACTS_PENDING_SECONDS)
            self.titles[title] = found or NO_FACTS
        return self.titles[title]

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The client's languages, best first, each followed by its wider ones: pt-br, pt."""
        named = self._parameter("locale").lower()
        if _LANGUAGE.fullmatch(named):
            return _widened([named])
        return _spoken(self.header("accept-language"))

    @cached_property
    def country(self) -> str:
        """The country's code, upper case, as the operator's header says; "" without one."""
        name = self._ruleset.country_header
        return self.header(name).strip().upper() if name else ""

    @cached_property
    def device(self) -> str:
        """One of `DEVICES`, or what the operator's header says."""
        return self._device()

    @cached_property
    def format(self) -> str:
        """What the URL names, else the best that the client names: avif, webp, or jpg."""
        named = self._parameter("fm")
        if named and named != "auto":
            return named
        return accept.best(self.header("accept"), ("avif", "webp")) or "jpg"

    @cached_property
    def dpr(self) -> float:
        """Device pixels to a CSS pixel, by the URL or Client Hints; 1 if nobody says."""
        found = self._parameter("dpr") or self.header("sec-ch-dpr") or self.header("dpr")
        return float(found) if _DPR.fullmatch(found) else 1.0

    def per_cent(self, by: str, salt: str, url: str) -> float | None:
        """Give the place of who asks, from 0 to 100; None when it has no key."""
        key = self.key(by, url)
        return None if key is None else buckets.per_cent(key, salt)

    def key(self, by: str, url: str) -> str | None:
        """Give what stands for who asks: ``url``, ``header:NAME`` or ``cookie:NAME``."""
        kind, _, name = by.partition(":")
        if kind == "url":
            return url
        self.personal = True
        if kind == "header":
            return self.header(name) or None
        for pair in self.header("cookie").split(";"):
            given, _, value = pair.strip().partition("=")
            if given == name and value:
                return value
        return None

    def _parameter(self, name: str) -> str:
        if f"{name}=" not in self._query:
            return ""
        try:
            pairs = parse_qsl(self._query, max_num_fields=QUERY_NAMES_MAX)
        except ValueError:
            return ""
        return next((value for given, value in pairs if given == name), "")

    def _device(self) -> str:
        if self._ruleset.device_header:
            return self.header(self._ruleset.device_header).strip().lower()
        mobile = self.header("sec-ch-ua-mobile").strip()
        platform = self.header("sec-ch-ua-platform").strip().strip('"').lower()
        if mobile == "?1":
            return "phone"
        if mobile == "?0" and platform in _PLATFORMS:
            return "desktop"
        self.personal = True  # as many values as there are browsers
        agent = self.header("user-agent")
        return next((name for name, words in _AGENTS if words.search(agent)), "desktop")


@lru_cache(maxsize=1_024)
def _spoken(header: str) -> tuple[str, ...]:
    return _widened(_preferred(header))


def _preferred(header: str) -> list[str]:
    """Read Accept-Language (RFC 9110, 12.5.4): the best first; what is malformed is left out."""
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
    return [tag for _, tag in found[:LANGUAGES_MAX]]


def _widened(tags: list[str]) -> tuple[str, ...]:
    made: dict[str, None] = {}
    for tag in tags:
        parts = tag.split("-")
        for length in range(len(parts), 0, -1):
            made.setdefault("-".join(parts[:length]))
    return tuple(made)
