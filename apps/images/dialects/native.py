"""The native dialect: ``/img/NAME/path/to/photo.jpg?w=400&h=300&fit=cover``. Glue of its parts."""

from __future__ import annotations

import admission
import hints
import paths
import query
import refusals
import rules
import signing
import tags
from dialects.dialect import Asked, Decision, World

PREFIX = "/img/"


def decide(asked: Asked, world: World) -> Decision:
    """Say which picture is meant.

    Raises:
        Refusal: 400 for parameters; 403 for what needs a right signature or is over; 404 for
            sources that are not there.
    """
    admitting = world.deployment.admission
    opened = world.unsigned and not admitting.keys
    signed = signing.split(asked.query)
    if signed.signature is not None and not opened:
        signing.check(PREFIX + asked.path, signed, admitting.keys)
    wanted = query.parse(signed.query, world.limits)
    source, path = paths.split(asked.path)
    if source not in world.sources:
        raise refusals.no_source(source, world.sources)
    rule = world.rules.find(source, path)
    if signed.signature is None and not opened:
        admission.check_unsigned(wanted, rule, admitting)
    until = wanted.given.get("expires")
    if until is not None and until <= world.now():
        raise refusals.forbidden("expired", "this URL was good only until its time (expires)")
    told = hints.Hints(asked.headers, world.deployment.hints)
    try:
        made, negotiated = rules.decide(
            admission.expanded(wanted, admitting),
            rule,
            source=source,
            path=path,
            accepts=asked.headers.get("accept", ""),
            engine=world.engine,
            limits=world.limits,
            told=told,
        )
    except refusals.Refusal as refusal:
        refusal.apart = told.apart
        raise
    presets = tuple(tags.named(tags.PRESET, name) for name in wanted.given.get("preset", ()))
    vary = (*(("accept",) if negotiated else ()), *told.apart)
    return Decision(recipe=made, vary=vary, apart=told.apart, until=until, tags=presets)
