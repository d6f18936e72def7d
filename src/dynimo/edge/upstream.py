"""What is asked of the next handler, and what is kept of its answer. Pure.

Here is the list of what never crosses the edge: hop-by-hop headers, ``dynimo-*`` in either
direction, a client's conditions and ranges (the edge answers those), and the body of a GET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dynimo.edge import config, dates, directives, freshness
from dynimo.edge import key as keys
from dynimo.edge.stored import Stored
from dynimo.sdk.http import FALLBACK_HEADER, GROUP_HEADER, RANK_HEADER, SAID_HEADER, VARY_HEADER
from dynimo.web import message

FORWARD_HEADER = "dynimo-forward"
PRIVATE_PREFIX = "dynimo-"
STEP_HEADER = "dynimo-step"
"""Says which step of the ladder an answer is; it leaves."""
ENGINE_HEADER = "dynimo-engine"
"""Says which build made an answer; it leaves."""
TO_US_ALONE = frozenset(
    {directives.OWN, GROUP_HEADER, RANK_HEADER, FALLBACK_HEADER, SAID_HEADER, VARY_HEADER}
)
"""What is kept of an answer, and does not leave."""

_HOP = frozenset(
    {"connection", "expect", "keep-alive", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade", "http2-settings", "x-dynimo-key"}
)  # fmt: skip
"""And the operator's key, which is nobody's business behind the edge."""

_OURS = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
     "content-length"}
)  # fmt: skip
_NOT_STORED = frozenset(
    {"accept-ranges", "age", "cache-status", "content-length", "proxy-authenticate",
     "proxy-authentication-info", "proxy-authorization", "server-timing"}
)  # fmt: skip
_OF_A_RANGE = frozenset({206, 416})
"""What answers one Range only."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")

_NOT_UPDATED = frozenset(
    {"content-encoding", "content-length", "content-md5", "content-range", "etag"}
)
"""They describe the stored bytes, which a 304 does not bring (RFC 9111 section 3.2)."""


def scrub(request: message.Request) -> message.Request:
    """Return a request as it may pass on: without hop-by-hop and private headers."""
    headers = message.Headers()
    headers.pairs = _passing(request.headers)
    return replace(request, headers=headers)


def fill_request(
    request: message.Request,
    headers: Mapping[str, str],
    offers: tuple[str, ...],
    rules: config.Config,
) -> message.Request:
    """Return the GET that fills what ``request`` asks for."""
    asked = message.Headers()
    asked.pairs = [pair for pair in _passing(request.headers) if pair[0] not in _OURS]
    if offers:
        asked.remove("accept")
        if headers.get("accept"):
            asked.add("accept", headers["accept"])
    if rules.store_parts and "range" in headers and "if-range" not in headers:
        asked.add("range", headers["range"])
    if rules.surrogate_control:
        asked.add("surrogate-capability", directives.CAPABILITY)
    return replace(request, method="GET", headers=asked, body=b"")


def forwarded_request(
    request: message.Request, target: str, headers: Mapping[str, str]
) -> message.Request:
    """Return the internal GET for what a decision names."""
    path, _, query = target.partition("?")
    asked = message.Headers()
    if headers.get("accept"):
        asked.add("accept", headers["accept"])
    return replace(
        request, method="GET", path=path, query=query, headers=asked, body=b"", internal=True
    )


def forwards(response: message.Response) -> bool:
    """Say whether an answer names who is to answer in its place."""
    return response.status == 200 and FORWARD_HEADER in response.headers


def handed_over(request: message.Request, told: message.Response) -> message.Request:
    """Return the internal POST of what an answer to an unsafe request hands over."""
    path, _, query = told.headers.get(FORWARD_HEADER).partition("?")
    asked = message.Headers([("content-type", told.headers.get("content-type"))])
    return replace(
        request, method="POST", path=path, query=query, headers=asked, body=told.body, internal=True
    )


