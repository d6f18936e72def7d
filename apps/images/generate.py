"""The Generator: a recipe becomes a picture. Glue only: fetch, render, encode, answer.

One request at a time, and nothing goes on after the answer: what was opened is closed and large
buffers are gone when `handler` returns. Nothing here runs libvips when imported, because the
platform forks after importing, and libvips' threads do not survive a fork.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyvips
import simplejpeg

import decode
import deployment
import fonts
import heap
import hints
import kept
import making
import naming
import original as originals
import parts
import recipe as recipes
import refusals
import remote
import replies
import reports
import source
import steps
import tags
import used
import validators
from dynimo.sdk import context as context_module
from dynimo.sdk import http, settings
from ops import layers

STALE_IF_ERROR_SECONDS = 86_400
FIRST_SECONDS = 1
"""How long what stands in for a slow AVIF is fresh: whoever asks later makes it follow."""
_DEPLOYMENT = deployment.read(settings.settings(), os.environ)
_PICTURES, _FILES = kept.Pictures(), kept.Files()
_CLIENT = remote.Client(
    _DEPLOYMENT.limits,
    private_hosts=_DEPLOYMENT.private_hosts,
    url_sources=_DEPLOYMENT.url_sources,
)
_BUILD = ".".join(str(pyvips.version(part)) for part in range(3)) + f"-{simplejpeg.__version__}"
_WARM = (
    "copy", "resize", "crop", "embed", "icc_transform", "thumbnail_buffer", "jpegsave_buffer",
    "webpsave_buffer", "affine", "premultiply", "unpremultiply", "round", "cast", "flatten",
    "linear", "maplut", "recomb", "convsep", "sharpen", "colourspace", "extract_band", "rot",
    "text", "ifthenelse", "insert", "bandjoin",
)  # fmt: skip
"""What common recipes use: sizes, alpha, turns, tone, blur, sharpening, words, usual formats."""
fonts.use(_DEPLOYMENT.fonts)
heap.keep()
pyvips.cache_set_max(0)  # every picture is made once: remembering operations only costs memory
for _name in _WARM:
    # Learning an operation's parameters runs nothing, and saves each fork 1 to 2 ms.
    pyvips.Introspect.get(_name)


def handler(event: Mapping[str, Any], context: context_module.Context) -> http.Reply:
    """Answer ``/_images/...`` with the picture, 304, a refusal, or many of them."""
    kin = getattr(context, "kin", 0)  # not every runtime has it
    request = http.HttpRequest.from_event(event)
    try:
        if request.path == parts.TARGET:
            return parts.answer(request.body, answer)
        if request.method not in ("GET", "HEAD"):
            return replies.method_not_allowed()
        return _answer_somehow(request, recipes.parse(request.path), kin)
    except refusals.Refusal as refusal:
        return replies.refused(refusal)


def _answer_somehow(request: http.HttpRequest, recipe: recipes.Recipe, kin: int) -> http.Reply:
    """Answer; where the source is not there, with what the URL names for the case.

    A source that failed is the edge's to replace: it may still have the picture.
    """
    try:
        return answer(request, recipe, kin)
    except refusals.Refusal as refusal:
        other = steps.instead(recipe)
        if other is None or "layer" in refusal.facts or 404 != refusal.status < 500:
            raise
        if refusal.status >= 500:
            return replies.refused(refusal, instead=recipes.spell(other))
        reply = answer(request, other)
        return replace(reply, headers=(*reply.headers, ("fallback-image", "1")))


def answer(request: http.HttpRequest, recipe: recipes.Recipe, kin: int = 0) -> http.Reply:
    """Answer with a recipe's picture, or 304; ``kin`` others want the same source.

    Raises:
        Refusal: it cannot be made.
    """
    started = time.perf_counter()
    spelled = recipes.spell(recipe)
    further, set_in = layers.files(recipe.ops), fonts.revision() if layers.say(recipe.ops) else ""
    files = used.Used((recipe.source, recipe.path), further, _open, besides=set_in)
    try:
        if files.revision is not None:
            tags = validators.etags(spelled, _BUILD, files.revision)
            current = validators.current(request.headers, tags, files.modified)
            if current:
                return http.Reply(status=304, headers=_headers(recipe, current, files.modified))
        original = files.read(_read, _DEPLOYMENT.limits)
    finally:
        files.close()
    key = f"{recipe.source}/{recipe.path}\n{original.revision}"
    read = _Read(original, files, kept.Picture(_PICTURES, key, spelled, kin > 0))
    return _picture(request, recipe, read, started)


@dataclass(frozen=True, slots=True)
class _Read:
    """What a picture is made of: its source, all its files, and what is kept of the source."""

    original: originals.Original
    files: used.Used
    place: kept.Picture


def _picture(
    request: http.HttpRequest,
    recipe: recipes.Recipe,
    read: _Read,
    started: float,
) -> http.Reply:
    original, files, place = read.original, read.files, read.place
    tags = validators.etags(recipes.spell(recipe), _BUILD, files.revision or "")
    current = validators.current(request.headers, tags, files.modified)
    if current:
        return http.Reply(status=304, headers=_headers(recipe, current, files.modified))
    fetched = time.perf_counter()
    if recipe.out.fm == "json":
        return _report(recipe, original, tags[0], fetched - started)
    first = validators.etag(recipes.spell(recipe), f"{_BUILD} first", files.revision or "")
    made = making.make(
        original.data, recipe, _DEPLOYMENT.limits, fetch=files.fetch, shared=place,
        waiting=first not in request.headers.get("if-none-match", ""),
    )  # fmt: skip
    tag = first if made.provisional else tags[place.shared]
    timing = _timing(
        fetch=fetched - started,
        decode=made.decode_seconds,
        work=made.work_seconds,
        encode=made.encode_seconds,
    )
    headers = (
        ("content-type", made.content_type),
        *_headers(recipe, tag, files.modified, provisional=made.provisional),
        *_naming(recipe, made),
        *made.headers,
        ("dynimo-engine", recipe.engine),
        ("server-timing", timing),
    )
    return http.Reply(status=200, headers=headers, body=made.body)


def _naming(recipe: recipes.Recipe, made: making.Made) -> tuple[tuple[str, str], ...]:
    """Say what the file is called, and what else it may stand in for."""
    named = []
    disposition = naming.disposition(recipe.out.name, made.fm, attach=recipe.out.attach)
    if disposition:
        named.append(("content-disposition", disposition))
    if made.size is not None:
        named.append((http.GROUP_HEADER, steps.group(recipe)))
        named.append((http.RANK_HEADER, f"{made.size[0]}x{made.size[1]}"))
    return tuple(named)


def _report(
    recipe: recipes.Recipe, original: originals.Original, tag: str, fetch_seconds: float
) -> http.Reply:
    """Tell about the source; it is no form of the picture, so it never stands in for one."""
    header = decode.open_header(original.data, _DEPLOYMENT.limits)
    seen = reports.Seen(header=header, recipe=recipe, data=original.data, limits=_DEPLOYMENT.limits)
    told = reports.tell(seen)
    headers = {**dict(_headers(recipe, tag, original.modified)), **told.headers}
    headers["server-timing"] = f"fetch;dur={fetch_seconds * 1000:.1f}"
    body = json.dumps(told.value, separators=(",", ":"), ensure_ascii=False).encode()
    return http.content(body, told.content_type, headers=headers)


def _open(name: str, path: str) -> originals.Found:
    """Open a file; one that was downloaded a moment ago is not asked for again."""
    base = source.base(name, settings.sources())
    again = _FILES.find(f"{base}\n{path}")
    return again or source.open_file(base, path, client=_CLIENT, limits=_DEPLOYMENT.limits)


def _read(found: originals.Found, name: str, path: str) -> originals.Original:
    key = f"{source.base(name, settings.sources())}\n{path}"
    again = _FILES.same(key, found.revision)
    if again is not None:
        return again
    original = found.read()
    downloaded = isinstance(found, remote.RemoteFile)
    if downloaded or _PICTURES.many_likely:
        _FILES.keep(key, original, downloaded=downloaded)
    return original


def _headers(
    recipe: recipes.Recipe, tag: str, modified: float | None, *, provisional: bool = False
) -> tuple[tuple[str, str], ...]:
    fresh = f"public, max-age={recipe.out.ttl_seconds}, stale-if-error={STALE_IF_ERROR_SECONDS}"
    headers = [("etag", tag), tags.header(tags.of_recipe(recipe))]
    if provisional:
        # The edge gives it once more, and asks meanwhile for what it stands in for.
        behind = f"max-age={FIRST_SECONDS}, stale-while-revalidate={STALE_IF_ERROR_SECONDS}"
        headers.append(("dynimo-cache-control", behind))
        fresh = f"public, max-age={FIRST_SECONDS}"
    headers.append(("cache-control", fresh))
    if _DEPLOYMENT.hints:
        headers.append(("accept-ch", hints.accept_ch(_DEPLOYMENT.hints)))
    if modified is not None:
        headers.append(("last-modified", validators.http_date(modified)))
    return tuple(headers)


def _timing(*, fetch: float, decode: float, work: float | None, encode: float) -> str:
    """Print Server-Timing. Without ``work``, libvips decoded and resized line by line in one."""
    parts = [f"fetch;dur={fetch * 1000:.1f}"]
    if work is None:
        parts.append(f'decode;dur={decode * 1000:.1f};desc="decode and resize"')
    else:
        parts += [f"decode;dur={decode * 1000:.1f}", f"resize;dur={work * 1000:.1f}"]
    parts.append(f"encode;dur={encode * 1000:.1f}")
    return ", ".join(parts)
