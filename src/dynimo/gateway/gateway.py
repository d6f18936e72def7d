"""The Handler: route, shape, invoke, shape. One retry, where a retry can do no harm."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from dynimo import ports
from dynimo.gateway import shaping
from dynimo.gateway.routes import Routes, Target
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import Place
from dynimo.web.message import Request, Response

log = logging.getLogger("dynimo.gateway")

Invoke: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]
_SAFE_METHODS = frozenset({"GET", "HEAD"})


class Gateway:
    """Answers any request from a function, or says why not."""

    def __init__(
        self,
        routes: Routes,
        invoke: Invoke,
        clock: ports.Clock,
        *,
        place: Place | None = None,
        qualifier: str = "",
    ) -> None:
        """``place`` and ``qualifier`` say whose functions are called, and which version of them."""
        self._routes = routes
        self._invoke = invoke
        self._clock = clock
        self._place = place or Place()
        self._qualifier = qualifier

    async def __call__(self, request: Request) -> Response:
        """Answer one request; never raises but for cancellation."""
        target = self._routes.match(request.path, internal=request.internal)
        if target is None:
            return shaping.problem(404, "no_route", f"Nothing is served at {request.path}.")
        try:
            outcome = await self._run(target, request)
            if outcome.killed == "crash" and request.method in _SAFE_METHODS:
                # Something outside the function's own time and memory ended its environment. A
                # safe request may be tried again, once (RFC 9110 section 9.2.2).
                log.warning("%s crashed; trying once more", target.function)
                outcome = await self._run(target, request)
        except DynimoError as error:
            return shaping.refusal(error)
        return shaping.response(outcome, target)

    async def _run(self, target: Target, request: Request) -> Outcome:
        invocation = Invocation(
            id=str(uuid.uuid4()),
            function=target.function,
            place=self._place,
            qualifier=self._qualifier,
            event=shaping.event(request, now=self._clock.now()),
            # A forward's own wait begins when the edge asks again, not at the front door.
            arrived_ns=(not request.internal and request.arrived_ns)
            or int(self._clock.monotonic() * 1e9),
        )
        return await self._invoke(invocation)
