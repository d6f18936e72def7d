"""The front processes of a platform that is to have several: what they are told, what they get."""

from __future__ import annotations

import os

from dynimo.assembly.front import Front
from dynimo.datafolder import DataFolder
from dynimo.fronts.keeper import Fronts
from dynimo.fronts.settings import FrontSettings
from dynimo.settings import Settings
from dynimo.telemetry import Metrics


def fronts(settings: Settings, folder: DataFolder, front: Front, metrics: Metrics) -> Fronts | None:
    """None if this process is to speak HTTP itself. A purge waits for them from here on."""
    if settings.workers == 1:
        return None
    server = front.server
    log = settings.log
    told = FrontSettings(
        folder=str(folder.path),
        key=folder.key(),
        web=settings.web,
        identity=settings.identity,
        tls=settings.tls,
        access=settings.access_log,
        lines=log.requests,
        plain=log.form == "plain" or (log.form == "auto" and os.isatty(2)),
        level=log.level,
        form=log.form,
        trusted_proxies=settings.gateway.trusted_proxies,
        slow_headers=tuple(server.slow_headers),
    )
    made = Fronts(
        settings.workers, server.handler, told, fast=server.fast, counted=metrics.answered
    )
    front.cache.on_purge = made.forget
    return made
