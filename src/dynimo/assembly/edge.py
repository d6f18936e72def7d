"""The edge on its own: one cache in front of one upstream, with the operator's face before it."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynimo import gauges
from dynimo.api.admin import Admin
from dynimo.api.edge_desk import EdgeDesk
from dynimo.assembly.shielding import Shielding
from dynimo.backends.clocks import SystemClock
from dynimo.datafolder import DataFolder
from dynimo.edge import profiles
from dynimo.edge.cache import Cache
from dynimo.model.errors import ConfigError
from dynimo.requestlog import RequestLog
from dynimo.settings import Settings
from dynimo.telemetry import Metrics, flush_logs
from dynimo.upstreams.upstream import Upstream
from dynimo.web.server import Server


class EdgeServer:
    """Serves one upstream through the cache: ``start``, use it, ``stop``."""

    def __init__(self, settings: Settings, upstream: str, *, profile: str) -> None:
        """Own the data folder and wire the parts.

        Raises:
            ConfigError: the upstream's address is none, or the data folder cannot be used.
        """
        try:
            self.upstream = Upstream(upstream, settings.upstreams)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.settings = settings
        self.folder = DataFolder.own(Path(settings.data))
        self.port = 0
        clock, metrics = SystemClock(), Metrics()
        edge = profiles.BY_NAME[profile](settings.edge)
        if edge.disk_folder is None and edge.disk_bytes > 0:
            edge = replace(edge, disk_folder=self.folder.path / "cache")
        self._shielding = Shielding(edge, settings.upstreams, self.upstream, clock)
        self.cache = Cache(self._shielding.origin, settings=edge, clock=clock, offers=lambda _: ())
        plain = settings.log.form == "plain" or (settings.log.form == "auto" and os.isatty(2))
        self._requests = RequestLog(metrics, clock, lines=settings.log.requests, plain=plain)
        admin = Admin(
            self.cache, metrics=metrics, purge=self._shielding.purge(self.cache.purge),
            ready=lambda: {"edge": "ok"}, statistics=self.statistics, key=self.folder.key(),
            bare=False,
        )  # fmt: skip
        desk = EdgeDesk(
            admin, inspect=self.cache.inspect, top=self.cache.top, key=self.folder.key()
        )
        self.server = Server(
            self._shielding.door(desk, self.cache.purge),
            config=settings.web,
            fast=self._shielding.quick(self.cache.lookup_nowait),
            on_response=self._requests.add,
        )

        gauges.expose_edge(metrics, self.cache, self.server.statistics)

    async def start(self) -> None:
        """Open the cache, then the door.

        Raises:
            ConfigError: the port is taken.
        """
        await self.cache.open()
        host, port = self.settings.host, self.settings.port
        try:
            self.port = await self.server.start(host, port)
        except OSError as error:
            text = f"Cannot listen on {host}:{port}: {error.strerror}; choose another port."
            raise ConfigError(text) from None
        self.folder.publish_address(f"http://{host}:{self.port}")
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it for every request

    async def stop(self) -> None:
        """Take it down: the door, then the cache."""
        self.folder.withdraw_address()
        await self.server.stop(self.settings.stop_seconds)
        await self.cache.close()
        await self._shielding.close()
        await self.upstream.close()
        self._requests.flush()
        flush_logs()
        self.folder.release()

    def statistics(self) -> Mapping[str, Any]:
        """Return what every part says of itself."""
        return {
            "edge": self.cache.statistics(),
            "server": self.server.statistics(),
            "upstream": self.upstream.statistics(),
            "shield": self._shielding.statistics(),
        }
