"""One request to a function, and how it ended.

Both are made at every invocation, so they are structs: a frozen dataclass costs ten times as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from dynimo.model.caller import Caller
from dynimo.model.names import Place

HERE = Place()


class Sink(Protocol):
    """Who takes an answer piece by piece while the handler still runs."""

    def routed(self, version: str) -> None:
        """Tell which version will answer (``$LATEST`` or a number), before anything else."""

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Tell status and headers (200 and none, if the handler named none) before the first piece.

        Called at most once.
        """

    def write(self, piece: bytes) -> bool:
        """Take the next piece; False asks for a pause until ``on_room`` is called."""

    def on_room(self, call: Callable[[], None]) -> None:
        """Say once whom to tell that there is room again."""


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one function. ``arrived_ns`` is ``time.monotonic_ns()`` at the front door.

    ``qualifier`` is a version, an alias or nothing; ``place`` says whose function it is. ``sticky``
    makes a weighted alias choose the same version for the same text. ``client_context`` is JSON.
    Those of one ``kin`` share work, so that one environment should do them if that costs no wait.
    ``trace`` is X-Ray's header (``Root=…;Lineage=…``). ``attempt`` counts tries of an asynchronous
    one from 1. With ``sink`` the answer is streamed; ``tail`` asks for the last lines of its log.
    ``caller`` is who asked for it directly, if that was proved, and ``address`` their client's IP.
    """

    id: str
    function: str
    event: bytes
    arrived_ns: int
    trace: str = ""
    qualifier: str = ""
    place: Place = HERE
    sticky: str = ""
    kin: str = ""
    client_context: str = ""
    attempt: int = 1
    sink: Sink | None = None
    tail: bool = False
    caller: Caller | None = None
    address: str = ""

    def but(self, **changed: Any) -> Invocation:
        """The same with other values for some members."""
        return msgspec.structs.replace(self, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """An HTTP answer that a handler gave as bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an invocation ended: exactly one of ``value``, ``reply`` and ``error`` is given.

    ``value`` is the JSON of what the handler returned; ``error`` is AWS-shaped (errorType,
    errorMessage, stackTrace). Times are milliseconds: ``queue_ms`` until an environment was found,
    ``init_ms`` until the handler began in a new one (0 in a warm one), ``duration_ms`` inside the
    handler. ``version`` is the label of the one that ran (``$LATEST`` or a number).
    ``started_ns`` is ``time.monotonic_ns()`` when the handler began, 0 if it never did.
    """

    id: str
    function: str
    version: str
    value: bytes | None = None
    reply: HttpReply | None = None
    error: dict[str, Any] | None = None
    killed: str = ""
    """Why the platform killed it: ``time``, ``memory``, ``crash``, or nothing."""
    queue_ms: float = 0.0
    init_ms: float = 0.0
    duration_ms: float = 0.0
    max_rss_kib: int = 0
    started_ns: int = 0
    streamed: bool = False
    """Whether (part of) the answer went through the invocation's sink already."""
    log_tail: bytes = b""
    """The last 4 KB of its log, when ``tail`` asked for it."""

    def but(self, **changed: Any) -> Outcome:
        """The same with other values for some members."""
        return msgspec.structs.replace(self, **changed)

    @property
    def cold(self) -> bool:
        """Whether an environment was made for it."""
        return self.init_ms > 0

    @property
    def billed_ms(self) -> int:
        """Init and duration, rounded up to the next millisecond, as AWS bills since August 2025."""
        return math.ceil(self.init_ms + self.duration_ms)

    def report(self, memory_mib: int) -> str:
        """The REPORT line, in AWS's wording."""
        line = (
            f"REPORT RequestId: {self.id}\tDuration: {self.duration_ms:.2f} ms\t"
            f"Billed Duration: {self.billed_ms} ms\tMemory Size: {memory_mib} MB\t"
            f"Max Memory Used: {self.max_rss_kib // 1024} MB"
        )
        return f"{line}\tInit Duration: {self.init_ms:.2f} ms" if self.cold else line
