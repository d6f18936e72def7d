"""The apps of this deployment: published, given their variables and paths, and started.

Knows where apps come from and what a deployment adds to them; not what any of them does. How an
app is put in the place of another while the platform runs is in ``uploads``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dynimo import discovery
from dynimo.assembly.chosen import Chosen, StateOf
from dynimo.functions.invoker import Invoker
from dynimo.functions.specs import Deployment
from dynimo.gateway.table import Target
from dynimo.model.errors import DeployError, InitError, ResourceNotFound
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.model.stand_ins import StandIns
from dynimo.registry.apps import LIVE, publish
from dynimo.registry.registry import APP_KIND, Registry
from dynimo.sdk import app as sdk_app
from dynimo.sdk.fallbacks import rank
from dynimo.sdk.settings import DEVELOPMENT_VARIABLE, SETTINGS_VARIABLE, SOURCES_VARIABLE
from dynimo.settings import Settings

log = logging.getLogger("dynimo")

BUILT_IN, NAMED, UPLOADED = "built in", "named at start", "uploaded"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An app as it is served: its newest form, and during a canary the ``stable`` one beside it."""

    app: sdk_app.App
    origin: str
    stable: sdk_app.App | None = None

    @property
    def routes(self) -> Iterator[sdk_app.Route]:
        """The routes of the newest form, and those that only the stable one has."""
        yield from self.app.routes
        known = {route.identity for route in self.app.routes}
        for route in self.stable.routes if self.stable is not None else ():
            if route.identity not in known:
                yield route

    @property
    def functions(self) -> list[str]:
        """The names on the platform of all its functions."""
        short = dict.fromkeys(
            [*self.app.functions, *(self.stable.functions if self.stable else ())]
        )
        return [self.app.function_name(each) for each in short]

    @property
    def at_start(self) -> list[str]:
        """Those of its functions whose code is imported at start."""
        later = {
            self.app.function_name(short)
            for short, declared in self.app.functions.items()
            if declared.on_demand
        }
        return [name for name in self.functions if name not in later]


