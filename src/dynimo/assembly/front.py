"""The chain that a request passes: door, downloads, admin, edge, gateway; each hands on the rest.

Reads from the outside in. What each of them does is its own business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynimo import ports
from dynimo.api.admin import Admin
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.door import Door, Gatekeeper
from dynimo.api.downloads import Downloads
from dynimo.datafolder import DataFolder
from dynimo.edge.cache import Cache
from dynimo.gateway.gateway import Gateway, Invoke
from dynimo.gateway.routes import Routes, Target
from dynimo.model.names import Place
from dynimo.registry.apps import LIVE
from dynimo.requestlog import RequestLog
from dynimo.settings import Settings
from dynimo.telemetry import Metrics
from dynimo.web.server import Server


class Front:
    """Everything between a socket and the functions."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        *,
        clock: ports.Clock,
        metrics: Metrics,
        targets: Iterable[Target],
        invoke: Invoke,
        services: Mapping[str, Sequence[Operation]],
        gatekeeper: Gatekeeper,
        code_zip: Callable[[str], Path],
        ready: Callable[[], Mapping[str, str]],
        statistics: Callable[[], Mapping[str, Any]],
    ) -> None:
        routes = Routes(targets)
        place = Place(settings.identity.account, settings.identity.region)
        gateway = Gateway(routes, invoke, clock, place=place, qualifier=LIVE)
        edge = settings.edge
        if edge.disk_folder is None and edge.disk_bytes > 0:
            edge = replace(edge, disk_folder=folder.path / "cache")
        self.cache = Cache(gateway, settings=edge, clock=clock, offers=routes.offers)
        plain = settings.log.form
        self.requests = RequestLog(
            metrics,
            clock,
            lines=settings.log.requests,
            plain=plain == "plain" or (plain == "auto" and os.isatty(2)),
        )
        admin = Admin(
            self.cache,
            metrics=metrics,
            purge=self.cache.purge,
            ready=ready,
            statistics=statistics,
            key=folder.key(),
        )
        downloads = Downloads(admin, code_zip, folder.key().encode())
        door = Door(
            services,
            gatekeeper,
            downloads,
            region=place.region,
        )
        self.server = Server(
            door,
            config=settings.web,
            fast=self.cache.lookup_nowait,
            on_response=self.requests.add,
            large=door.is_upload,
        )
