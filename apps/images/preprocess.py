"""The Preprocessor: a URL and the business rules become a recipe, and the edge is sent there.

Glue only. Resident and shared by many requests, so it must stay small and never wait: no pixels,
no downloads, nothing imported that is not needed for the decision.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import deployment
import engine
import recipe
import refusals
import replies
import rules
import rules_file
import steps
from dialects import iiif, imgproxy, info, native, thumbor
from dialects.dialect import Asked, Decision, Dialect, World
from dynimo.sdk import context as context_module
from dynimo.sdk import http, settings

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
STALE_IF_ERROR_SECONDS = 86_400
"""And how long while no new one can be had: what it leads to may still be there."""

_ENVIRONMENT = dict(os.environ)
_DEPLOYMENT = deployment.read(settings.settings(), _ENVIRONMENT)
_ENGINE = engine.build()
imgproxy.prepare(_ENVIRONMENT, _DEPLOYMENT.imgproxy)
_RULES = rules_file.Watched(_DEPLOYMENT.rules, clock=time.monotonic) if _DEPLOYMENT.rules else None


async def handler(event: Mapping[str, Any], context: context_module.Context) -> http.Reply:
    """Answer a picture's URL with a forward to its recipe, or a refusal."""
    del context
    request = http.HttpRequest.from_event(event)
    if request.method not in ("GET", "HEAD"):
        return replies.method_not_allowed()
    try:
        decided = decide(request)
    except refusals.Refusal as refusal:
        return replies.refused(refusal)
    return _forward(decided) if isinstance(decided, Decision) else decided


def decide(request: http.HttpRequest) -> Decision | http.Reply:
    """Let the dialect of the path say what is meant.

    Raises:
        Refusal: no picture can be given.
    """
    name, _, rest = request.path.removeprefix("/").partition("/")
    dialect = DIALECTS.get(name)
    if dialect is None:
        raise refusals.not_found()
    world = World(
        deployment=_DEPLOYMENT,
        engine=_ENGINE,
        rules=_RULES.current() if _RULES else rules.Rules(),
        sources=settings.sources(),
        now=time.time,
        environment=_ENVIRONMENT,
        development=settings.development(),
    )
    return dialect.decide(Asked(path=rest, query=request.query, headers=request.headers), world)


def _forward(decided: Decision) -> http.Reply:
    seconds, said = DECISION_SECONDS, list(decided.said)
    stale = STALE_IF_ERROR_SECONDS
    if decided.until is not None:
        left = max(0, int(decided.until - time.time()))
        seconds, stale = min(seconds, left), 0
        shown = min(left, decided.recipe.out.ttl_seconds)  # the picture itself may live longer
        said.append(("cache-control", f"public, max-age={shown}"))
    target, vary = recipe.spell(decided.recipe), ", ".join(decided.vary)
    if decided.recipe.out.report:  # no other picture can stand in for it
        return http.forward(target, max_age=seconds, vary=vary, stale_if_error=stale, said=said)
    return http.forward(
        target,
        max_age=seconds,
        vary=vary,
        stale_if_error=stale,
        group=steps.group(decided.recipe),
        rank=steps.rank(decided.recipe),
        fallback=steps.links(decided.recipe),
        said=said,
    )
