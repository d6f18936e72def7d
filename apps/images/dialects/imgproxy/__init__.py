"""The imgproxy dialect: ``/imgproxy/SIGNATURE/rs:fill:300:200/plain/local:///NAME/a.jpg@webp``.

Glue of its parts. What imgproxy's URLs mean is in docs/reference/images-imgproxy.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import paths
import recipe as recipes
import refusals
import rules
import urls
from dialects.dialect import Asked, Decision, World
from dialects.imgproxy import (
    arguments,
    colouring,
    configured,
    facts,
    finishing,
    locating,
    reading,
    shaping,
    signature,
    wrong,
)  # fmt: skip
from dialects.imgproxy.hinting import Hinting
from dialects.imgproxy.said import Finish, Said
from ops import geometry
from ops.base import Op, Text
from ops.output import Output

INFO = "info/"
PATH_MAX = 8_192
"""Characters of all that follows the prefix."""


def prepare(environment: Mapping[str, str], table: Mapping[str, Any]) -> None:
    """Read the configuration, so that a mistake stops the start. Raises ConfiguredError."""
    configured.of(environment, table)


def decide(asked: Asked, world: World) -> Decision:
    """Say which picture is meant.

    Raises:
        Refusal: 403 for the signature, 404 for everything else, as imgproxy says it.
    """
    hinting = Hinting(asked.headers)
    try:
        return _decide(asked, world, hinting)
    except refusals.Refusal as refusal:
        if refusal.status == 400:
            refusal.status = 404
        refusal.apart = {**refusal.apart, **hinting.apart}
        raise


def _decide(asked: Asked, world: World, hinting: Hinting) -> Decision:
    settings = configured.of(world.environment, world.deployment.imgproxy)
    if len(asked.path) > PATH_MAX:
        raise wrong.url(f"the path is longer than {PATH_MAX} characters")
    told = asked.path.startswith(INFO)
    given, slash, rest = asked.path.removeprefix(INFO).partition("/")
    signature.check(
        given,
        f"/{rest}",
        pairs=settings.pairs,
        size=settings.signature_size,
        trusted=settings.trusted,
        unsigned=world.unsigned,
    )
    if not slash or not rest:
        raise wrong.url("the path must be /SIGNATURE/OPTIONS/SOURCE")
    if told:
        return _told(rest.split("/"), world, settings)
    chains, url, fm = _read(rest.split("/"), hinting, settings)
    finish = chains[0].finish
    if fm and not finish.raw:
        finish.fm = arguments.fm("the extension", fm)
    _check_time(finish, world)
    source, path = _located(url, world, settings)
    rule = world.rules.find(source, path)
    out, negotiated = finishing.output(
        chains[-1], rule, settings,
        path=path, accepts=asked.headers.get("accept", ""),
    )  # fmt: skip
    instead = settings.fallback
    if finish.fallback:
        instead = "/".join(_located(finish.fallback, world, settings))
    if instead:
        out = replace(out, instead=Text(instead))
    ops: list[Op] = []
    for said in chains if out.fm != "original" else ():
        ops += _ops(said, world, settings, last=said is chains[-1])
    if out.fm == "avif" and negotiated and finish.fm != "avif":
        accepts = asked.headers.get("accept", "")
        out = replace(out, among=rules.stands_in(ops, rule, accepts, world.limits))
    made = recipes.canonical(source=source, path=path, engine=world.engine, ops=ops, out=out)
    vary = (*(("accept",) if negotiated else ()), *hinting.apart)
    until = float(finish.expires) or None
    return Decision(recipe=made, vary=vary, apart=hinting.apart, until=until)


def _told(segments: Sequence[str], world: World, settings: configured.Configured) -> Decision:
    """Say which facts are meant, of which source."""
    (given, *more), rest = reading.split(segments)
    if more:
        raise wrong.url("facts are of one source; there is no pipeline")
    said = Said()
    asked = facts.asked(said, given)
    url, _ = locating.decode(rest, settings.encryption_keys, names_behind=settings.names_behind)
    _check_time(said.finish, world)
    source, path = _located(url, world, settings)
    out = Output(
        fm="json",
        report=facts.REPORT,
        base=Text(asked),
        ttl_seconds=finishing.lifetime(world.rules.find(source, path), settings),
        buster=str(said.finish.out.get("buster", "")),
    )
    made = recipes.canonical(source=source, path=path, engine=world.engine, out=out)
    return Decision(recipe=made, until=float(said.finish.expires) or None)


def _check_time(finish: Finish, world: World) -> None:
    """Refuse a URL whose time is over. Raises Refusal."""
    if finish.expires and finish.expires < world.now():
        raise wrong.expired()


def _read(
    segments: Sequence[str], hinting: Hinting, settings: configured.Configured
) -> tuple[list[Said], str, str]:
    """What each pipeline says, the source's URL, and the format behind it."""
    presets = settings.presets
    first = Said()
    if settings.hints:
        hinting.begin(first)
    reading.carry_out(first, settings.given, presets)
    reading.begin(first, presets)
    said = [first]
    if settings.only_presets:
        reading.use(first, segments[0].split(":"), presets)
        rest = segments[1:]
    else:
        reading.check_form(segments[0])
        given, rest = reading.split(segments)
        said += [Said(finish=first.finish) for _ in given[1:]]
        for one, options in zip(said, given, strict=True):
            reading.check_allowed(options, settings.options_allowed)
            reading.carry_out(one, options, presets)
    if settings.hints:
        hinting.fill(first)
    url, fm = locating.decode(rest, settings.encryption_keys, names_behind=settings.names_behind)
    return said, url, fm


def _located(url: str, world: World, settings: configured.Configured) -> tuple[str, str]:
    """Source and path of a URL that may be asked for. Raises Refusal."""
    source, path = locating.place(locating.completed(url, settings.base_url))
    if source in paths.ADDRESSES:
        address, patterns = urls.address(source, path), world.deployment.url_sources
        if not urls.is_allowed(address, patterns):
            raise refusals.not_found("[apps.images] url_sources does not allow that address")
        return source, path
    patterns = settings.allowed or ("local://",)
    if source not in world.sources:
        raise refusals.no_source(source, world.sources)
    if not urls.is_allowed(f"local:///{source}/{path}", patterns):
        raise refusals.not_found("IMGPROXY_ALLOWED_SOURCES does not allow that source")
    return source, path


def _ops(said: Said, world: World, settings: configured.Configured, *, last: bool) -> list[Op]:
    """One pipeline: shape, effects, canvas, background, watermark.

    The background of the ``last`` one is the output's to lay, if it is opaque.
    """

    def locate(url: str) -> str:
        return "/".join(_located(url, world, settings))

    bg = shaping.background(said)
    laid = bg is not None and not (last and bg[3] == 255)
    behind = [geometry.Background(bg)] if bg is not None and laid else []
    return [
        *shaping.before(said),
        *colouring.effects(said),
        *shaping.after(said),
        *behind,
        *colouring.mark(said, settings, locate),
    ]
