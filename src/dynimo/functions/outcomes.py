"""From what an environment said, or how it ended, to the Outcome that its caller gets. Pure.

Here live the arithmetic of times and AWS's words for each end; nothing is sent or counted here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dynimo.functions import claims, faults
from dynimo.model.function import Version
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.ports import Exit

INIT_MS_MIN = 0.001
"""What a cold start counts at least, so that it is known for one."""


@dataclass(slots=True)
class Gathered:
    """A streamed answer for somebody who wants it whole: its pieces so far."""

    bytes_max: int
    head: claims.Head | None = None
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def begin(self, meta: dict[str, Any]) -> None:
        """Status and headers came first."""
        self.head = claims.head(meta)

    def add(self, piece: bytes) -> None:
        """One more piece; nothing is kept beyond the limit."""
        self.size += len(piece)
        if self.size <= self.bytes_max:
            self.pieces.append(piece)


class Run(NamedTuple):
    """One invocation inside an environment. ``assigned`` is monotonic seconds."""

    invocation: Invocation
    version: Version
    assigned: float
    cold: bool

    @property
    def queue_ms(self) -> float:
        """From its arrival until it had an environment."""
        return max(0.0, self.assigned * 1000 - self.invocation.arrived_ns / 1e6)


def answered(
    run: Run,
    meta: dict[str, Any],
    body: bytes,
    gathered: Gathered | None,
    *,
    bytes_max: int,
    now: float,
) -> Outcome:
    """The outcome of an ``outcome`` frame. ``bytes_max`` bounds a value, not an HTTP reply.

    ``now`` is monotonic seconds.

    Raises:
        wire.WireError: no runtime says such a thing.
    """
    said = claims.read(meta, earliest_ns=int(run.assigned * 1e9), latest_ns=int(now * 1e9))
    error, reply, value = said.error, None, None
    if error is None and gathered is not None:
        if gathered.size > gathered.bytes_max:
            error = faults.response_too_large(gathered.bytes_max)
        elif gathered.head is not None:
            status, headers = gathered.head
            reply = HttpReply(status=status, headers=headers, body=b"".join(gathered.pieces))
        else:
            value = b"".join(gathered.pieces)
    elif error is None and said.reply is not None:
        status, headers = said.reply
        reply = HttpReply(status=status, headers=headers, body=body)
    elif error is None:
        value = body
        if len(body) > bytes_max:
            value, error = None, faults.response_too_large(bytes_max)
    init_ms = max(INIT_MS_MIN, said.started_ns / 1e6 - run.assigned * 1000) if run.cold else 0.0
    return Outcome(
        id=run.invocation.id,
        function=run.version.function,
        version=run.version.label,
        value=value,
        reply=reply,
        error=error,
        queue_ms=run.queue_ms,
        init_ms=init_ms,
        duration_ms=said.duration_ns / 1e6,
        max_rss_kib=said.max_rss_kib,
        started_ns=said.started_ns,
        streamed=run.invocation.sink is not None and bool(meta.get("streamed")),
    )


def lost(run: Run, ended: Exit, *, killed: str, now: float, stream_max: int) -> Outcome:
    """The outcome when the environment is gone. ``killed`` is why we ended it, if we did.

    That is ``time`` over, or ``size`` of a streamed answer over ``stream_max`` bytes.
    """
    invocation = run.invocation
    if killed == "time":
        seconds = run.version.configuration.timeout_seconds
        error = faults.timed_out(invocation.id, seconds)
    elif killed == "size":
        error = faults.response_too_large(stream_max)
    else:
        killed = "memory" if ended.out_of_memory else "crash"
        error = faults.exited(invocation.id, ended)
    return Outcome(
        id=invocation.id,
        function=run.version.function,
        version=run.version.label,
        error=error,
        killed=killed,
        queue_ms=run.queue_ms,
        duration_ms=(now - run.assigned) * 1000,
        max_rss_kib=ended.max_rss_kib,
    )


def never_began(invocation: Invocation, version: Version, error: dict[str, Any]) -> Outcome:
    """The outcome when the code could not be imported."""
    told = faults.of_start(invocation.id, error)
    return Outcome(id=invocation.id, function=version.function, version=version.label, error=told)
