"""The IIIF Image API, 3.0 and 2.x: ``/iiif/3/NAME%2Fphoto.jpg/full/max/0/default.jpg``.

Glue of its parts. An identifier is ``NAME/path`` with its slashes percent-encoded. Everything that
the source's size settles (regions outside, sizes larger than the region) is settled by the
Generator, with the same statuses.
"""

from __future__ import annotations

import iiif_terms as terms
import paths
import recipe as recipes
import refusals
import rules
from dialects.dialect import Asked, Decision, World
from dialects.iiif import address, finishing, region, size
from dynimo.sdk import http
from ops.output import Output

INFO = "info.json"
KEPT_SECONDS = 3_600
"""How long caches may keep where a base address leads to."""


_LENGTHS = (0, 1, len(address.PARAMETERS))
"""How many parts a URL has behind its identifier."""


def decide(asked: Asked, world: World) -> Decision | http.Reply:
    """Say which picture or description is meant; a base address is sent to its description.

    Raises:
        Refusal: 400 for parameters; 404 for identifiers that are nothing here.
    """
    found = address.parse(asked.path)
    if len(found.rest) not in _LENGTHS or "/" not in paths.decode(found.identifier):
        raise refusals.not_found(form=address.FORM)
    source, path = paths.split(found.identifier)
    if source not in world.sources:
        raise refusals.no_source(source, world.sources)
    if not _is_open(source, world):
        raise refusals.not_found(f"[apps.images] iiif does not name the source {source!r}")
    if not found.rest:
        return _to_description(found)
    rule = world.rules.find(source, path)
    if found.rest == (INFO,):
        made = _description(found, asked, rule.ttl_seconds)
        recipe = recipes.canonical(source=source, path=path, engine=world.engine, out=made)
        return Decision(recipe=recipe, vary=("accept", "x-forwarded-proto"))
    if len(found.rest) != len(address.PARAMETERS):
        raise refusals.not_found(form=address.FORM)
    return Decision(recipe=_picture(found, world, rule, (source, path)))


def _is_open(source: str, world: World) -> bool:
    """Tell whether strangers may read it in any size; there is no key that they could have."""
    named = world.deployment.iiif
    return world.unsigned if named is None else bool(named & {source, "*"})


def _to_description(found: address.Address) -> http.Reply:
    target = f"{terms.PREFIX}{found.version}/{found.identifier}/{INFO}"
    headers = (("location", target), ("cache-control", f"public, max-age={KEPT_SECONDS}"))
    return http.Reply(status=303, headers=headers)


def _description(found: address.Address, asked: Asked, ttl_seconds: int) -> Output:
    plain = address.wants_plain(asked.headers.get("accept", ""), found.version)
    report = terms.report(found.version, plain=plain)
    base = address.base(found, asked.headers)
    return Output(fm="json", report=report, base=base, ttl_seconds=ttl_seconds)


def _picture(
    found: address.Address, world: World, rule: rules.Rule, file: tuple[str, str]
) -> recipes.Recipe:
    part, scale, turn, last = map(paths.decode, found.rest)
    most = terms.most(world.limits)
    looks, fm = finishing.look(last)
    ops = (
        *region.parse(part),
        *size.parse(scale, found.version, most),
        *finishing.turn(turn),
        *looks,
    )
    out = Output(
        fm=fm,
        quality=finishing.quality(fm, rule),
        bg=rule.background or finishing.WHITE,
        flat=rule.background is not None,
        ttl_seconds=rule.ttl_seconds,
        report=terms.report(found.version),
    )
    source, path = file
    return recipes.canonical(source=source, path=path, engine=world.engine, ops=ops, out=out)
