"""The only place where parts meet: settings become a running platform, in reading order.

Started from the bottom up and stopped in reverse. No decision is made here that a part could make.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dynimo import gauges
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.cloudwatch_logs import CloudWatchLogs
from dynimo.api.aws.lambda_misc import RECURSION
from dynimo.assembly.apps import Apps
from dynimo.assembly.asynchronous import Asynchronous
from dynimo.assembly.front import Front
from dynimo.assembly.fronts import fronts
from dynimo.assembly.services import LambdaService
from dynimo.assembly.trust import Trust
from dynimo.assembly.uploads import Uploads
from dynimo.backends import memory
from dynimo.backends.clocks import SystemClock
from dynimo.backends.sandboxes.config import Config as SandboxConfig
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.backends.sandboxes.states import States
from dynimo.datafolder import DataFolder
from dynimo.functions import headroom
from dynimo.functions.invoker import Invoker
from dynimo.identity import app_roles
from dynimo.logs import layout as logs_layout
from dynimo.logs.store import Store
from dynimo.metering.meter import FOLDER as METERING_FOLDER
from dynimo.metering.meter import Meter
from dynimo.model.errors import ConfigError
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.registry import Registry
from dynimo.settings import Settings
from dynimo.telemetry import Metrics, flush_logs

log = logging.getLogger("dynimo")

PORTS_TRIED_MAX = 20
APPS_FOLDER = "apps"
"""Where uploaded apps are unpacked, below the data folder."""
STATES_FOLDER = "state"
"""What apps keep, each in a folder of its own, below the data folder."""


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
        self._probing: asyncio.Task[None] | None = None
        self.place = Place(settings.identity.account, settings.identity.region)
        self.registry = Registry(folder.path, settings.registry, region=self.place.region)
        self.trust = Trust(settings, folder, self.registry, self._own_address)
        self.logs = Store(folder.path / logs_layout.FOLDER, settings.logs)
        self.meter = Meter(folder.path / METERING_FOLDER, settings.metering)
        states = States(folder.path / STATES_FOLDER, sandbox.state_users)
        self.apps = Apps(settings, base, self.registry, self.place, state_of=states.of)
        self.settle_roles()
        self.invoker = self._invoker()
        self.uploads = Uploads(self.apps, self.invoker, folder.path / APPS_FOLDER)
        self.later = Asynchronous(
            folder.path, self.clock, settings.backlog,
            registry=self.registry, invoker=self.invoker, place=self.place,
        )  # fmt: skip
        self.functions = LambdaService(
            settings, self.registry, self.invoker, self.later,
            runtimes=sandbox.present, key=folder.key(),
        )  # fmt: skip
        self.front = Front(
            settings,
            folder,
            clock=self.clock,
            metrics=self.metrics,
            uploads=self.uploads,
            invoke=self.invoker.invoke,
            services=self._services(),
            gatekeeper=self.trust.gatekeeper,
            code_zip=self.registry.contents.zip_path,
            url_table=self.functions.urls,
            ready=self._ready,
            statistics=self.statistics,
            queues=self.later.ask,
            places=self._places,
        )
        self.cache, self.server = self.front.cache, self.front.server
        self.fronts = fronts(settings, folder, self.front, self.metrics)
        serving = (self.fronts or self.server).statistics
        shedding = self.front.shedder.statistics
        gauges.expose(self.metrics, self.invoker, self.cache, serving, shedding)

    @classmethod
    async def assemble(cls, settings: Settings, base: Path) -> Platform:
        """Own the data folder, find out what isolation holds, and wire the parts.

        Paths in apps' own tables are relative to ``base``.

        Raises:
            ConfigError: the data folder cannot be used, or is in use.
            DeployError: an app cannot be deployed.
        """
        _allow_files()
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
        """Bring it up: the cache, the functions, what runs later, then the door.

        Raises:
            InitError: a function's code cannot be imported (in an ExceptionGroup).
            ConfigError: no port is free, or a file cannot be used.
        """
        self.logs.open()
        try:
            self.meter.open()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"{self.folder.path / METERING_FOLDER}: {error}.") from error
        await self.cache.open()
        await self.apps.start(self.invoker)
        await self.functions.limits.load()
        await self.later.open()
        if listen:
            await self.front.https.open(self.fronts or self.server, self.settings.host)
            self.port = await self._listen()
            self._probing = asyncio.create_task(self.sandbox.present.probe())
            self.folder.publish_address(f"http://{self.settings.host}:{self.port}")
        await self.later.start()
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it for every request

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take it down: the door, then the functions, then the cache."""
        grace = self.settings.stop_seconds if grace_seconds is None else grace_seconds
        if self._probing is not None:
            self._probing.cancel()
        self.folder.withdraw_address()
        self.front.https.close()
        await asyncio.gather(
            self.server.stop(grace),
            self.later.stop(grace),
            *([self.fronts.stop(grace)] if self.fronts is not None else ()),
        )
        await self.functions.close()
        await self.invoker.close(0)
        await self.sandbox.close()
        await self.logs.close()
        await self.meter.close()
        await self.cache.close()
        await self.front.close()
        flush_logs()
        self.registry.close()
        self.trust.close()
        self.folder.release()

    def settle_roles(self) -> None:
        """Let the roles of apps be those that are declared. Raises ConfigError."""
        app_roles.settle(self.trust.keyring, self.apps.chosen.roles())

    async def reload(self) -> None:
        """Replace what can be without losing a request: the certificate, the front processes."""
        if self.front.https.reload() and self.fronts is not None:
            await self.fronts.reload()

    def statistics(self) -> dict[str, Any]:
        """What every part says of itself."""
        return {
            "edge": self.cache.statistics(),
            "server": (self.fronts or self.server).statistics(),
            "shedding": self.front.shedder.statistics(),
            "backlog": self.later.statistics(),
            "upstreams": {name: each.statistics() for name, each in self.front.origins.items()},
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

    def _services(self) -> dict[str, Sequence[Operation]]:
        return {
            "lambda": self.functions.operations(),
            "logs": CloudWatchLogs(self.logs).operations(),
            "sts": self.trust.operations(),
            "kms": self.trust.key_operations(),
        }

    def _invoker(self) -> Invoker:
        invoker = Invoker(
            sandbox=self.sandbox,
            clock=self.clock,
            config=self.settings.functions,
            metrics=self.metrics,
            resolve=self.registry.resolve,
            logs=self.logs,
            meter=self.meter,
            credentials=lambda version: self.trust.credentials(
                version, self.apps.chosen.role(version)
            ),
            recursion=self._recursion,
            deployment=self.apps.deployment,
        )
        wanted = self.settings.functions.memory_reserve_mib
        reserve = headroom.reserve_mib(wanted, memory.total_mib())
        invoker.mind(headroom.Headroom(memory.available_mib, self.clock, reserve_mib=reserve))
        return invoker

    async def _listen(self) -> int:
        wanted = self.settings.port
        for port in range(wanted, wanted + (PORTS_TRIED_MAX if wanted else 1)):
            try:
                server = self.fronts or self.server
                return await server.start(self.settings.host, port)
            except OSError as error:
                refused = error
        text = f"Cannot listen on {self.settings.host}:{wanted}: {refused.strerror}"
        raise ConfigError(f"{text}; choose another port.")

    def _recursion(self, version: Version) -> str:
        """What the owner of a function says of chains that go round."""
        held = self.registry.documents.get(RECURSION, version.place.account, version.function)
        return str(held["RecursiveLoop"]) if held is not None else "Terminate"

    def _places(self, function: str) -> int:
        """How many invocations of an app's function (``one+other`` in shares) can run at once.

        0 while none of them has a fleet.
        """
        fleets = self.invoker.fleets
        held = [fleets[name].pool.limits for name in function.split("+") if name in fleets]
        return sum(limits.environments * limits.concurrency for limits in held)

    def _own_address(self) -> str:
        """Where code on this machine reaches the platform; nothing before it listens."""
        host = "127.0.0.1" if self.settings.host in {"", "0.0.0.0"} else self.settings.host  # noqa: S104
        return f"http://{host}:{self.port}" if self.port else ""

    def _ready(self) -> Mapping[str, str]:
        fleets = self.invoker.fleets.values()
        return {
            fleet.version.function: "ok" if fleet.zygote is not None else "its zygote is starting"
            for fleet in fleets
        } | {"edge": "ok"}


def _allow_files() -> None:
    """Let this process open as many files as it may: each connection is one."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
