"""The native dialect: ``/img/NAME/path/to/photo.jpg?w=400&h=300&fit=cover``. Glue of its parts."""

from __future__ import annotations

import paths
import query
import refusals
import rules
from dialects.dialect import Asked, Decision, World


def decide(asked: Asked, world: World) -> Decision:
    """Say which picture is meant.

    Raises:
        Refusal: 400 for parameters; 404 for sources that are not there.
    """
    wanted = query.parse(asked.query, world.limits)
    source, path = paths.split(asked.path)
    if source not in world.sources:
        raise refusals.not_found()
    made, negotiated = rules.decide(
        wanted,
        world.rules.find(source, path),
        source=source,
        path=path,
        accepts=asked.headers.get("accept", ""),
        engine=world.engine,
        limits=world.limits,
    )
    return Decision(recipe=made, vary=("accept",) if negotiated else ())
