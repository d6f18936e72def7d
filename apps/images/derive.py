"""``POST /img/_derive``: many pictures of one source in one answer, from one decode.

    {"source": "NAME/path/to/photo.jpg", "variants": ["w=200&fm=webp", "w=400&fm=webp", …]}

The answer is ``multipart/mixed`` (RFC 2046, 5.1.3): one part a variant, in their order. What is
allowed for a variant is what its own URL may ask for: nothing is decided here.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import preprocess
import recipe as recipes
import refusals
import replies
from dialects.dialect import Decision
from dynimo.sdk import http

VARIANTS_MAX = 32
BODY_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 5 << 20
"""All parts together: what a function may answer, less what frames them."""
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which JSON can say and no path can have."""
_KEPT = ("content-type", "etag", "last-modified", "cache-control")

Make = Callable[[http.HttpRequest, recipes.Recipe, int], http.Reply]
"""Makes one picture; the number says how many others need the same source."""


def answer(request: http.HttpRequest, make: Make) -> http.Reply:
    """Answer with all variants; one that cannot be made is a part with its own status.

    Raises:
        Refusal: 400 or 413; the request itself is wrong.
    """
    source, variants = _asked(request.body)
    boundary = secrets.token_hex(16)
    lines = [
        piece
        for address, reply in _parts(request, source, variants, make)
        for piece in (f"--{boundary}\r\n".encode(), _head(address, reply), reply.body, b"\r\n")
    ]
    return http.content(
        b"".join((*lines, f"--{boundary}--\r\n".encode())),
        f"multipart/mixed; boundary={boundary}",
        headers={"cache-control": "no-store"},
    )


def _asked(body: bytes) -> tuple[str, list[str]]:
    """Read what is wanted of which source."""
    if len(body) > BODY_BYTES_MAX:
        raise refusals.Refusal(
            413, "too_large", f"the request may have {BODY_BYTES_MAX} bytes at most"
        )
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise refusals.parameter("the body", "", "a JSON object") from None
    if not isinstance(told, dict) or set(told) != {"source", "variants"}:
        raise refusals.parameter("the body", "", "an object of source and variants")
    source, variants = told["source"], told["variants"]
    if not isinstance(source, str) or _HALVES.search(source):
        raise refusals.parameter("source", "", "a text: NAME/path")
    if not isinstance(variants, list) or not all(isinstance(one, str) for one in variants):
        raise refusals.parameter("variants", "", "a list of queries, such as w=200&fm=webp")
    if not 1 <= len(variants) <= VARIANTS_MAX:
        raise refusals.parameter("variants", str(len(variants)), f"1 to {VARIANTS_MAX} queries")
    return source, variants


def _parts(
    request: http.HttpRequest, source: str, variants: list[str], make: Make
) -> Iterable[tuple[str, http.Reply]]:
    """Make one after another, each with the address where it is to be had alone."""
    path = f"/img/{quote(source)}"  # as clients encode it, so that their signatures hold
    left = ANSWER_BYTES_MAX
    for number, query in enumerate(variants):
        alone = http.HttpRequest(
            method="GET", path=path, query=query, headers=_conditions(request.headers)
        )
        try:
            reply = _one(alone, make, len(variants) - 1 - number)
            if len(reply.body) > left:
                raise refusals.Refusal(413, "too_much", "no room for it in one answer; ask for it")
        except refusals.Refusal as refusal:
            reply = replies.refused(refusal)
        left -= len(reply.body)
        yield (f"{path}?{query}" if query.isascii() and query.isprintable() else path), reply


def _one(alone: http.HttpRequest, make: Make, others: int) -> http.Reply:
    decided = preprocess.decide(alone)
    if not isinstance(decided, Decision):
        return decided
    plain = http.HttpRequest(method="GET", path="", query="", headers={})
    return make(plain, decided.recipe, others)


def _conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """Give what of the request each variant is negotiated by."""
    return {name: headers[name] for name in ("accept", "host") if name in headers}


def _head(address: str, reply: http.Reply) -> bytes:
    """Print a part's header lines, and the empty one behind them."""
    lines = [f"content-location: {address}", f"status: {reply.status}"]
    lines += [f"{name}: {value}" for name, value in reply.headers if name in _KEPT]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