def with_validators(request: message.Request, entry: Stored) -> message.Request:
    """Return a request that asks whether a stored answer is still good (RFC 9111 4.3.1)."""
    headers = request.headers.copy()
    if entry.etag:
        headers.set("if-none-match", entry.etag)
    if entry.last_modified:
        headers.set("if-modified-since", entry.last_modified)
    return replace(request, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When an answer came: seconds since the epoch, and how long it had been asked for."""

    now: float
    delay: float


def stored(
    key: str, headers: Mapping[str, str], response: message.Response, when: Moment,
    rules: config.Config,
) -> tuple[Stored | None, bool]:  # fmt: skip
    """Return an answer as it would be stored (None: it selects by ``*``), and whether it may be."""
    names = keys.selecting(response.headers.get("vary"), response.headers.get(VARY_HEADER))
    if names is None:
        return None, False
    if response.status in _OF_A_RANGE:
        names = tuple(sorted({*names, "range"}))
    judged = freshness.assess(headers, response, rules, now=when.now, delay=when.delay)
    kept = [pair for pair in _kept(response.headers) if pair[0] not in _NOT_STORED]
    if not any(name == "date" for name, _ in kept):
        kept.append(("date", dates.write(when.now)))
    entry = Stored(
        key=key, names=names, values=keys.variant(names, headers), status=response.status,
        headers=tuple(kept), body=response.body, born=when.now - judged.age,
        lifetime=judged.lifetime, stale_while_revalidate=judged.stale_while_revalidate,
        stale_if_error=judged.stale_if_error,
        forward=response.headers.get(FORWARD_HEADER) if response.status == 200 else "",
    )  # fmt: skip
    return entry, judged.storable


def freshened(
    entry: Stored, headers: Mapping[str, str], response: message.Response, when: Moment,
    rules: config.Config,
) -> tuple[Stored | None, bool]:  # fmt: skip
    """Return a stored answer updated by a 304 (RFC 9111 3.2, 4.3.4), as ``stored`` does."""
    news = [
        pair for pair in _kept(response.headers)
        if pair[0] not in _NOT_STORED and pair[0] not in _NOT_UPDATED
    ]  # fmt: skip
    replaced = {name for name, _ in news} | {"date"}
    if "vary" in replaced:
        replaced.add(VARY_HEADER)  # what was said of the Vary before does not hold for this one
    merged = message.Headers()
    merged.pairs = [pair for pair in entry.headers if pair[0] not in replaced] + news
    whole = message.Response(status=entry.status, headers=merged, body=entry.body)
    if "age" in response.headers:
        merged.add("age", response.headers.get("age"))
    return stored(entry.key, headers, whole, when, rules)


def clean(headers: message.Headers) -> message.Headers:
    """Return an answer's headers as they may leave: nothing private, nothing hop-by-hop."""
    kept = message.Headers()
    kept.pairs = _passing(headers) + _steps(headers)
    return kept


def _kept(headers: message.Headers) -> list[tuple[str, str]]:
    """Return what is kept of an answer: what may leave, and what was said to us alone."""
    meant = [
        (name, value)
        for name, value in headers.pairs
        if name in TO_US_ALONE and (name != SAID_HEADER or _may_be_said(value))
    ]
    return _passing(headers) + _steps(headers) + meant


def _may_be_said(words: str) -> bool:
    """Tell whether ``NAME=VALUE`` may be a header of an answer that it did not come with."""
    name = words.partition("=")[0]
    ours = name.startswith(PRIVATE_PREFIX) or name in _HOP or name in _NOT_STORED
    return not ours and name not in _NOT_UPDATED and bool(_NAME.fullmatch(name))


def _steps(headers: message.Headers) -> list[tuple[str, str]]:
    """Return what is ours and yet meant for clients: what stands in, and which build made it."""
    return [pair for pair in headers.pairs if pair[0] in (STEP_HEADER, ENGINE_HEADER)]


def _passing(headers: message.Headers) -> list[tuple[str, str]]:
    named = {name.strip().lower() for name in headers.get("connection").split(",")}
    return [
        (name, value)
        for name, value in headers.pairs
        if name not in _HOP and name not in named and not name.startswith(PRIVATE_PREFIX)
    ]
