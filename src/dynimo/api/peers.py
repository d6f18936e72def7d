"""What edges say to each other: the door for their requests, and purges that all of them carry out.

Another edge proves itself by the peers' key. Who cannot is a client like any other, whatever its
headers say.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dynimo.api.admin import Purge
from dynimo.edge.shield import (
    BEHIND,
    LOOP_HEADER,
    PEER_HEADER,
    PURGES_HEADER,
    KnownPurges,
    without_mark,
)
from dynimo.web.message import Handler, Headers, Request, Response

_log = logging.getLogger("dynimo.edge")

PURGE_PATH = "/_dynimo/peer/purge"
PURGE_SECONDS_MAX = 5.0
"""How long another edge may take for a purge."""


class NotEverywhere(OSError):
    """Some edges could not be told of a purge."""


class PeerDoor:
    """Lets other edges in: their purges, and requests only from those who lack no purge."""

    def __init__(self, following: Handler, *, purge: Purge, purges: KnownPurges, key: str) -> None:
        self._following = following
        self._purge = purge
        self._purges = purges
        self._key = key.encode()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        shown = request.headers.get(PEER_HEADER).encode()
        if not hmac.compare_digest(shown, self._key):
            if request.path == PURGE_PATH:
                return _json(403, {"error": "key", "message": "This is for other edges."})
            if LOOP_HEADER in request.headers or PEER_HEADER in request.headers:
                headers = without_mark(request.headers)
                headers.remove(PEER_HEADER)
                request = replace(request, headers=headers)
            return await self._following(request)
        if request.path == PURGE_PATH:
            return await self._purged(request)
        if not self._purges.has_all(request.headers.get(PURGES_HEADER)):
            answer = _json(BEHIND, {"error": "behind", "message": "A purge is not known here yet."})
            answer.headers.add(PURGES_HEADER, "lacking")
            return answer
        return await self._following(request)

    async def _purged(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            purged = await self._purge(**asked["purge"])
        except (ValueError, KeyError, TypeError) as error:
            return _json(400, {"error": "bad_purge", "message": str(error)})
        self._purges.add(asked["name"])
        return _json(200, {"purged": purged})


class SharedPurge:
    """A ``Purge`` that is carried out here and by all other edges."""

    def __init__(
        self, purge: Purge, peers: Mapping[str, Handler], *, purges: KnownPurges, key: str
    ) -> None:
        self._purge = purge
        self._peers = peers
        self._purges = purges
        self._key = key

    async def __call__(self, url: str = "", **asked: Any) -> int:
        """Purge everywhere; return how many stored answers that took here.

        Raises:
            ValueError: the URL is none.
            OSError: the disk failed, or another edge could not be told.
        """
        name = secrets.token_hex(8)
        self._purges.add(name)  # from now on nothing comes from an edge that does not know it
        body = json.dumps({"name": name, "purge": {"url": url, **asked}}).encode()
        purged = await self._purge(url, **asked)
        told = await asyncio.gather(*(self._tell(peer, body) for peer in self._peers.values()))
        silent = [peer for peer, well in zip(self._peers, told, strict=True) if not well]
        if silent:
            raise NotEverywhere(f"not told: {', '.join(silent)}; purge again when they are back")
        return purged

    async def _tell(self, peer: Handler, body: bytes) -> bool:
        headers = Headers([(PEER_HEADER, self._key), ("content-type", "application/json")])
        asked = Request(method="POST", path=PURGE_PATH, headers=headers, body=body)
        try:
            async with asyncio.timeout(PURGE_SECONDS_MAX):
                answer = await peer(asked)
                if answer.pieces is not None:
                    await answer.pieces.aclose()
                return answer.status == 200
        except TimeoutError:
            return False


def _json(status: int, value: Mapping[str, Any]) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())
