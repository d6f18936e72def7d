"""The spare: makes what stands in for a picture while the Generator cannot. Glue only.

A function of its own with one environment, so that it shares no queue and no zygote with what
failed, and never takes more than one core. One request at a time, like the Generator.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import deployment
import encode
import generate
import preview
import recipe as recipes
import refusals
import remote
import replies
import source
import steps
from dynimo.sdk import context as context_module
from dynimo.sdk import http, settings

_DEPLOYMENT = deployment.read(settings.settings(), os.environ)
_CLIENT = remote.Client(
    _DEPLOYMENT.limits,
    private_hosts=_DEPLOYMENT.private_hosts,
    url_sources=_DEPLOYMENT.url_sources,
)


def handler(event: Mapping[str, Any], context: context_module.Context) -> http.Reply:
    """Answer ``/_spare/STEP/...`` with a picture, or a refusal."""
    del context
    request = http.HttpRequest.from_event(event)
    try:
        step, recipe = steps.parse(request.path)
        return _preview(recipe) if step == steps.PREVIEW else generate.answer(request, recipe)
    except refusals.Refusal as refusal:
        return replies.refused(refusal)


def _preview(recipe: recipes.Recipe) -> http.Reply:
    """Answer with the small picture in the file itself; only the beginning of it is read.

    It is no form of the artwork to the edge: a real one of half the size is better.
    """
    found = source.open_file(
        source.base(recipe.source, settings.sources()),
        recipe.path,
        client=_CLIENT,
        limits=_DEPLOYMENT.limits,
    )
    try:
        beginning = found.beginning(preview.BEGINNING_BYTES)
    finally:
        found.close()
    body = preview.render(beginning, recipe, _DEPLOYMENT.limits)
    headers = {"cache-control": f"public, max-age={recipe.out.ttl_seconds}"}
    return http.content(body, encode.CONTENT_TYPES["jpg"], headers=headers)
