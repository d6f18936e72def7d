"""``/info/NAME/path``: facts about a source instead of a picture, as JSON (`reports.info`)."""

from __future__ import annotations

import paths
import recipe as recipes
import refusals
from dialects.dialect import Asked, Decision, World
from ops.output import Output

TTL_SECONDS = 3_600


def decide(asked: Asked, world: World) -> Decision:
    """Say which source is meant.

    Raises:
        Refusal: 400 for a query; 404 for sources that are not there.
    """
    if asked.query:
        raise refusals.parameter("", asked.query, "empty: /info/NAME/path takes no parameters")
    source, path = paths.split(asked.path)
    if source not in world.sources:
        raise refusals.no_source(source, world.sources)
    out = Output(fm="json", report="info", ttl_seconds=TTL_SECONDS)
    return Decision(
        recipe=recipes.canonical(source=source, path=path, engine=world.engine, out=out)
    )
