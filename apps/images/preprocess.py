"""The Preprocessor: a URL and the business rules become a recipe, and the edge is sent there.

Glue only. Resident and shared by many requests, so it must stay small and never wait: no pixels,
no downloads, nothing imported that is not needed for the decision.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import deciding
import deployment
import derive
import engine
import operating
import recipe
import refusals
import replies
import steps
import tags
from deciding import Book, View
from dialects import iiif, imgproxy, info, native, thumbor
from dialects.dialect import Asked, Decision, Dialect, World
from dynimo.sdk import context as context_module
from dynimo.sdk import http, settings
from rulesets import trying
from rulesets.ruleset import Example, Ruleset
from rulesets.watching import Watched

DIALECTS: Mapping[str, Dialect] = {
    "img": native,
    "info": info,
    "imgproxy": imgproxy,
    "thumbor": thumbor,
    "iiif": iiif,
}
"""What a path begins with, and the language that the rest is in; app.toml routes the same."""
DECISION_SECONDS = 30
"""How long the edge may keep a decision; so long may a change of the rules take to show."""
PATIENCE_SECONDS = 2.0
"""How long who asks why waits for title facts that are not there yet."""
STALE_IF_ERROR_SECONDS = 86_400
"""And how long while no new one can be had: what it leads to may still be there."""

_ENVIRONMENT = dict(os.environ)
_DEPLOYMENT = deployment.read(settings.settings(), _ENVIRONMENT)
_OPEN = replace(
    _DEPLOYMENT,
    unsigned=True,
    iiif=None,
    admission=replace(_DEPLOYMENT.admission, keys=()),
    thumbor=replace(_DEPLOYMENT.thumbor, allow_unsafe=True),
)
_ENGINE = engine.build()
imgproxy.prepare(_ENVIRONMENT, _DEPLOYMENT.imgproxy)


class _Anywhere(dict[str, str]):
    """Every source there may be: tests of rules name sources that other deployments have."""

    def __contains__(self, name: object) -> bool:
        return True


_ANYWHERE = _Anywhere()


async def handler(event: Mapping[str, Any], context: context_module.Context) -> Any:
    """Answer a picture's URL with a forward to its recipe, or a refusal.

    Whoever may call this function by name may also ask ``{"explain": "/img/…"}``, with
    ``headers`` and ``now``, and is told why.
    """
    del context
    if "explain" in event:
        return await _explained(event)
    request = http.HttpRequest.from_event(event)
    seen: View | None = None
    try:
        if (request.path, request.method) == (derive.PATH, "POST"):
            return derive.answer(request, decide)
        if request.method not in ("GET", "HEAD"):
            return replies.method_not_allowed()
        query, ours = operating.ours(request, _DEPLOYMENT.explain_key)
        asked = Asked(path=request.path.removeprefix("/"), query=query, headers=request.headers)
        seen = deciding.view(asked, _book(asked, ours.get("ruleset", "")), time.time())
        if ours.get("explain", "0") != "0":
            return operating.told(operating.account(asked, seen, decide_for), ours["explain"])
        decided = decide_for(asked, seen)
    except refusals.Refusal as refusal:
        return _refused(refusal, seen)
    if not isinstance(decided, Decision):
        return decided
    return _forward(operating.marked(decided, seen) if ours else decided)


def decide(request: http.HttpRequest) -> Decision | http.Reply:
    """Say which picture a request means.

    Raises:
        Refusal: no picture can be given.
    """
    asked = Asked(path=request.path.removeprefix("/"), query=request.query, headers=request.headers)
    return decide_for(asked, deciding.view(asked, _book(asked), time.time()))


def decide_for(asked: Asked, seen: View, *, trial: bool = False) -> Decision | http.Reply:
    """Let the dialect of the path say what is meant, and the rules finish it.

    In a ``trial`` every source is there, and no URL needs a signature.

    Raises:
        Refusal: no picture can be given.
    """
    name, _, rest = asked.path.partition("/")
    dialect = DIALECTS.get(name)
    if dialect is None:
        raise refusals.not_found(f"no URL begins with {name!r}, but with {', '.join(DIALECTS)}")
    world = World(
        deployment=_OPEN if trial else _DEPLOYMENT,
        engine=_ENGINE,
        rules=seen,
        sources=_ANYWHERE if trial else settings.sources(),
        now=lambda: seen.situation.now,
        environment=_ENVIRONMENT,
        development=settings.development(),
    )
    inner = Asked(path=rest, query=asked.query, headers=asked.headers)
    return deciding.decide(inner, dialect, world, seen)


def tried(ruleset: Ruleset, example: Example) -> Decision | http.Reply:
    """Decide the request of a ruleset's own test; it needs no signature.

    Raises:
        Refusal: no picture can be given.
    """
    asked = trying.asked(example)
    book = Book(ruleset=ruleset, look=lambda _: example.facts)
    return decide_for(asked, deciding.view(asked, book, example.now), trial=True)


_RULES = (
    Watched(
        _DEPLOYMENT.rules,
        clock=time.monotonic,
        check=lambda ruleset, name: trying.check(ruleset, name, tried),
    )
    if _DEPLOYMENT.rules
    else None
)


def _book(asked: Asked, which: str = "") -> Book:
    if which == "canary" and not (_RULES and _RULES.rolls_out):
        raise refusals.Refusal(
            409, "no_canary", "no canary is rolled out: dynimo images rules roll-out begins one"
        )
    return _RULES.current(asked.path, which) if _RULES else Book()


async def _explained(event: Mapping[str, Any]) -> dict[str, Any]:
    """Answer who calls the function by name: the operator, who may wait for title facts."""
    import asyncio  # noqa: PLC0415 - it brings ssl; a loop that runs has it loaded

    asked, now, which = operating.question(event)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            book = _book(asked, which)
        except refusals.Refusal as refusal:
            return {"status": refusal.status, "error": refusal.code, "message": refusal.message}
        seen = deciding.view(asked, book, time.time() if now is None else now)
        told = operating.account(asked, seen, decide_for)
        if not seen.situation.pending or time.monotonic() > until:
            return told
        await asyncio.sleep(0.05)


def _refused(refusal: refusals.Refusal, seen: View | None) -> http.Reply:
    """Refuse; for whom else that holds hangs on what the rules looked at."""
    reply = replies.refused(refusal)
    if seen is None:
        return reply
    situation = seen.situation
    headers = dict(reply.headers)
    if situation.personal or situation.until is not None:
        headers["cache-control"] = "no-store"
    names = dict.fromkeys((*refusal.apart, *situation.vary))
    little = {name: how for name, how in refusal.apart.items() if how}
    apart = deciding.apart(refusal.apart, little, situation)
    told = http.varying(", ".join(names), apart)
    return replace(reply, headers=(*headers.items(), *told))


def _forward(decided: Decision) -> http.Reply:
    seconds, said = DECISION_SECONDS, list(decided.said)
    stale = STALE_IF_ERROR_SECONDS
    if decided.until is not None:
        left = max(0, int(decided.until - time.time()))
        seconds, stale = min(seconds, left), 0
        shown = min(left, decided.recipe.out.ttl_seconds)  # the picture itself may live longer
        said.append(("cache-control", f"public, max-age={shown}"))
    if decided.personal:
        seconds = stale = 0
    target, vary = recipe.spell(decided.recipe), ", ".join(decided.vary)
    if decided.recipe.out.report:  # no other picture can stand in for it
        reply = http.forward(
            target, max_age=seconds, vary=vary, stale_if_error=stale, said=said,
            apart=decided.apart,
        )  # fmt: skip
        return _tagged(reply, decided)
    links = dict(steps.links(decided.recipe))
    if decided.fallback is not None:
        links["other"] = recipe.spell(decided.fallback)
    reply = http.forward(
        target,
        max_age=seconds,
        vary=vary,
        stale_if_error=stale,
        group=steps.group(decided.recipe),
        rank=steps.rank(decided.recipe),
        fallback=links,
        said=said,
        apart=decided.apart,
    )
    return _tagged(reply, decided)


def _tagged(reply: http.Reply, decided: Decision) -> http.Reply:
    headers = (*reply.headers, tags.header(decided.tags))
    return http.Reply(status=reply.status, headers=headers, body=reply.body)
