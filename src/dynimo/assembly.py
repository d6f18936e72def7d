"""The only place where parts meet: settings become a running platform, in reading order.

Started from the bottom up and stopped in reverse. No decision is made here that a part could make.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dynimo import discovery, gauges, ports
from dynimo.api.admin import Admin
from dynimo.backends.clocks import SystemClock
from dynimo.backends.sandboxes.config import Config as SandboxConfig
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.datafolder import DataFolder
from dynimo.edge.cache import Cache
from dynimo.functions.invoker import Invoker
from dynimo.gateway.gateway import Gateway
from dynimo.gateway.routes import Routes, Target
from dynimo.model.errors import ConfigError
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.apps import LIVE, publish
from dynimo.registry.registry import Registry
from dynimo.requestlog import RequestLog
from dynimo.sdk import app as sdk_app
from dynimo.sdk.settings import SETTINGS_VARIABLE, SOURCES_VARIABLE
from dynimo.settings import Settings
from dynimo.telemetry import Metrics, flush_logs
from dynimo.web.server import Server

log = logging.getLogger("dynimo")

PORTS_TRIED_MAX = 20


class Platform:
    """Everything, wired: ``await Platform.assemble(…)``, then ``start``, use it, ``stop``."""

    def __init__(
        self, settings: Settings, base: Path, sandbox: ProcessSandbox, folder: DataFolder
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.sandbox = sandbox
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.port = 0
        self._base = base
        self.place = Place(settings.account, settings.region)
        self.registry = Registry(folder.path, settings.registry, region=settings.region)
        self.apps = discovery.apps(settings.app_folders)
        self.versions = {
            version.function: version
            for app in self.apps
            for version in publish(self.registry, app, settings.registry, self.place)
        }
        self.invoker = Invoker(
            sandbox=sandbox,
            clock=self.clock,
            config=settings.functions,
            metrics=self.metrics,
            resolve=self.registry.resolve,
            logs=_Silent(),
            meter=_Silent(),
        )
        routes = Routes(target for app in self.apps for target in _targets(app))
        gateway = Gateway(routes, self.invoker.invoke, self.clock, place=self.place, qualifier=LIVE)
        edge = settings.edge
        if edge.disk_folder is None and edge.disk_bytes > 0:
            edge = replace(edge, disk_folder=folder.path / "cache")
        self.cache = Cache(gateway, settings=edge, clock=self.clock, offers=routes.offers)
        self.requests = RequestLog(
            self.metrics,
            self.clock,
            lines=settings.log.requests,
            plain=settings.log.form == "plain" or (settings.log.form == "auto" and os.isatty(2)),
        )
        admin = Admin(
            self.cache,
            metrics=self.metrics,
            purge=self.cache.purge,
            ready=self._ready,
            statistics=self.statistics,
            key=folder.key(),
        )
        self.server = Server(
            admin,
            config=settings.web,
            fast=self.cache.lookup_nowait,
            on_response=self.requests.add,
        )
        gauges.expose(self.metrics, self.invoker, self.cache, self.server)

    @classmethod
    async def assemble(cls, settings: Settings, base: Path) -> Platform:
        """Own the data folder, find out what isolation holds, and wire the parts.

        Paths in apps' own tables are relative to ``base``.

        Raises:
            ConfigError: the data folder cannot be used, or is in use.
            DeployError: an app cannot be deployed.
        """
        folder = DataFolder.own(Path(settings.data))
        sandbox = await ProcessSandbox.open(
            SandboxConfig(
                scratch=folder.path / "scratch",
                without=frozenset(settings.sandbox.without),
                uid_first=settings.sandbox.uid_first,
                processes_max=settings.sandbox.processes_max,
            )
        )
        return cls(settings, base, sandbox, folder)

    async def start(self, *, listen: bool = True) -> None:
        """Bring it up: the cache, then the functions, then the door.

        Raises:
            InitError: a function's code cannot be imported (in an ExceptionGroup).
            ConfigError: no port is free.
        """
        await self.cache.open()
        async with asyncio.TaskGroup() as group:
            for app in self.apps:
                for short, declared in app.functions.items():
                    version = self.versions[app.function_name(short)]
                    own, readable = self._deployment(app, declared, version)
                    group.create_task(self.invoker.deploy(version, own=own, readable=readable))
        if listen:
            self.port = await self._listen()
            self.folder.publish_address(f"http://{self.settings.host}:{self.port}")
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it for every request

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take it down: the door, then the functions, then the cache."""
        grace = self.settings.stop_seconds if grace_seconds is None else grace_seconds
        self.folder.withdraw_address()
        await self.server.stop(grace)
        await self.invoker.close(0)
        await self.sandbox.close()
        await self.cache.close()
        self.requests.flush()
        flush_logs()
        self.registry.close()
        self.folder.release()

    def statistics(self) -> dict[str, Any]:
        """What every part says of itself."""
        return {
            "edge": self.cache.statistics(),
            "server": self.server.statistics(),
            "functions": {
                name: {
                    "version": fleet.version.label,
                    "environments": fleet.pool.count,
                    "busy": fleet.pool.busy,
                    "waiting": fleet.pool.waiting,
                    "zygote_restarts": fleet.zygote_restarts,
                }
                for name, fleet in self.invoker.fleets.items()
            },
        }

    def unreadable(self, place: str) -> bool:
        """Whether a source folder is closed to the users that functions run as."""
        apart = self.sandbox.describe().get("own user") == "on"
        return apart and place.startswith("/") and Path(place).stat().st_mode & 0o005 != 0o005

    async def _listen(self) -> int:
        wanted = self.settings.port
        for port in range(wanted, wanted + (PORTS_TRIED_MAX if wanted else 1)):
            try:
                return await self.server.start(self.settings.host, port)
            except OSError as error:
                refused = error
        raise ConfigError(f"Cannot listen on {self.settings.host}:{wanted}: {refused.strerror}.")

    def _deployment(
        self, app: sdk_app.App, declared: sdk_app.Function, version: Version
    ) -> tuple[dict[str, str], list[Path]]:
        """The variables and paths that this deployment gives to one function."""
        table = dict(self.settings.apps.get(app.name, {}))
        readable: list[Path] = []
        for key in declared.files:
            if isinstance(table.get(key), str):
                path = (self._base / Path(table[key]).expanduser()).resolve()
                table[key] = str(path)
                readable.append(path.parent)
        own = {SETTINGS_VARIABLE: json.dumps(table)}
        if declared.sources:
            places = self._sources(app, version)
            own[SOURCES_VARIABLE] = json.dumps(places)
            readable += [Path(place) for place in places.values() if place.startswith("/")]
        return own, readable

    def _sources(self, app: sdk_app.App, version: Version) -> dict[str, str]:
        """The app's own sources, and over them those of the deployment."""
        own = {name: str(version.code / folder) for name, folder in app.sources.items()}
        return own | dict(self.settings.sources)

    def _ready(self) -> Mapping[str, str]:
        fleets = self.invoker.fleets.values()
        return {
            fleet.version.function: "ok" if fleet.zygote is not None else "its zygote is starting"
            for fleet in fleets
        } | {"edge": "ok"}


class _Silent:
    def write(self, line: ports.Line) -> None:
        """Keep nothing."""

    def record(self, usage: ports.Usage) -> None:
        """Keep nothing."""

    def held(self, arn: str, version: str, *, mib_seconds: float) -> None:
        """Keep nothing."""


def _targets(app: sdk_app.App) -> list[Target]:
    return [
        Target(
            path=route.path,
            function=app.function_name(route.function),
            internal=route.internal,
            accept=route.accept,
            limit_status=route.limit_status,
        )
        for route in app.routes
    ]
