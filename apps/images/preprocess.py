"""The Preprocessor: a URL and the business rules become a recipe, and the edge is sent there.

Glue only. Resident and shared by many requests, so it must stay small and never wait: no pixels,
no downloads, nothing imported that is not needed for the decision.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import deployment
import engine
import paths
import query
import recipe
import refusals
import replies
import rules
import rules_file
import steps
from dynimo.sdk import context as context_module
from dynimo.sdk import http, settings

PREFIX = "/img/"
DECISION_SECONDS = 30
"""How long the edge may keep a decision; so long may a change of the rules take to show."""
STALE_IF_ERROR_SECONDS = 86_400
"""And how long while no new one can be had: what it leads to may still be there."""

_DEPLOYMENT = deployment.read(settings.settings())
_ENGINE = engine.build()
_RULES = rules_file.Watched(_DEPLOYMENT.rules, clock=time.monotonic) if _DEPLOYMENT.rules else None


async def handler(event: Mapping[str, Any], context: context_module.Context) -> http.Reply:
    """Answer ``/img/NAME/path?...`` with a forward to its recipe, or a refusal."""
    del context
    request = http.HttpRequest.from_event(event)
    if request.method not in ("GET", "HEAD"):
        return replies.method_not_allowed()
    try:
        made, negotiated = _decide(request)
    except refusals.Refusal as refusal:
        return replies.refused(refusal)
    vary = "accept" if negotiated else ""
    return http.forward(
        recipe.spell(made),
        max_age=DECISION_SECONDS,
        vary=vary,
        stale_if_error=STALE_IF_ERROR_SECONDS,
        group=steps.group(made),
        rank=steps.rank(made),
        fallback=steps.links(made),
    )


def _decide(request: http.HttpRequest) -> tuple[recipe.Recipe, bool]:
    wanted = query.parse(request.query, _DEPLOYMENT.limits)
    source, path = paths.split(request.path.removeprefix(PREFIX))
    if source not in settings.sources():
        raise refusals.not_found()
    in_force = _RULES.current() if _RULES else rules.Rules()
    return rules.decide(
        wanted,
        in_force.find(source, path),
        source=source,
        path=path,
        accepts=request.headers.get("accept", ""),
        engine=_ENGINE,
        limits=_DEPLOYMENT.limits,
    )
