"""Puts an app in the place of its earlier form while the platform serves, or takes it away.

One at a time. Until the commit nothing leads to what is new, and it is taken back if its code
cannot be imported; the commit is one transaction and one exchange of routes, with nothing between.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from dynimo.assembly import apps as assembled
from dynimo.assembly.apps import UPLOADED, Apps
from dynimo.assembly.rollout import Rollout, plan
from dynimo.functions.invoker import Invoker
from dynimo.gateway.routes import Routes
from dynimo.model.errors import DeployError, ResourceConflict, ResourceNotFound
from dynimo.registry import apps as published
from dynimo.registry import zips
from dynimo.registry.apps import LIVE, Staged
from dynimo.sdk import app as sdk_app

DEPLOYS_WAITING_MAX = 16
"""Deployments that may wait for the one that is going on; one more is refused."""

Purge = Callable[..., Awaitable[int]]


class Uploads:
    """Deploys, removes and lists apps of a running platform."""

    def __init__(self, apps: Apps, invoker: Invoker, folder: Path) -> None:
        """Zips are unpacked in ``folder``; ``purge`` may be set to the edge cache's."""
        self.purge: Purge = _purge_nothing
        self._apps = apps
        self._registry = apps.registry
        self._place = apps.place
        self._config = apps.config
        self._invoker = invoker
        self.routes = Routes(apps.targets())
        self._folder = folder
        self._one = asyncio.Lock()
        self._waiting = 0

    def listing(self) -> list[dict[str, Any]]:
        """Every app: where it comes from, its functions' versions with their shares, its routes."""
        return [
            {
                "name": name,
                "origin": each.origin,
                "functions": {function: self._shares(function) for function in each.functions},
                "routes": [route.label for route in each.routes],
            }
            for name, each in sorted(self._apps.deployed.items())
        ]

    async def deploy_zip(
        self, name: str, data: bytes, *, share: float | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Deploy an app's folder that came as a zip; ``name`` is what its app.toml must say.

        Raises:
            InvalidParameterValue: the zip is refused.
            DeployError, ResourceConflict: as ``deploy``.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self._folder) as made:
            await asyncio.to_thread(zips.unpack, data, Path(made), self._config)
            return await self.deploy(Path(made), name=name, share=share, dry_run=dry_run)

    async def deploy(
        self,
        folder: Path,
        *,
        name: str = "",
        share: float | None = None,
        dry_run: bool = False,
        chosen: bool = False,
    ) -> dict[str, Any]:
        """Deploy an app's folder; tell what was (or would be) done.

        ``share`` (above 0, below 1) of the calls go to what is new; otherwise all do. ``chosen``
        says that whoever started the server named the folder.

        Raises:
            DeployError: it cannot be deployed; what was served before is served on.
            ResourceConflict: it is named at start, or too many deployments wait.
        """
        if self._waiting >= DEPLOYS_WAITING_MAX:
            raise ResourceConflict(f"{DEPLOYS_WAITING_MAX} deployments wait already; try again.")
        self._waiting += 1
        try:
            async with self._one:
                rollout = await self._planned(folder, name, share)
                if not dry_run:
                    await self._carry_out(rollout, chosen=chosen)
                return {**rollout.told(), "dry_run": dry_run}
        finally:
            self._waiting -= 1

    async def remove(self, name: str) -> dict[str, Any]:
        """Take an uploaded app away, with its functions and routes.

        Raises:
            ResourceNotFound: there is no such app.
            ResourceConflict: it was not uploaded.
        """
        async with self._one:
            deployed = self._apps.deployed.get(name)
            if deployed is None:
                known = ", ".join(sorted(self._apps.deployed))
                raise ResourceNotFound(f"There is no app {name!r}; there are: {known}.")
            if deployed.origin != UPLOADED:
                raise ResourceConflict(f"The app {name!r} is {deployed.origin}; it stays.")
            gone = list(deployed.functions)
            self._registry.change_app(self._place, name, None, gone=self._records(gone))
            del self._apps.deployed[name]
            self.routes.replace(self._apps.targets())
            self._let_go(gone)
            await self._purged([route.fixed for route in deployed.routes])
        return {"app": name, "removed": gone}

    async def _planned(self, folder: Path, name: str, share: float | None) -> Rollout:
        """What is to be done; nothing that anybody could see has happened by then."""
        try:
            app = await asyncio.to_thread(sdk_app.read, folder)
        except sdk_app.ManifestError as error:
            raise DeployError(str(error).replace(f"{folder}/", "")) from None
        if name and app.name != name:
            raise DeployError(f"app.toml says name = {app.name!r}, and not {name!r}.")
        before = self._apps.deployed.get(app.name)
        if before is not None and before.origin == assembled.NAMED:
            raise ResourceConflict(
                f"The app {app.name!r} is served from {before.app.folder}, named when the server"
                " started; change it there and start again."
            )
        self._check_names(app)
        self._apps.check_upstreams(app)
        code = await asyncio.to_thread(published.content, self._registry, app, self._config)
        kept = self._apps.content(code.sha256)
        rollout = plan(self._registry, self._place, kept, code, before, share)
        others = [each for key, each in self._apps.deployed.items() if key != app.name]
        Routes(assembled.targets([*others, rollout.deployed]))  # refused if two want one path
        return rollout

    def _check_names(self, app: sdk_app.App) -> None:
        """Refuse a function's name that is somebody else's: ``a-b`` of app a, or of another."""
        wanted = {app.function_name(short) for short in app.functions}
        for name, each in self._apps.deployed.items():
            taken = wanted & set(each.functions)
            if name != app.name and taken:
                raise DeployError(f"{taken.pop()!r} is a function of the app {name!r} already.")
        for name in sorted(wanted):
            if self._registry.exists(self._place, name):
                published.check_owned(self._registry.function(self._place, name))

    async def _carry_out(self, rollout: Rollout, *, chosen: bool) -> None:
        app = rollout.deployed.app
        staged: list[Staged] = []
        try:
            for short, declared in app.functions.items():
                name = app.function_name(short)
                staged.append(
                    published.stage(self._registry, self._place, name, rollout.code, declared)
                )
            for each in staged if chosen else ():
                self._apps.chosen.add(app, self._registry.version(each.record))
            await self._start(staged)
        except BaseException:
            for each in reversed(staged):
                published.unstage(self._registry, each)
            self._let_go([each.record.function for each in staged])
            raise
        self._commit(rollout, staged)
        await self._purged(rollout.paths_removed)

    async def _start(self, staged: list[Staged]) -> None:
        """Import what is new beside what is served."""

        async def start(each: Staged) -> None:
            version = self._registry.version(each.record)
            await self._invoker.deploy(version, self._apps.deployment(version), beside=True)

        results = await asyncio.gather(*map(start, staged), return_exceptions=True)
        for each, error in zip(staged, results, strict=True):
            if isinstance(error, BaseException):
                raise DeployError(f"{each.record.function}: {error}") from error

    def _commit(self, rollout: Rollout, staged: list[Staged]) -> None:
        """From here on what is new is served: no waiting in here, or somebody would see a half."""
        app = rollout.deployed.app
        self._registry.change_app(
            self._place,
            app.name,
            {"sha256": rollout.code.sha256, "stable": rollout.stable_sha256},
            aliases=[(each.function, rollout.alias(each)) for each in staged],
            gone=self._records(rollout.removed),
        )
        self._apps.deployed[app.name] = rollout.deployed
        for each in staged:
            self._apps.versions[each.record.function] = self._registry.version(each.record)
        self.routes.replace(self._apps.targets())
        self._let_go([*rollout.deployed.functions, *rollout.removed])

    def _let_go(self, functions: list[str]) -> None:
        """End the versions to which no route leads any more."""
        for name in functions:
            live = {version.arn for version in self._apps.live(name)}
            self._invoker.withdraw(self._place, name, keep=live)
            if not live:
                self._apps.versions.pop(name, None)

    def _records(self, names: list[str]) -> list[Any]:
        there = [name for name in names if self._registry.exists(self._place, name)]
        return [self._registry.function(self._place, name) for name in there]

    def _shares(self, function: str) -> Mapping[str, float]:
        try:
            route = self._registry.resolve(self._place, function, LIVE)
        except ResourceNotFound:
            return {}
        return {version.label: weight for version, weight in route.choices}

    async def _purged(self, paths: list[str]) -> None:
        """What nobody serves any more is not answered from the cache either."""
        for path in paths:
            await self.purge(path, prefix=path.endswith("/"))


async def _purge_nothing(url: str = "", *, prefix: bool = False) -> int:  # noqa: ARG001 - Purge
    return 0
