"""Carries what owners ask of concurrency from the registry's documents to who runs functions."""

from __future__ import annotations

import asyncio
import logging

from dynimo.api.aws.lambda_concurrency import PROVISIONED, RESERVED, ProvisionedState
from dynimo.functions.invoker import Invoker
from dynimo.model.errors import DynimoError, InitError, ResourceNotFound
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.registry import Registry

log = logging.getLogger("dynimo.functions")

INIT_FAILED = "FUNCTION_ERROR_INIT_FAILURE"


class ConcurrencyLimits:
    """Applies reserved and provisioned concurrency, and tells how far it has come."""

    def __init__(self, registry: Registry, invoker: Invoker) -> None:
        self._registry = registry
        self._invoker = invoker
        self._applied: dict[tuple[str, str], dict[str, tuple[Version, int]]] = {}
        self._failed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Apply what was asked for before this start."""
        documents = self._registry.documents
        for account, function, _, value in documents.find(RESERVED):
            places = value["ReservedConcurrentExecutions"]
            self._invoker.admission.reserve(account, function, places)
        for account, function in {row[:2] for row in documents.find(PROVISIONED)}:
            place = self._registry.functions(account)[0].latest.place
            await self.changed(place, function)

    async def changed(self, place: Place, function: str) -> None:
        """Something about a function's limits, aliases or being has changed."""
        documents = self._registry.documents
        reserved = documents.get(RESERVED, place.account, function)
        places = reserved["ReservedConcurrentExecutions"] if reserved is not None else None
        self._invoker.admission.reserve(place.account, function, places)
        wanted = self._wanted(place, function)
        before = self._applied.pop((place.account, function), {})
        if wanted:
            self._applied[place.account, function] = wanted
        for arn, (version, _) in before.items():
            if arn not in wanted:
                self._provision(version, 0)
        for arn, (version, environments) in wanted.items():
            if before.get(arn) != (version, environments):
                self._provision(version, environments)

    def state(self, place: Place, function: str, qualifier: str) -> ProvisionedState:
        """How far a qualifier's environments have come."""
        version = self._version(place, function, qualifier)
        if version is None:
            return ProvisionedState(0, "FAILED", "The alias or version is gone.")
        if version.arn in self._failed:
            return ProvisionedState(0, "FAILED", INIT_FAILED)
        asked, ready = self._invoker.provisioned(version)
        return ProvisionedState(ready, "READY" if asked and ready >= asked else "IN_PROGRESS")

    async def close(self) -> None:
        """Stop what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wanted(self, place: Place, function: str) -> dict[str, tuple[Version, int]]:
        """What each version shall have, by its ARN."""
        wanted: dict[str, tuple[Version, int]] = {}
        rows = self._registry.documents.find(PROVISIONED, place.account, function)
        for _, _, qualifier, value in rows:
            version = self._version(place, function, qualifier)
            if version is not None:
                before = wanted.get(version.arn, (version, 0))[1]
                wanted[version.arn] = (version, before + value["Requested"])
        return wanted

    def _version(self, place: Place, function: str, qualifier: str) -> Version | None:
        try:
            return self._registry.resolve(place, function, qualifier).choices[0][0]
        except ResourceNotFound:
            return None

    def _provision(self, version: Version, environments: int) -> None:
        self._failed.discard(version.arn)
        task = asyncio.get_running_loop().create_task(self._run(version, environments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, version: Version, environments: int) -> None:
        try:
            await self._invoker.provision(version, environments)
        except InitError:
            self._failed.add(version.arn)
        except DynimoError as error:
            log.error("%s: %s", version, error)
