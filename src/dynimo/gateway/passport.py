"""What happened when, to one request whose sender holds the operator's key.

The passport is handed along by the context, so that parts on the way can stamp it and nobody else's
request carries anything. What it says goes out in ``Dynimo-Passport``, in milliseconds since the
request's head was read.
"""

from __future__ import annotations

import hmac
import time
from contextvars import ContextVar

from dynimo.model.invocation import Outcome
from dynimo.web.message import Handler, Request, Response

KEY_HEADER = "x-dynimo-key"
HEADER = "dynimo-passport"
STAMPS_MAX = 64


class Passport:
    """The stamps of one request, in the order in which they were given."""

    def __init__(self, parsed_ns: int) -> None:
        self._parsed_ns = parsed_ns or time.monotonic_ns()
        self._stamps: list[str] = ["parsed;at=0"]

    def stamp(self, name: str, detail: str = "") -> None:
        """Note that something happens now."""
        if len(self._stamps) < STAMPS_MAX:
            at = (time.monotonic_ns() - self._parsed_ns) / 1e6
            self._stamps.append(f"{name};at={at:.3f}{detail}")

    def outcome(self, outcome: Outcome) -> None:
        """Note what an invocation says of its own times."""
        how = outcome.killed or ("error" if outcome.error is not None else "ok")
        self.stamp(
            "function",
            f";name={outcome.function};version={outcome.version.strip('$')}"
            f";queue={outcome.queue_ms:.3f};environment={outcome.init_ms:.3f}"
            f";run={outcome.duration_ms:.3f};ended={how}",
        )

    def text(self) -> str:
        """All of it, as the header's value."""
        return ", ".join(self._stamps)


CURRENT: ContextVar[Passport | None] = ContextVar("passport", default=None)
"""The passport of the request in progress, if it has one."""


class PassportControl:
    """Gives a passport to whoever shows the key, and hands it back with the answer.

    The key ends here: no function and no upstream may learn it. The server must mark requests that
    have ``KEY_HEADER`` (``slow_headers``).
    """

    def __init__(self, following: Handler, key: str) -> None:
        self._following = following
        self._key = key.encode()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not request.marked:
            return await self._following(request)
        given = request.headers.get(KEY_HEADER).encode()
        request.headers.remove(KEY_HEADER)
        if not hmac.compare_digest(given, self._key):
            return await self._following(request)
        passport = Passport(request.arrived_ns)
        token = CURRENT.set(passport)
        try:
            passport.stamp("begun")
            response = await self._following(request)
        finally:
            CURRENT.reset(token)
        passport.stamp("first-byte")
        response.headers.set(HEADER, passport.text())
        return response
