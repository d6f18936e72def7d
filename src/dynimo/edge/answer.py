"""What a client is sent: a stored or a passed answer, with its age and account. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from dynimo.edge import conditional, ranges, upstream
from dynimo.edge import key as keys
from dynimo.edge.stored import CORS_PREFIX, TAG_HEADERS, Said, Stored
from dynimo.sdk import http, selecting
from dynimo.web import faults, message, writing

SECONDS_TO_RETRY = 1


def from_stored(
    entry: Stored, account: str, now: float, said: Said = (), timing: str = ""
) -> message.Response:
    """Return a stored answer; ``said`` is what the decision that led to it says of it."""
    headers = message.Headers()
    kept = [pair for pair in entry.headers if pair[0] not in upstream.TO_US_ALONE]
    headers.pairs = _decided(kept, said)
    headers.pairs += [("age", str(entry.age(now))), ("cache-status", account)]
    if entry.status == 200:
        headers.pairs.append(("accept-ranges", "bytes"))
    if timing:
        headers.add("server-timing", timing)
    return message.Response(status=entry.status, headers=headers, body=entry.body)


def from_passed(
    response: message.Response, account: str, said: Said = (), timing: str = ""
) -> message.Response:
    """Return an answer that was not stored; ``timing`` is that of the decision before it."""
    headers = upstream.clean(response.headers)
    headers.pairs = _decided(headers.pairs, said)
    headers.add("cache-status", account)  # after those of caches behind us (RFC 9211 section 2)
    if timing:
        joined = join_timing(timing, headers.get("server-timing"))
        headers.set("server-timing", joined)
    return message.Response(
        status=response.status, headers=headers, body=response.body, pieces=response.pieces
    )


def without_tags(response: message.Response) -> message.Response:
    """Take the tags out of an answer: they are for caches, not for clients."""
    pairs = response.headers.pairs
    if any(name in TAG_HEADERS for name, _ in pairs):
        response.headers.pairs = [pair for pair in pairs if pair[0] not in TAG_HEADERS]
    return response


def for_nginx(response: message.Response, entry: Stored, decision: Stored | None = None) -> None:
    """Tell nginx in front until when an answer is fresh, and the tags of what led to it."""
    expires = entry.expires if decision is None else min(entry.expires, decision.expires)
    response.headers.set("x-accel-expires", f"@{int(expires)}")
    for name, value in decision.headers if decision is not None else ():
        if name in TAG_HEADERS:
            response.headers.add(name, value)


def tell_apart(
    response: message.Response,
    entry: Stored | message.Response,
    decision: Stored | None,
    offers: tuple[str, ...],
) -> None:
    """Tell another edge by how little of the headers in Vary an answer differs (``VARY_HEADER``).

    ``entry`` is what was answered with, ``decision`` what led to it; a header that either of them
    looked at as it is, is left out. ``offers`` is what Accept is reduced to here.
    """
    pairs = [entry.headers if isinstance(entry, Stored) else entry.headers.pairs]
    pairs += [] if decision is None else [decision.headers]
    own = {selecting.ACCEPT: " ".join(offers)} if offers else {}
    told: dict[str, str] = {}
    whole: set[str] = set()
    for each in map(message.Headers, pairs):
        ways = {**selecting.told_apart(each.get(http.VARY_HEADER)), **own}
        for name in keys.vary_names(each.get("vary")) or ():
            if name in ways:
                told[name] = selecting.together(name, told.get(name, ways[name]), ways[name])
            else:
                whole.add(name)
    said = ", ".join(f"{name}={how}" for name, how in told.items() if name not in whole)
    if said:
        response.headers.set(http.VARY_HEADER, said)


def prepared(
    entry: Stored, account: str, now: float, said: Said, *, tags: bool = False, expiry: bool = False
) -> message.Prepared:
    """Return a stored answer, serialised.

    Raises:
        web.writing.UnsafeHeader: a stored header cannot be sent.
    """
    whole = from_stored(entry, account, now, said)
    if expiry:
        for_nginx(whole, entry)
    if not tags:
        without_tags(whole)
    length = writing.content_length("GET", whole)
    head = writing.head(whole.status, whole.headers, length, "")
    return message.Prepared(status=whole.status, headers=whole.headers, body=whole.body, head=head)


def conditioned(
    method: str, request: Mapping[str, str], response: message.Response, *, cut: bool = True
) -> message.Response:
    """Return what a client asked for of a whole answer: nothing new, parts of it, or all of it.

    Without ``cut`` parts are not made: the body is still to come.
    """
    if response.status != 200 or not is_partial(request):
        return response
    headers = response.headers
    changed = headers.get("last-modified") or headers.get("date")
    if conditional.not_modified(request, headers.get("etag"), changed):
        kept = message.Headers()
        kept.pairs = [pair for pair in headers.pairs if _is_kept_in_304(pair[0])]
        return message.Response(status=304, headers=kept)
    if cut and method == "GET" and "range" in request:
        return ranges.cut(request, response, boundary=secrets.token_hex(16))
    return response


def _is_kept_in_304(name: str) -> bool:
    """Say whether a 304 carries it too; without CORS a page may not even read that status."""
    kept = conditional.KEPT_IN_304
    return name in kept or name.startswith(CORS_PREFIX) or name == http.VARY_HEADER


def is_partial(request: Mapping[str, str]) -> bool:
    """Say whether a client may be content with less than the whole answer."""
    return "if-none-match" in request or "if-modified-since" in request or "range" in request


def join_timing(*values: str) -> str:
    """Join Server-Timing values."""
    return ", ".join(value for value in values if value)


def not_cached() -> message.Response:
    """Return the answer to only-if-cached when it is not (RFC 9111 5.2.1.7)."""
    return faults.refusal(504, "NotCached", "This is not in the cache, and nothing else was asked.")


def crowded() -> message.Response:
    """Return the answer when a limit of waiting requests is reached."""
    response = faults.refusal(503, "Busy", "Too many requests wait for this already.")
    response.headers.add("retry-after", str(SECONDS_TO_RETRY))
    return response


def bad_upstream(text: str) -> message.Response:
    """Return the answer when the next handler failed or answered what it may not."""
    return faults.refusal(502, "BadUpstream", text)


def _decided(pairs: list[tuple[str, str]], said: Said) -> list[tuple[str, str]]:
    """Put a decision's words on an answer: Vary is joined, of who may read it they hold alone."""
    named = {name for name, _ in said}
    own = [value for name, value in pairs if name == "vary"]
    if not own and not named:
        return pairs
    kept = [pair for pair in pairs if pair[0] != "vary" and pair[0] not in named]
    kept += [pair for pair in said if pair[0] != "vary"]
    vary = keys.merge_vary(*(value for name, value in said if name == "vary"), *own)
    if vary:
        kept.append(("vary", vary))
    return kept
