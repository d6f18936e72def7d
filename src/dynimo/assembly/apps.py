"""The apps of this deployment: published, given their variables and paths, and started.

Knows where apps come from and what a deployment adds to them; not what any of them does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynimo import discovery
from dynimo.functions.invoker import Invoker
from dynimo.gateway.routes import Target
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.apps import publish
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app
from dynimo.sdk.settings import SETTINGS_VARIABLE, SOURCES_VARIABLE
from dynimo.settings import Settings


class Apps:
    """Every app of one platform, as versions in its registry.

    Raises:
        DeployError: an app cannot be deployed.
    """

    def __init__(self, settings: Settings, base: Path, registry: Registry, place: Place) -> None:
        self._settings = settings
        self._base = base
        self.found = discovery.apps(settings.app_folders)
        self.versions: Mapping[str, Version] = {
            version.function: version
            for app in self.found
            for version in publish(registry, app, settings.registry, place)
        }

    async def start(self, invoker: Invoker) -> None:
        """Import every function's code.

        Raises:
            InitError: one cannot be imported (in an ExceptionGroup).
        """
        async with asyncio.TaskGroup() as group:
            for app in self.found:
                for short, declared in app.functions.items():
                    version = self.versions[app.function_name(short)]
                    own, readable = self._deployment(app, declared, version)
                    group.create_task(invoker.deploy(version, own=own, readable=readable))

    def targets(self) -> list[Target]:
        """The routes of all apps, as the gateway knows them."""
        return [
            Target(
                path=route.path,
                function=app.function_name(route.function),
                internal=route.internal,
                accept=route.accept,
                limit_status=route.limit_status,
            )
            for app in self.found
            for route in app.routes
        ]

    def _deployment(
        self, app: sdk_app.App, declared: sdk_app.Function, version: Version
    ) -> tuple[dict[str, str], list[Path]]:
        """The variables and paths that this deployment gives to one function."""
        table: dict[str, Any] = dict(self._settings.apps.get(app.name, {}))
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
        return own | dict(self._settings.sources)
