"""The words of the ladder: what is linked from an answer, and how a step's answer looks. Pure.

Which step is taken, and in what order, is ``ladder``'s business.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl

from dynimo.edge import key as keys
from dynimo.edge import upstream
from dynimo.edge.stored import Stored
from dynimo.model.stand_ins import StandIns
from dynimo.sdk import fallbacks
from dynimo.sdk.http import FALLBACK_HEADER
from dynimo.web import message

STALE, NEAREST, PLACEHOLDER = "stale", "nearest", "placeholder"

LINKS_MAX = 4
"""Targets of one ``dynimo-fallback``; what comes after is not looked at."""

ACCEPT_BYTES_MAX = 4096
"""A longer Accept takes everything."""

_ZERO = re.compile(r"q\s*=\s*0(\.0*)?")
_STEP = re.compile(r"[a-z][a-z-]{0,15}")
_FAILED = frozenset({408, 425, 429})
"""Refusals that are no fault of the request."""

_DESCRIBING = (
    "content-type", "content-encoding", "content-language", "content-disposition",
    "content-security-policy", "x-content-type-options",
)  # fmt: skip
"""What an answer in another's place keeps of its own; no validator, no lifetime."""

_LETTING_IN = ("access-control-", "cross-origin-", "timing-allow-origin")
"""What it takes from the one that it stands for: who may read it."""


class Link(NamedTuple):
    """One target to ask for instead, and what that step is called."""

    step: str
    target: str


def failed(status: int) -> bool:
    """Say whether an answer is a failure of ours: all but what says that the request is wrong."""
    return status >= 500 or status in _FAILED


def links(told: str) -> tuple[Link, ...]:
    """Read ``dynimo-fallback``: ``STEP=PATH STEP=PATH``; what cannot be read is left out."""
    found = []
    for part in told.split():
        step, _, target = part.partition("=")
        if _STEP.fullmatch(step) and target.startswith("/"):
            found.append(Link(step, target))
    return tuple(found[:LINKS_MAX])


def links_of(response: message.Response | None, decision: Stored | None) -> tuple[Link, ...]:
    """Return what may be asked for instead: as the failure says, else as the decision does."""
    told = response.headers.get(FALLBACK_HEADER) if response is not None else ""
    if not told and decision is not None:
        told = dict(decision.headers).get(FALLBACK_HEADER, "")
    return links(told)


def rank_wanted(decision: Stored | None, query: str, stand_ins: StandIns) -> fallbacks.Rank:
    """Return the rank that was asked for: as the decision says, else as the query does."""
    if decision is not None and decision.rank:
        return decision.rank
    if not stand_ins.size:
        return ()
    asked = dict(parse_qsl(query[: keys.ACCEPT_BYTES_MAX]))
    text = "x".join(asked.get(name) or "*" for name in stand_ins.size)
    return fallbacks.rank(text) or (fallbacks.ANY,) * len(stand_ins.size)


@functools.lru_cache(maxsize=1024)
def takes(accept: str, content_type: str) -> bool:
    """Say whether a client wants things of this kind: any ``text/…`` for ``text/html``.

    That it names this very type is not asked: most that can read it do not name it, and a server
    need not refuse for that (RFC 9110 section 12.5.1). One that rules it out is heard.
    """
    if not accept or len(accept) > ACCEPT_BYTES_MAX:
        return True
    kind = content_type.partition("/")[0] + "/"
    wanted = False
    for element in accept.lower().split(","):
        media, *parameters = (part.strip() for part in element.split(";"))
        refused = any(_ZERO.fullmatch(each) for each in parameters)
        if media == content_type:
            return not refused
        wanted = wanted or ((media == "*/*" or media.startswith(kind)) and not refused)
    return wanted


def response(
    headers: Iterable[tuple[str, str]], body: bytes, *, step: str, seconds: float, vary: str,
    instead_of: message.Response | None,
) -> message.Response:  # fmt: skip
    """Return an answer that stands for another one, good for ``seconds``."""
    pairs = [pair for pair in headers if pair[0] in _DESCRIBING]
    if instead_of is not None:
        pairs += [pair for pair in instead_of.headers.pairs if pair[0].startswith(_LETTING_IN)]
        vary = keys.merge_vary(vary, instead_of.headers.get("vary"))
    if vary:
        pairs.append(("vary", vary))
    pairs.append((upstream.STEP_HEADER, step))
    made = message.Headers()
    made.pairs = pairs
    return limited(message.Response(status=200, headers=made, body=body), seconds)


def limited(given: message.Response, seconds: float) -> message.Response:
    """Return an answer that is good for so long, whatever it said before."""
    headers = message.Headers()
    headers.pairs = [
        pair for pair in given.headers.pairs
        if pair[0] not in {"age", "expires"} and not pair[0].endswith("cache-control")
    ]  # fmt: skip
    headers.pairs.append(("cache-control", f"max-age={max(1, math.ceil(seconds))}"))
    return message.Response(
        status=given.status, headers=headers, body=given.body, pieces=given.pieces
    )


def stale(given: message.Response, seconds: float) -> message.Response:
    """Return an old answer, marked as such."""
    marked = limited(given, seconds)
    marked.headers.pairs.append((upstream.STEP_HEADER, STALE))
    return marked
