"""What identifies a stored answer: the request's key, and its selected headers. Pure.

Here also lives the reduction of Accept, because it is what keeps the number of variants small.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from dynimo.sdk import selecting as sdk_selecting
from dynimo.web import message

INTERNAL_HOST = "|"
"""Stands where the host would; no valid Host can be this, so nobody outside can ask for it."""

PEER_HEADER = "dynimo-peer"
"""With the peers' key: this request is another edge's. Whoever is in front takes it from others."""

ACCEPT_BYTES_MAX = 4096
"""A longer Accept counts as none."""

_CODINGS = frozenset({"br", "compress", "deflate", "gzip", "identity", "zstd", "*"})
_REFUSABLE = frozenset({"identity", "*"})
"""Codings that are taken unless they are refused (RFC 9110 section 12.5.3)."""

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def primary(request: message.Request) -> str:
    """Return the key that GET and HEAD share: host and target, or the internal namespace."""
    if request.internal:
        return internal(request.target)
    return host_of(request) + request.target


def changed(request: message.Request, response: message.Response) -> list[str]:
    """Return the keys of what an unsafe request may have changed (RFC 9111 section 4.4).

    Its own, and those of the same host that Location and Content-Location name.
    """
    found = [primary(request)]
    for name in ("location", "content-location"):
        named = response.headers.get(name)
        key = located(request, named) if named else ""
        if key and key not in found:
            found.append(key)
    return found


def located(request: message.Request, reference: str) -> str:
    """Return the key of what a reference in an answer names; "" for another host's."""
    host = host_of(request)
    try:
        parts = urlsplit(urljoin(f"http://{host}{request.target}", reference))
    except ValueError:
        return ""
    if parts.netloc.lower() != host or parts.scheme not in {"http", "https"}:
        return ""
    target = parts.path or "/"
    return host + (f"{target}?{parts.query}" if parts.query else target)


def internal(target: str) -> str:
    """Return the key of what a forward names."""
    return INTERNAL_HOST + target


def host_of(request: message.Request) -> str:
    """Return the lower-case Host, from wherever the client put it."""
    return request.headers.get("host").lower()


@functools.lru_cache(maxsize=4096)
def normalise_accept(accept: str, offers: tuple[str, ...]) -> str:
    """Reduce an Accept header to those of ``offers`` that it names, best first.

    Order is by quality, then by the order of ``offers``; quality 0 and malformed elements are out;
    wildcards name nothing, because a client that knows a new format says so. Many spellings, one
    form, and the form is its own form: qualities fall by a thousandth, so that whoever reads it by
    the rules reads the same order (RFC 9110 section 12.5.1).
    """
    if len(accept) > ACCEPT_BYTES_MAX:
        return ""
    best: dict[str, float] = {}
    for element in accept.split(","):
        media, *parameters = (part.strip() for part in element.split(";"))
        media = media.lower()
        if media not in offers:
            continue
        quality = _quality(parameters)
        best[media] = max(quality, best.get(media, 0.0))
    named = [media for media in offers if best.get(media, 0.0) > 0]
    ordered = sorted(named, key=lambda media: -best[media])
    return ", ".join(
        f"{media};q={1 - place / 1000:.3f}" if place else media
        for place, media in enumerate(ordered)
    )


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            value = value.strip()
            return float(value) if _QUALITY.fullmatch(value) else 0.0
    return 1.0


@functools.lru_cache(maxsize=1024)
def vary_names(vary: str) -> tuple[str, ...] | None:
    """Return the header names a Vary value lists, sorted and once each; None for ``*``."""
    names = {name.strip().lower() for name in vary.split(",")} - {""}
    return None if "*" in names else tuple(sorted(names))


@functools.lru_cache(maxsize=1024)
def selecting(vary: str, apart: str) -> tuple[str, ...] | None:
    """Return what selects: the names of Vary, or ``NAME=HOW`` where only so much of it matters.

    ``apart`` is what the answer says of that (``http.VARY_HEADER``). None for ``*``.
    """
    names = vary_names(vary)
    if not names or not apart:
        return names
    how = sdk_selecting.told_apart(apart)
    return tuple(f"{name}={how[name]}" if name in how else name for name in names)


def bare(selector: str) -> str:
    """Return the name of the header that selects."""
    return selector.partition("=")[0]


def variant(names: tuple[str, ...], headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the request's values of the headers that select (RFC 9111 section 4.1)."""
    return tuple(normal(name, headers.get(bare(name), "")) for name in names)


@functools.lru_cache(maxsize=4096)
def normal(name: str, value: str) -> str:
    """Return the one form of a selecting header's many spellings that mean the same (4.1).

    Of any: spaces. Of Accept-Language also case, and the order of what is wanted alike: languages
    of one quality are in no order (RFC 9110 section 12.5.4). Of Accept-Encoding the codings that
    anybody has, and whether they are taken: a client that thinks up others gets no variant of its
    own for it. Where only so much matters (``NAME=HOW``), that alone.
    """
    name, _, how = name.partition("=")
    if how and name == sdk_selecting.ACCEPT:
        return normalise_accept(value, tuple(how.split()))
    if how:
        return sdk_selecting.reduced(name, how, value)
    value = " ".join(value.split())
    if '"' in value:
        return value
    parts = [part.strip() for part in value.split(",")]
    if name == "accept-language":
        parts = sorted({part.lower().replace(" ", "") for part in parts}, key=_by_quality)
    elif name == "accept-encoding":
        parts = sorted(filter(None, map(_coding, parts)))
    return ",".join(parts)


def _coding(part: str) -> str:
    """Return a known coding that is taken, or one that says what is not; else nothing."""
    coding, *parameters = part.lower().replace(" ", "").split(";")
    coding = coding.removeprefix("x-")
    if coding not in _CODINGS:
        return ""
    taken = _quality(parameters) > 0
    return coding if taken else f"{coding};q=0" if coding in _REFUSABLE else ""


def _by_quality(language: str) -> tuple[float, str]:
    tag, *parameters = language.split(";")
    return -_quality(parameters), tag


def view(request: message.Request, offers: tuple[str, ...]) -> dict[str, str]:
    """Return the request's headers as one mapping, Accept reduced to what is offered."""
    pairs = request.headers.pairs
    headers = dict(pairs)
    if len(headers) != len(pairs):
        headers = {name: request.headers.get(name) for name in headers}
    if offers:
        headers["accept"] = normalise_accept(headers.get("accept", ""), offers)
    return headers


def merge_vary(*values: str) -> str:
    """Join Vary values, each name once, in the order they came; ``*`` swallows the rest."""
    names: dict[str, str] = {}
    for value in values:
        for name in value.split(","):
            if name.strip():
                names.setdefault(name.strip().lower(), name.strip().title())
    return "*" if "*" in names else ", ".join(names.values())
