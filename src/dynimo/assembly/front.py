"""The chain that a request passes: door, downloads, admin, edge, shedder, gateway; each hands on.

Reads from the outside in. What each of them does is its own business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynimo import ports
from dynimo.accesslog import AccessLog
from dynimo.accesslog import Config as AccessLogConfig
from dynimo.api.admin import Admin
from dynimo.api.apps_admin import AppsAdmin
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.door import Door, Gatekeeper
from dynimo.api.aws.lambda_urls import UrlTable
from dynimo.api.downloads import Downloads
from dynimo.api.edge_desk import EdgeDesk
from dynimo.api.function_urls import ServedUrls
from dynimo.api.queues import Ask, QueueDesk
from dynimo.assembly.behind import behind_edge
from dynimo.assembly.https import Https
from dynimo.assembly.uploads import Uploads
from dynimo.datafolder import DataFolder
from dynimo.edge.cache import Cache
from dynimo.edge.config import Config as EdgeConfig
from dynimo.gateway.failures import Dressed
from dynimo.gateway.gateway import Invoke
from dynimo.gateway.passport import KEY_HEADER, PassportControl
from dynimo.gateway.routes import Routes
from dynimo.model.names import Place
from dynimo.requestlog import RequestLog
from dynimo.settings import LogConfig, Settings
from dynimo.shedding.shedder import Classified, Shedder
from dynimo.telemetry import Metrics
from dynimo.web.forwarding import Trust
from dynimo.web.message import Handler, Request, Response
from dynimo.web.server import OnResponse, Server


class Front:
    """Everything between a socket and the functions."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        *,
        clock: ports.Clock,
        metrics: Metrics,
        uploads: Uploads,
        invoke: Invoke,
        services: Mapping[str, Sequence[Operation]],
        gatekeeper: Gatekeeper,
        code_zip: Callable[[str], Path],
        url_table: UrlTable,
        ready: Callable[[], Mapping[str, str]],
        statistics: Callable[[], Mapping[str, Any]],
        queues: Ask,
        places: Callable[[str], int],
    ) -> None:
        place = Place(settings.identity.account, settings.identity.region)
        key = folder.key()
        gateway, self.origins = behind_edge(settings, uploads.routes, invoke, clock)
        edge = _edge(settings.edge, folder)
        self.shedder = Shedder(
            gateway, config=settings.shedding, clock=clock,
            lane_of=_lane_of(uploads.routes), places=places, on_shed=metrics.shed,
        )  # fmt: skip
        self.cache = _cache(self.shedder, edge, clock, uploads.routes)
        uploads.purge = self.cache.purge
        self.requests = _request_log(settings.log, metrics, clock)
        admin = Admin(
            Classified(PassportControl(Dressed(self.cache, uploads.routes), key), key),
            metrics=metrics, purge=self.cache.purge, ready=ready, statistics=statistics, key=key,
        )  # fmt: skip
        edge_desk = EdgeDesk(admin, inspect=self.cache.inspect, top=self.cache.top, key=key)
        desk = QueueDesk(edge_desk, queues, key)
        apps_admin = AppsAdmin(desk, uploads, key)
        downloads = Downloads(apps_admin, code_zip, key.encode())
        urls = ServedUrls(downloads, url_table, gatekeeper, invoke, region=place.region)
        door = Door(services, gatekeeper, urls, region=place.region)
        self.https = Https(settings.tls)
        self.server = Server(
            door,
            config=settings.web,
            fast=self.cache.lookup_nowait,
            on_response=self._on_response(settings.access_log, folder, clock),
            trust=Trust.of(settings.gateway.trusted_proxies),
            slow_headers=frozenset({KEY_HEADER}),
            large=lambda request: door.is_upload(request) or apps_admin.is_upload(request),
        )

    async def close(self) -> None:
        """Let go of upstreams, and write what is still to be logged. The server has stopped."""
        for origin in self.origins.values():
            await origin.close()
        self.requests.flush()
        if self.access is not None:
            self.access.close()

    def _on_response(
        self, config: AccessLogConfig, folder: DataFolder, clock: ports.Clock
    ) -> OnResponse:
        """Who is told of each answer."""
        self.access: AccessLog | None = None
        if config.form == "off":
            return self.requests.add
        self.access = AccessLog(folder.path, config, clock)
        first, second = self.requests.add, self.access.add

        def both(request: Request, response: Response, seconds: float) -> None:
            first(request, response, seconds)
            second(request, response, seconds)

        return both


def _lane_of(routes: Routes) -> Callable[[Request], tuple[str, str]]:
    """Which function, or functions in shares, will serve a request, and what it shares with others.

    Empty where none will, and where it shares nothing.
    """

    def lane_of(request: Request) -> tuple[str, str]:
        target = routes.match(request).target
        if target is None:
            return "", ""
        return "+".join(target.functions), target.kin(request.path)

    return lane_of


def _cache(gateway: Handler, edge: EdgeConfig, clock: ports.Clock, routes: Routes) -> Cache:
    return Cache(
        gateway, settings=edge, clock=clock, offers=routes.offers, stand_ins=routes.stand_ins
    )


def _edge(edge: EdgeConfig, folder: DataFolder) -> EdgeConfig:
    """The cache's settings; its disk is in the data folder unless they name another."""
    if edge.disk_folder is None and edge.disk_bytes > 0:
        return replace(edge, disk_folder=folder.path / "cache")
    return edge


def _request_log(log: LogConfig, metrics: Metrics, clock: ports.Clock) -> RequestLog:
    plain = log.form == "plain" or (log.form == "auto" and os.isatty(2))
    return RequestLog(metrics, clock, lines=log.requests, plain=plain)
