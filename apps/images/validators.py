"""Is the picture that the client has still the one we would give? RFC 9110, 8.8 and 13. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime


def etag(recipe: str, build: str, revision: str) -> str:
    """Make the strong validator of a picture: known before a pixel is, quoted."""
    digest = hashlib.sha256(f"{recipe}\n{build}\n{revision}".encode()).hexdigest()
    return f'"{digest[:32]}"'


def etags(recipe: str, build: str, revision: str) -> tuple[str, str]:
    """Make both validators: of pixels decoded for this picture alone, and of shared ones.

    They look the same but are not the same bytes, and a strong validator must know (8.8.1).
    """
    return etag(recipe, build, revision), etag(recipe, f"{build} shared", revision)


def current(headers: Mapping[str, str], tags: tuple[str, ...], modified: float | None) -> str:
    """Give the one of our validators that the client has; empty when it must get the picture."""
    return next((tag for tag in tags if is_current(headers, tag, modified)), "")


def is_current(headers: Mapping[str, str], tag: str, modified: float | None) -> bool:
    """Tell whether the request's conditions make 304 the answer.

    If-None-Match decides alone when it is there; If-Modified-Since only without it.
    """
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {part.strip().removeprefix("W/") for part in tags.split(",")}
        return tag in known or "*" in known
    since = headers.get("if-modified-since")
    if since is None or modified is None:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def http_date(seconds: float) -> str:
    """Print epoch seconds as an HTTP date."""
    return formatdate(int(seconds), usegmt=True)
