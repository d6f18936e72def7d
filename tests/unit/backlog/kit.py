"""What tests of the backlog share: a function that follows a script, and a quick configuration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from dynimo.backends.clocks import SystemClock
from dynimo.backlog.backlog import Backlog
from dynimo.backlog.config import Config
from dynimo.model.errors import ResourceNotFound
from dynimo.model.function import Configuration, Route, Version
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import Place

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
QUEUE = "arn:aws:dynimo:us-east-1:000000000000:queue/"
WAIT_SECONDS = 60.0
QUICK = {
    "first_retry_seconds": 0.01,
    "second_retry_seconds": 0.02,
    "backoff_seconds_min": 0.01,
    "backoff_seconds_max": 0.05,
}


class Documents:
    """The registry's documents, without a registry."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str, str], Any] = {}

    def get(self, kind: str, account: str, function: str, key: str = "") -> Any | None:
        """One, or None."""
        return self.held.get((kind, function, key))


class Functions:
    """Functions that do what ``script[name]`` says with each invocation, and remember them."""

    def __init__(self) -> None:
        self.ran: list[Invocation] = []
        self.script: dict[str, Callable[[Invocation], Any]] = {}
        self.dead_letter: dict[str, str] = {}

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run one: the script gives a value, an error's document, or raises."""
        self.ran.append(invocation)
        answer = self.script.get(invocation.function, lambda _: b"null")(invocation)
        if asyncio.iscoroutine(answer):
            answer = await answer
        error = answer if isinstance(answer, dict) else None
        value = answer if isinstance(answer, bytes) else None
        return Outcome(
            id=invocation.id, function=invocation.function, version="$LATEST", value=value,
            error=error,
        )  # fmt: skip

    def resolve(self, place: Place, name: str, qualifier: str) -> Route:
        """Lead to a version with the dead letters told; ``gone`` is not there."""
        if name == "gone":
            raise ResourceNotFound(f"Function not found: {place.function(name, qualifier)}")
        configuration = Configuration(dead_letter=self.dead_letter.get(name, ""))
        version = Version(
            function=name, number=0, sha256="0", code=Path("code"), configuration=configuration
        )
        return Route(arn=place.function(name, qualifier), choices=((version, 1.0),))


class Desk:
    """A backlog over scripted functions, in a folder."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.functions = Functions()
        self.documents = Documents()
        self.backlog = Backlog(
            folder,
            SystemClock(),
            Config(**{**QUICK, **settings}),
            invoke=self.functions.invoke,
            resolve=self.functions.resolve,
            documents=self.documents,
        )

    async def __aenter__(self) -> Self:
        await self.backlog.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.backlog.close()

    def configure(self, function: str, **settings: Any) -> None:
        """Give it an EventInvokeConfig; ``success`` and ``failure`` are destinations."""
        sides = {"OnSuccess": settings.pop("success", ""), "OnFailure": settings.pop("failure", "")}
        config = {key: {"Destination": arn} if arn else {} for key, arn in sides.items()}
        document = {**settings, "DestinationConfig": config}
        self.documents.held["event-invoke", function, "$LATEST"] = document

    async def accept(self, function: str = "f", event: bytes = b"{}", name: str = "id-1") -> None:
        """Accept one event."""
        await self.backlog.accept(invocation(function, event, name))

    async def messages(self, name: str) -> list[dict[str, Any]]:
        """What a built-in queue holds."""
        return await self.backlog.queues.shown(Place(), name, 1000)

    def ran(self, function: str) -> list[Invocation]:
        """What a function was asked to do."""
        return [each for each in self.functions.ran if each.function == function]


def invocation(function: str, event: bytes = b"{}", name: str = "id-1") -> Invocation:
    """One invocation."""
    return Invocation(
        id=name, function=function, event=event, arrived_ns=time.monotonic_ns(), trace="Root=1-a-b"
    )


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what other tasks bring about; AssertionError when it takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        told = condition()
        if asyncio.iscoroutine(told):
            told = await told
        if told:
            return
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {condition}"
        await asyncio.sleep(0.005)
