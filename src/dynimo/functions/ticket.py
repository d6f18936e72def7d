"""An invocation on its way through a fleet, and its answer when that comes in pieces.

What is sent to an environment, and when it is killed, is the fleet's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from dynimo import ports
from dynimo.functions import claims, outcomes
from dynimo.functions.journal import Tail
from dynimo.model.errors import DynimoError
from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome

Done: TypeAlias = Callable[[Outcome | DynimoError], None]


@dataclass(slots=True)
class Ticket:
    """``assigned`` is the clock's, 0 while it waits; ``done`` is called exactly once."""

    invocation: Invocation
    done: Done
    arn: str
    assigned: float = 0.0
    cold: bool = False
    starting: bool = False
    cancel_deadline: Callable[[], None] | None = None
    tail: Tail | None = None
    gathered: outcomes.Gathered | None = None
    streamed_bytes: int = 0

    def run(self, version: Version) -> outcomes.Run:
        """The facts from which its outcome is made."""
        return outcomes.Run(self.invocation, version, self.assigned, self.cold)

    def begin(self, meta: dict[str, Any], *, gather_bytes_max: int) -> None:
        """The first word of a streamed answer; it may come once, and before any piece.

        Raises:
            wire.WireError: its head is none.
        """
        if self.gathered is not None or self.streamed_bytes:
            return
        sink = self.invocation.sink
        if sink is None:
            self.gathered = outcomes.Gathered(gather_bytes_max)
            self.gathered.begin(meta)
        else:
            status, headers = claims.head(meta)
            sink.begin(status, list(headers))

    def take(
        self, piece: bytes, process: ports.Process, *, gather_bytes_max: int, stream_bytes_max: int
    ) -> bool:
        """The next piece of a streamed answer; False when there were too many bytes.

        The process is paused while whoever takes the answer is slower.
        """
        sink = self.invocation.sink
        if sink is None:
            if self.gathered is None:
                self.gathered = outcomes.Gathered(gather_bytes_max)
            self.gathered.add(piece)
            return True
        self.streamed_bytes += len(piece)
        if self.streamed_bytes > stream_bytes_max:
            return False
        if not sink.write(piece):
            process.pause()
            sink.on_room(process.resume)
        return True
