"""What is known of one request, looked up when a rule asks; what was looked at is noted. Pure.

The notes become ``Vary`` and the time until which the decision is good. Whatever has few values is
named as it is; of languages and devices it is noted what was looked at (`selecting`); what has as
many values as there are viewers makes a decision that is not kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from urllib.parse import parse_qsl

import accept
from dynimo.sdk import selecting
from rulesets import buckets
from rulesets.ruleset import NO_FACTS, Facts, Range, Ruleset

QUERY_NAMES_MAX = 64
FACTS_PENDING_SECONDS = 1.0
"""So soon a decision is made anew that was made before the facts were there."""
DEVICES = selecting.DEVICES
HINTS_DPR = ("sec-ch-dpr", "dpr")
"""Headers that say how dense a screen is, the standard's first and then the older name."""
_LANGUAGE = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,4}")
_DPR = re.compile(r"\d{1,2}(?:\.\d{1,4})?")

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
        self.whole: set[str] = set()
        """Headers that were looked at as they are."""
        self._apart: dict[str, None] = {}
        self._tongues: set[str] = set()
        self._densities: set[Decimal] = set()
        self._query = query
        self._headers = headers
        self._ruleset = ruleset
        self._look = look

    def header(self, name: str) -> str:
        """Give a header, noting that it was looked at."""
        self.vary[name] = None
        self.whole.add(name)
        return self._headers.get(name, "")[: selecting.HEADER_MAX]

    @property
    def apart(self) -> Mapping[str, str]:
        """Of which headers only so much was looked at, and how much (`http.forward`)."""
        told = {name: selecting.BY_DEVICE for name in self._apart if name not in self.whole}
        if "accept-language" in told:
            told["accept-language"] = " ".join(sorted(self._tongues - {""}))
        for name in told.keys() & selecting.NUMBERS:
            told[name] = selecting.steps({*self._densities, selecting.NUMBER_MAX})
        return told

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

    def speaks(self, wanted: Collection[str]) -> bool:
        """Tell whether the language that the client likes best is one of these, or narrower."""
        best = next(iter(self._languages(wanted)), "")
        return any(best == each or best.startswith(f"{each}-") for each in wanted)

    @property
    def tongue(self) -> str:
        """What the client likes best of all, for who asks why; decides nothing."""
        named = self._parameter("locale").lower()
        if _LANGUAGE.fullmatch(named):
            return named
        return next(iter(selecting.preferred(self._headers.get("accept-language", ""))), "")

    def language(self, there: Collection[str]) -> str:
        """Give the one of these that the client likes best; "" for none."""
        return next((each for each in self._languages(there) if each in there), "")

    def _languages(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Give the client's languages of those that anything depended on so far; note these too."""
        named = self._parameter("locale").lower()
        if _LANGUAGE.fullmatch(named):
            return selecting.languages(named, wanted)
        self._tongues.update(wanted)
        return selecting.languages(self._told_apart("accept-language"), self._tongues)

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

    def is_dense(self, wanted: Range) -> bool:
        """Tell whether the density lies in a range; note where that begins and ends."""
        named = self._parameter("dpr")
        if named:
            return wanted.holds(self.dpr)
        self._densities.update(_edges(wanted))
        for name in HINTS_DPR:
            found = selecting.number(self._told_apart(name))
            if found is not None:
                return wanted.holds(float(found))
        return wanted.holds(1.0)

    @property
    def dpr(self) -> float:
        """Device pixels to a CSS pixel, by the URL or Client Hints; 1 if nobody says.

        As it is, for who asks why; decides nothing about hints.
        """
        named = self._parameter("dpr")
        if named:
            return float(named) if _DPR.fullmatch(named) else 1.0
        said = (selecting.number(self._headers.get(name, "")) for name in HINTS_DPR)
        return float(next(filter(None, said), 1))

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
        mobile = selecting.mobile(self._told_apart("sec-ch-ua-mobile"))
        if mobile == "?1":
            return "phone"
        platform = selecting.platform(self._told_apart("sec-ch-ua-platform"))
        if mobile and platform:
            return platform
        return selecting.agent(self._told_apart("user-agent"))

    def _told_apart(self, name: str) -> str:
        """Give a header, noting that it was looked at with the eyes of `selecting` alone."""
        self.vary[name] = None
        self._apart[name] = None
        return self._headers.get(name, "")


def _edges(wanted: Range) -> Iterator[Decimal]:
    """Give the last density, in thousandths, before a range begins, and the last one in it."""
    thousandth = selecting.THOUSANDTH
    for bound, rounding, shift in (
        (wanted.least, ROUND_CEILING, thousandth),
        (wanted.most, ROUND_FLOOR, Decimal(0)),
    ):
        if math.isfinite(bound) and abs(bound) < selecting.NUMBER_MAX:
            edge = Decimal(str(bound)).quantize(thousandth, rounding) - shift
            if edge > 0:
                yield edge
