"""``POST /img/_derive``: which pictures of one source are wanted in one answer.

    {"source": "NAME/path/to/photo.jpg", "variants": ["w=200&fm=webp", "w=400&fm=webp", …]}

What is allowed for a variant is what its own URL may ask for; whoever calls says what that is. The
answer is made elsewhere (``parts``), by who makes pictures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import parts
import recipe as recipes
import refusals
import replies
from dialects.dialect import Decision
from dynimo.sdk import http

PATH = "/img/_derive"
VARIANTS_MAX = 32
BODY_BYTES_MAX = 64 * 1024
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which JSON can say and no path can have."""

Decide = Callable[[http.HttpRequest], Decision | http.Reply]
"""Says which picture a request means."""


def answer(request: http.HttpRequest, decide: Decide) -> http.Reply:
    """Hand over what is to be made of all variants.

    Raises:
        Refusal: 400 or 413; the request itself is wrong.
    """
    source, variants = _asked(request.body)
    decided = _decided(request, source, variants, decide)
    return http.hand_over(parts.TARGET, parts.write(decided))


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


def _decided(
    request: http.HttpRequest, source: str, variants: list[str], decide: Decide
) -> Iterable[parts.Part]:
    """Decide one after another, each as if it were asked for alone."""
    path = f"/img/{quote(source)}"  # as clients encode it, so that their signatures hold
    for query in variants:
        address = f"{path}?{query}" if query.isascii() and query.isprintable() else path
        alone = http.HttpRequest(
            method="GET", path=path, query=query, headers=_conditions(request.headers)
        )
        try:
            decided = decide(alone)
        except refusals.Refusal as refusal:
            decided = replies.refused(refusal)
        if isinstance(decided, Decision):
            yield parts.Part(address=address, recipe=recipes.spell(decided.recipe))
        else:
            yield parts.Part(address=address, refused=decided)


def _conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """Give what of the request each variant is negotiated by."""
    return {name: headers[name] for name in ("accept", "host") if name in headers}
