"""Several edges in front of one origin: their parts put together, or left out for one alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from dynimo import ports
from dynimo.api.admin import Purge
from dynimo.api.peers import PeerDoor, SharedPurge
from dynimo.edge.config import Config as EdgeConfig
from dynimo.edge.shield import PEER_HEADER, KnownPurges, Shield
from dynimo.model.errors import ConfigError
from dynimo.upstreams.config import Config as UpstreamConfig
from dynimo.upstreams.upstream import Upstream
from dynimo.web.message import Handler, Request, Response

Lookup = Callable[[Request], Response | None]


class Shielding:
    """What stands for the origin, the purge, the door and the quick look-up among several edges."""

    def __init__(
        self, edge: EdgeConfig, upstreams: UpstreamConfig, origin: Handler, clock: ports.Clock
    ) -> None:
        """Read who the others are.

        Raises:
            ConfigError: what is said of them does not fit together.
        """
        self._peers = _peers(edge, upstreams)
        self._key = edge.peer_key
        self._known = KnownPurges(clock)
        self._shield = Shield(
            origin, self._peers, me=edge.peer_self, key=edge.peer_key, clock=clock,
            purges=self._known, down_seconds=edge.peer_down_seconds,
        )  # fmt: skip
        self.origin: Handler = self._shield if self._peers else origin

    def purge(self, own: Purge) -> Purge:
        """Return the purge that reaches all edges."""
        if not self._peers:
            return own
        return SharedPurge(own, self._peers, purges=self._known, key=self._key)

    def door(self, following: Handler, own: Purge) -> Handler:
        """Return what lets the other edges in."""
        if not self._peers:
            return following
        return PeerDoor(following, purge=own, purges=self._known, key=self._key)

    def quick(self, lookup: Lookup) -> Lookup:
        """Return the look-up for clients: other edges take the way that shows them tags."""
        if not self._peers:
            return lookup
        return lambda request: None if PEER_HEADER in request.headers else lookup(request)

    async def close(self) -> None:
        """Close the connections to the others."""
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))

    def statistics(self) -> Mapping[str, int]:
        """Return what was asked of whom."""
        return self._shield.statistics() if self._peers else {}


def _peers(edge: EdgeConfig, upstreams: UpstreamConfig) -> dict[str, Upstream]:
    """Return the other edges, by the names that all of them know them by."""
    if not edge.peers:
        return {}
    if edge.peer_self not in edge.peers:
        raise ConfigError("edge.peer_self must be one of edge.peers: that which is this edge.")
    if not edge.peer_key:
        raise ConfigError("edge.peer_key must be the same secret on all of edge.peers.")
    limits = replace(
        upstreams, keep_host=True, connect_seconds=edge.peer_connect_seconds,
        head_seconds=edge.peer_head_seconds,
    )  # fmt: skip
    try:
        return {url: Upstream(url, limits) for url in edge.peers if url != edge.peer_self}
    except ValueError as error:
        raise ConfigError(f"edge.peers: {error}") from None
