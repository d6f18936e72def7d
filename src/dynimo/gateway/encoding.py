"""Is an answer sent compressed, and how? gzip, for text alone. Pure but for the work itself.

Never what is compressed already, and never what may hold a secret beside what the asker chose: the
length of such an answer tells of the secret (the attack is called BREACH). So an answer to a
request with credentials, or one that is private or sets a cookie, goes as it is.
"""

from __future__ import annotations

import functools
import re
import zlib

from dynimo.gateway.cors import add_vary
from dynimo.web.message import Request, Response

BYTES_MIN = 1024
"""Less than that is not worth a client's time to unpack."""

BYTES_MAX = 8 * 1024 * 1024
"""More than that is not worth our time to pack."""

THREAD_BYTES_MIN = 32 * 1024
"""From here on the packing is done beside the loop (at about 30 MB/s)."""

LEVEL = 5
_GZIP = 31
"""zlib's number for a gzip frame with the largest window."""

_TEXT = re.compile(
    r"text/(?!event-stream).*|application/(json|javascript|xml|wasm|graphql|x-ndjson)"
    r"|[a-z]+/[^/]+\+(json|xml)"
)
_QUALITY = re.compile(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")


@functools.lru_cache(maxsize=1024)
def takes_gzip(accept: str) -> bool:
    """Whether an Accept-Encoding lets gzip in (RFC 9110 section 12.5.3)."""
    found: dict[str, float] = {}
    for element in accept.lower().split(",")[:64]:
        name, _, parameters = element.partition(";")
        quality = _QUALITY.fullmatch(parameters.strip().replace(" ", ""))
        found[name.strip()] = float(quality[1]) if quality else 0.0 if parameters.strip() else 1.0
    return found.get("gzip", found.get("x-gzip", found.get("*", 0.0))) > 0


@functools.lru_cache(maxsize=1024)
def is_text(content_type: str) -> bool:
    """Whether a media type is one that compression makes smaller."""
    return bool(_TEXT.fullmatch(content_type.partition(";")[0].strip().lower()))


def may_vary(response: Response) -> bool:
    """Whether such an answer would be compressed for somebody: then caches must be told."""
    headers = response.headers
    return (
        response.status not in {204, 206, 304}
        and response.pieces is None
        and BYTES_MIN <= len(response.body) <= BYTES_MAX
        and is_text(headers.get("content-type"))
        and "content-encoding" not in headers
        and "no-transform" not in headers.get("cache-control").lower()
    )


def may_tell(request: Request, response: Response) -> bool:
    """Whether its length could tell a stranger of a secret in it."""
    control = response.headers.get("cache-control").lower()
    return (
        "authorization" in request.headers
        or "cookie" in request.headers
        or "set-cookie" in response.headers
        or "private" in control
    )


def pack(body: bytes) -> bytes:
    """Return it as gzip; the same bytes for the same body."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def replace_body(response: Response, packed: bytes) -> None:
    """Send ``packed`` in place of the body; a strong ETag becomes a weak one."""
    headers = response.headers
    headers.set("content-encoding", "gzip")
    headers.remove("content-length")
    headers.remove("accept-ranges")
    etag = headers.get("etag")
    if etag and not etag.startswith("W/"):
        headers.set("etag", f"W/{etag}")
    response.body = packed


def vary(response: Response) -> None:
    """Tell caches that this depends on what the asker can unpack."""
    add_vary(response.headers, "Accept-Encoding")
