"""What a connection and its server need of each other. The shapes only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from dynimo.web import config, faults, forwarding, message, writing
from dynimo.web.repeats import Repeats
from dynimo.web.uploads import Uploads


class Connected(Protocol):
    """A connection, as its server sees it."""

    peer: str
    deadline: float

    def is_idle(self) -> bool:
        """Say whether it rests between requests."""

    def expire(self) -> None:
        """End it: the deadline has passed."""

    def drain(self) -> None:
        """Close now if no request is in progress; otherwise the answer will be the last."""

    def abort(self) -> None:
        """Close at once."""


class Host(Protocol):
    """The server, as its connections see it."""

    config: config.Config
    handler: message.Handler
    fast: Callable[[message.Request], message.Response | bytes | None] | None
    on_response: Callable[[message.Request, message.Response, float], None] | None
    trust: forwarding.Trust
    slow_headers: frozenset[str]
    uploads: Uploads
    date: writing.DateText
    repeats: Repeats
    stopping: bool
    requests: int
    refused: int
    cancelled: int

    def admit(self, connection: Connected) -> faults.Fault | None:
        """Count the connection in; what to answer instead when there are too many."""

    def forget(self, connection: Connected) -> None:
        """Count it out."""

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a handler's task until it is done."""
