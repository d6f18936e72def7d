"""Zips of code for those who were told their address: GetFunction's and GetLayerVersion's Location.

An address holds a token that only this platform can make and that ends soon; nothing else is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlencode

from dynimo.web.message import Handler, Headers, Request, Response

PREFIX = "/_dynimo/code/"
SECONDS_MAX = 600
"""How long an address holds, as on AWS."""

_PIECE_BYTES = 256 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")


class Downloads:
    """Answers the addresses that ``code_location`` makes; leaves the rest to ``following``."""

    def __init__(self, following: Handler, zip_path: Callable[[str], Path], key: bytes) -> None:
        self._following = following
        self._zip_path = zip_path
        self._key = key

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not request.path.startswith(PREFIX):
            return await self._following(request)
        sha256 = request.path.removeprefix(PREFIX)
        query = parse_qs(request.query)
        until, token = query.get("until", [""])[0], query.get("token", [""])[0]
        good = (
            request.method in {"GET", "HEAD"}
            and _HASH.fullmatch(sha256)
            and until.isdigit()
            and hmac.compare_digest(token.encode(), _token(sha256, until, self._key).encode())
        )
        if not good:
            return _refused(403, "This address was not made by this platform.")
        if int(until) < time.time():
            return _refused(403, "This address has expired; ask GetFunction for another.")
        try:
            file = await asyncio.to_thread(self._zip_path(sha256).open, "rb")
        except FileNotFoundError:
            return _refused(404, "There is no zip: the code is an app's folder, or it is gone.")
        headers = Headers([("content-type", "application/zip"), ("cache-control", "no-store")])
        return Response(headers=headers, pieces=_pieces(file))


def code_location(base: str, sha256: str, key: bytes) -> str:
    """The address of a zip under ``base`` (scheme and host), good for ``SECONDS_MAX``."""
    until = str(int(time.time()) + SECONDS_MAX)
    query = urlencode({"until": until, "token": _token(sha256, until, key)})
    return f"{base}{PREFIX}{sha256}?{query}"


def _token(sha256: str, until: str, key: bytes) -> str:
    return hmac.new(key, f"code\0{sha256}\0{until}".encode(), hashlib.sha256).hexdigest()


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _refused(status: int, message: str) -> Response:
    headers = Headers(
        [("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")]
    )
    return Response(status=status, headers=headers, body=message.encode())