class Apps:
    """Every app of one platform, as versions in its registry.

    Raises:
        DeployError: an app cannot be deployed.
    """

    def __init__(
        self,
        settings: Settings,
        base: Path,
        registry: Registry,
        place: Place,
        environment: Mapping[str, str] = os.environ,
        state_of: StateOf | None = None,
    ) -> None:
        self._settings = settings
        self.chosen = Chosen(environment, state_of)
        self._base = base
        self.registry = registry
        self.config = settings.registry
        self.place = place
        named = {Path(folder).resolve() for folder in settings.app_folders}
        self.deployed: dict[str, Deployed] = {
            app.name: Deployed(app=app, origin=NAMED if app.folder in named else BUILT_IN)
            for app in discovery.apps(settings.app_folders, settings.apps)
        }
        self.deployed |= {each.app.name: each for each in self._uploaded()}
        self.versions: dict[str, Version] = {}
        for each in self.deployed.values():
            for version in self._published(each):
                self.versions[version.function] = version
                if each.origin != UPLOADED:
                    self.chosen.add(each.app, version)

    @property
    def found(self) -> list[sdk_app.App]:
        """Every app in its newest form."""
        return [each.app for each in self.deployed.values()]

    async def start(self, invoker: Invoker) -> None:
        """Import every function's code, but of those that are wanted on demand.

        That of an uploaded app may fail: whoever calls it is told, and the rest is served.

        Raises:
            InitError: one cannot be imported (in an ExceptionGroup).
        """
        async with asyncio.TaskGroup() as group:
            for each in self.deployed.values():
                for name in each.at_start:
                    for version in self.live(name):
                        group.create_task(self._start(invoker, version, each))

    def live(self, function: str) -> tuple[Version, ...]:
        """The versions to which the routes lead: one, or two during a canary."""
        try:
            route = self.registry.resolve(self.place, function, LIVE)
        except ResourceNotFound:
            return ()
        return tuple(version for version, _ in route.choices)

    def targets(self) -> list[Target]:
        """The routes of all apps, as the gateway knows them."""
        return targets(self.deployed.values())

    def deployment(self, version: Version) -> Deployment:
        """The variables, paths and state that this deployment gives to a version of an app.

        Raises:
            InitError: its state cannot be used.
        """
        declared = version.configuration
        if declared.runtime:
            return Deployment()
        try:
            app = sdk_app.read(version.code)
        except sdk_app.ManifestError as error:
            log.warning("%s: %s", version, error)
            return Deployment()
        wanted = app.functions.get(_short(app, version))
        self.chosen.warn(version, wanted)
        table = self._table(app, wanted)
        readable: list[Path] = []
        for key in declared.files:
            if isinstance(table.get(key), str):
                path = (self._base / Path(table[key]).expanduser()).resolve()
                table[key] = str(path)
                readable.append(path if path.is_dir() else path.parent)
        own = {**self.chosen.inherited(version), SETTINGS_VARIABLE: json.dumps(table)}
        if self._settings.host in LOOPBACK:
            own[DEVELOPMENT_VARIABLE] = "1"
        if declared.sources:
            places = self._sources(app, version)
            own[SOURCES_VARIABLE] = json.dumps(places)
            readable += [Path(place) for place in places.values() if place.startswith("/")]
        state = self.chosen.state(version)
        return Deployment(own=own, readable=tuple(readable), state=state)

    def _table(self, app: sdk_app.App, wanted: sdk_app.Function | None) -> dict[str, Any]:
        """What of the app's table a function is given: it may leave secrets to others."""
        if wanted is None:
            return {}
        table = dict(self._settings.apps.get(app.name, {}))
        given = table if wanted.settings is None else wanted.settings
        return {key: value for key, value in table.items() if key in given}

    def check_upstreams(self, app: sdk_app.App) -> None:
        """Refuse routes to upstreams that the operator has not named. Raises DeployError."""
        named = self._settings.gateway.upstreams
        for route in app.routes:
            if route.upstream and route.upstream not in named:
                known = ", ".join(sorted(named)) or "none"
                raise DeployError(
                    f"The route {route.label} leads to the upstream {route.upstream!r}, which is"
                    f" not in [gateway.upstreams]; there are: {known}."
                )

    def content(self, sha256: str) -> sdk_app.App:
        """An app as it was published. Raises ManifestError."""
        return sdk_app.read(self.registry.contents.path(sha256))

    async def _start(self, invoker: Invoker, version: Version, deployed: Deployed) -> None:
        try:
            await invoker.deploy(version, self.deployment(version), beside=True)
        except InitError as error:
            if deployed.origin != UPLOADED:
                raise
            log.error("%s: %s", version, error)

    def _uploaded(self) -> Iterator[Deployed]:
        """Yield the apps that were uploaded, unless a folder named at start takes the place."""
        kept = self.registry.documents.find(APP_KIND, self.place.account)
        for _, _, name, document in kept:
            present = self.deployed.get(name)
            if present is not None and present.origin == NAMED:
                log.warning(
                    "%s: the folder %s is served, not what was uploaded", name, present.app.folder
                )
                continue
            try:
                app = self.content(document["sha256"])
                stable = self.content(document["stable"]) if document["stable"] else None
            except sdk_app.ManifestError as error:
                log.error("the uploaded app %s cannot be served: %s", name, error)
                continue
            yield Deployed(app=app, origin=UPLOADED, stable=stable)

    def _published(self, deployed: Deployed) -> Iterable[Version]:
        """Its versions; what was uploaded stays as its aliases say."""
        app = deployed.app
        names = [app.function_name(short) for short in app.functions]
        if deployed.origin == UPLOADED and all(self.live(name) for name in names):
            return [self.live(name)[-1] for name in names]
        return publish(self.registry, app, self.config, self.place)

    def _sources(self, app: sdk_app.App, version: Version) -> dict[str, str]:
        """The app's own sources, and over them those of the deployment."""
        own = {name: str(version.code / folder) for name, folder in app.sources.items()}
        return own | dict(self._settings.sources)


def _short(app: sdk_app.App, version: Version) -> str:
    """What the app calls this function."""
    return version.function.removeprefix(f"{app.name}-")


def targets(deployed: Iterable[Deployed]) -> list[Target]:
    """The routes of these apps, as the gateway knows them."""
    return [_target(each.app, route) for each in deployed for route in each.routes]


def _target(app: sdk_app.App, route: sdk_app.Route) -> Target:
    """A route with the names that functions have on the platform."""
    declared = {each.name: getattr(route, each.name) for each in fields(route)}
    if route.function:
        declared["function"] = app.function_name(route.function)
    if route.weights:
        declared["weights"] = {
            app.function_name(short): weight for short, weight in route.weights.items()
        }
    return Target(**declared, app=app.name, stand_ins=_stand_ins(app, route.fallback))


def _stand_ins(app: sdk_app.App, name: str) -> StandIns | None:
    """What a route's fallback names, read into memory; a file that is gone by now is left out."""
    declared = app.fallbacks.get(name)
    if declared is None:
        return None
    bodies = []
    for numbers, file in (declared.files or {}).items():
        try:
            bodies.append((rank(numbers), (app.folder / file).read_bytes()))
        except OSError as error:
            log.error("%s: [fallback.%s] %s: %s", app.name, name, file, error.strerror)
    if not bodies:
        return None
    return StandIns(
        content_type=declared.content_type, size=declared.size, bodies=tuple(bodies),
        by_path=declared.by_path,
    )  # fmt: skip
