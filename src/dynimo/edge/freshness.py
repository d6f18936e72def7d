"""Whether an answer may be stored, for how long, and what may be done when it is old. Pure.

The arithmetic of RFC 9111 sections 3 and 4.2, and RFC 5861. No clock: time is an argument. What an
answer does not say is settled by ``config.Config``; by default nothing is assumed, and an answer
that does not say how long it is good is not stored.
"""

from __future__ import annotations

import http
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dynimo.edge import config, dates, directives
from dynimo.web import message

_UNDERSTOOD = frozenset(status.value for status in http.HTTPStatus)
_CACHEABLE_BY_DEFAULT = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses to which a lifetime may be given that they do not state (RFC 9110 section 15.1)."""

_NEGATIVE = frozenset({404, 405, 410, 414, 501})
_STRICT = frozenset({"must-revalidate", "no-cache", "proxy-revalidate", "s-maxage"})
"""What forbids to give a stale answer (RFC 9111 section 4.2.4)."""

_UNCLEAR = float(directives.SECONDS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What may be done with one answer. Seconds throughout.

    ``lifetime`` is how long it is fresh, ``age`` how old it was when it arrived. Within
    ``stale_while_revalidate`` after that it may be served while a new one is fetched; within
    ``stale_if_error`` when fetching fails.
    """

    storable: bool
    lifetime: float = 0.0
    age: float = 0.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0


_REFUSED = Assessment(storable=False)


def assess(
    request_headers: Mapping[str, str],
    response: message.Response,
    rules: config.Config,
    *,
    now: float,
    delay: float = 0.0,
) -> Assessment:
    """Judge an answer to a GET: it arrived at ``now``, ``delay`` seconds after the question."""
    headers = response.headers
    meant = directives.targeted(headers, surrogate=rules.surrogate_control)
    control = meant if meant is not None else directives.parsed(headers.get("cache-control"))
    if _refused(request_headers, response, control, rules):
        return _REFUSED
    lifetime = _stated(control, headers, now, expires=meant is None)
    if lifetime is None:
        personal = "cookie" in request_headers  # what may be one person's must say that it is not
        lifetime = None if personal else _assumed(response, control, rules, now)
    elif not (rules.store_failures or _no_failure(response.status)):
        return _REFUSED
    if lifetime is None:
        return _REFUSED
    validated = "etag" in headers or "last-modified" in headers
    revalidating = on_error = 0.0
    if not _STRICT & control.keys():
        revalidating = directives.seconds(control.get("stale-while-revalidate")) or 0.0
        said = directives.seconds(control.get("stale-if-error"))
        on_error = rules.stale_if_error_seconds if said is None else said
    age = _initial_age(headers, now, delay, trusting=rules.trust_unclear_age)
    useful = lifetime > age or validated or revalidating > 0 or on_error > 0
    return Assessment(
        storable=useful, lifetime=lifetime, age=age,
        stale_while_revalidate=revalidating, stale_if_error=on_error,
    )  # fmt: skip


def _refused(
    request_headers: Mapping[str, str],
    response: message.Response,
    control: Mapping[str, str],
    rules: config.Config,
) -> bool:
    """Say whether an answer must not be stored, however fresh (RFC 9111 section 3)."""
    status, headers = response.status, response.headers
    understood = status in _UNDERSTOOD
    if "must-understand" in control and not understood:
        return True
    if "no-store" in control and not ("must-understand" in control and understood):
        return True
    if "private" in control or status == 304 or status < 200:
        return True
    if status == 206 and not rules.store_parts:
        return True
    if "*" in headers.get("vary") or ("set-cookie" in headers and not rules.store_cookies):
        return True
    shared = "public" in control or "s-maxage" in control or "must-revalidate" in control
    return "authorization" in request_headers and not shared


def _no_failure(status: int) -> bool:
    """Say whether an explicitly fresh answer of this status is worth keeping."""
    return status < 500 and status not in {416, 429}


def _stated(
    control: Mapping[str, str], headers: message.Headers, now: float, *, expires: bool
) -> float | None:
    """Return the freshness lifetime that is stated (RFC 9111 4.2.1), None when none is."""
    if "no-cache" in control:
        return 0.0
    for name in ("s-maxage", "max-age"):
        found = directives.seconds(control.get(name))
        if found is not None:
            return found
    if expires and "expires" in headers:
        until = dates.parse(headers.get("expires"))
        date = dates.parse(headers.get("date"))
        return max(0.0, until - (now if date is None else date)) if until is not None else 0.0
    return None


def _assumed(
    response: message.Response, control: Mapping[str, str], rules: config.Config, now: float
) -> float | None:
    """Return a lifetime for an answer that states none (RFC 9111 4.2.2), None for none."""
    headers = response.headers
    if response.status not in _CACHEABLE_BY_DEFAULT and "public" not in control:
        return None
    changed = dates.parse(headers.get("last-modified"))
    if changed is not None and rules.heuristic_share > 0:
        date = dates.parse(headers.get("date"))
        since = max(0.0, (now if date is None else date) - changed)
        return min(since * rules.heuristic_share, rules.heuristic_seconds_max)
    if response.status in _NEGATIVE and rules.negative_seconds > 0:
        return rules.negative_seconds
    return None


def _initial_age(headers: message.Headers, now: float, delay: float, *, trusting: bool) -> float:
    """Return corrected_initial_age (RFC 9111 4.2.3).

    Of several values of Age the first counts, and one that is no number does not (section 5.1);
    without ``trusting``, an Age that is not one number makes the answer old.
    """
    date = dates.parse(headers.get("date"))
    apparent = max(0.0, now - date) if date is not None else 0.0
    said = headers.get_all("age")
    if not said:
        return max(apparent, delay)
    first = said[0].partition(",")[0].strip()
    clear = len(said) == 1 and first == said[0] and first.isascii() and first.isdigit()
    if not clear and not trusting:
        return max(apparent, _UNCLEAR)
    return max(apparent, (directives.seconds(first) or 0.0) + delay)


def may_be_stale(headers: Iterable[tuple[str, str]], rules: config.Config) -> bool:
    """Say whether nothing in a stored answer forbids to give it stale (RFC 9111 4.2.4)."""
    control = _control(message.Headers(headers), rules)
    return not _STRICT & control.keys()


def _control(headers: message.Headers, rules: config.Config) -> Mapping[str, str]:
    meant = directives.targeted(headers, surrogate=rules.surrogate_control)
    return meant if meant is not None else directives.parsed(headers.get("cache-control"))


def accepts(
    control: Mapping[str, str], *, age: float, ttl: float, stale_allowed: bool = True
) -> bool:
    """Say whether a client's Cache-Control accepts a stored answer (RFC 9111 section 5.2.1).

    ``ttl`` is what is left of its lifetime, negative once stale.
    """
    if "no-cache" in control:
        return False
    oldest = directives.seconds(control.get("max-age"))
    if oldest is not None and age > oldest:
        return False
    least = directives.seconds(control.get("min-fresh"))
    if least is not None and ttl < least:
        return False
    if ttl > 0:
        return True
    if not stale_allowed or "max-stale" not in control:
        return False
    said = control["max-stale"]
    return not said or -ttl <= (directives.seconds(said) or 0.0)
