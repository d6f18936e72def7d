"""The Handler: a route is found, it answers, and the answer is dressed as the route says.

One retry of a function, where a retry can do no harm; an upstream's retries are its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from dynimo import ports
from dynimo.gateway import answers, cors, encoding, shaping
from dynimo.gateway.passport import CURRENT
from dynimo.gateway.routes import Match, Routes, Target
from dynimo.model.errors import DynimoError
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import Place
from dynimo.sdk.http import FALLBACK_HEADER, FORWARD_HEADER, GROUP_HEADER
from dynimo.web import ids
from dynimo.web.message import Request, Response

log = logging.getLogger("dynimo.gateway")

Invoke: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]
Origin: TypeAlias = Callable[[Request, float], Awaitable[Response]]
"""An upstream: a request, and the seconds within which it is to be answered."""

NO_ORIGINS: Mapping[str, Origin] = MappingProxyType({})
TRIES_HEADER = "dynimo-tries"
"""What an origin says of its tries; the edge lets it go no further."""

_LEADING_ON = (FORWARD_HEADER, FALLBACK_HEADER)
"""What names internal paths: a function may, a server that others run may not."""

_SAFE_METHODS = frozenset({"GET", "HEAD"})


class Gateway:
    """Answers any request as its route says, or says why not."""

    def __init__(
        self,
        routes: Routes,
        invoke: Invoke,
        clock: ports.Clock,
        *,
        place: Place | None = None,
        qualifier: str = "",
        origins: Mapping[str, Origin] = NO_ORIGINS,
    ) -> None:
        """``place`` and ``qualifier`` say whose functions are called, and which version of them.

        ``origins`` are the upstreams that routes may name.
        """
        self._routes = routes
        self._invoke = invoke
        self._clock = clock
        self._place = place or Place()
        self._qualifier = qualifier
        self._origins = origins

    async def __call__(self, request: Request) -> Response:
        """Answer one request; never raises but for cancellation."""
        passport = CURRENT.get()
        if passport is not None:
            passport.stamp("gateway")
        found = self._routes.match(request)
        target = found.target
        if request.method == "OPTIONS" and cors.is_preflight(request):
            asked = self._routes.match(request, method=request.headers.get(cors.REQUEST_METHOD))
            if asked.target is not None and asked.target.cors_origins:
                return cors.preflight(request, asked.target)
        if target is None:
            return answers.nothing(request, found)
        response = await self._answer(target, request, found)
        group = response.headers.get(GROUP_HEADER)
        if group:  # an app's groups are its own
            response.headers.set(GROUP_HEADER, f"{target.app}/{group}")
        if target.compress:
            await _compress(request, response)
        if target.cors_origins:
            cors.dress(request, target, response)
        if found.vary:
            cors.add_vary(response.headers, *found.vary)
        return response

    async def _answer(self, target: Target, request: Request, found: Match) -> Response:
        if target.function or target.weights:
            return await self._from_function(target, request, found.parameters)
        if target.upstream:
            return await self._from_upstream(target, request)
        if target.redirect:
            return answers.redirect(request, target, found.parameters)
        return answers.text(target)

    async def _from_function(
        self, target: Target, request: Request, parameters: Mapping[str, str]
    ) -> Response:
        try:
            outcome = await self._run(target, request, parameters)
            if outcome.killed == "crash" and request.method in _SAFE_METHODS:
                # Something outside the function's own time and memory ended its environment. A
                # safe request may be tried again, once (RFC 9110 section 9.2.2).
                log.warning("%s crashed; trying once more", outcome.function)
                outcome = await self._run(target, request, parameters)
        except DynimoError as error:
            return shaping.refusal(error)
        return shaping.response(outcome, target)

    async def _run(
        self, target: Target, request: Request, parameters: Mapping[str, str]
    ) -> Outcome:
        invocation = Invocation(
            id=ids.request_id(),
            function=self._routes.function(target) if target.weights else target.function,
            kin=target.kin(request.path),
            place=self._place,
            qualifier=target.alias or self._qualifier,
            event=shaping.event(
                request, now=self._clock.now(), target=target, parameters=parameters
            ),
            # A forward's own wait begins when the edge asks again, not at the front door.
            arrived_ns=(not request.internal and request.arrived_ns)
            or int(self._clock.monotonic() * 1e9),
        )
        outcome = await self._invoke(invocation)
        passport = CURRENT.get()
        if passport is not None:
            passport.outcome(outcome)
        return outcome

    async def _from_upstream(self, target: Target, request: Request) -> Response:
        origin = self._origins.get(target.upstream)
        if origin is None:
            said = f"The route {target.label} leads to {target.upstream!r}, which is not set up;"
            return shaping.problem(502, "no_upstream", f"{said} name it in [gateway.upstreams].")
        if target.pass_headers:
            request = shaping.reduced(request, target.pass_headers)
        response = await origin(request, target.timeout_seconds)
        for name in _LEADING_ON:
            response.headers.remove(name)
        passport = CURRENT.get()
        if passport is not None:
            tries = response.headers.get(TRIES_HEADER).replace(", ", " ")
            passport.stamp("upstream", f';name={target.upstream};tries="{tries}"')
        return response


async def _compress(request: Request, response: Response) -> None:
    """Pack the answer if that may be done and the asker can unpack it."""
    if not encoding.may_vary(response):
        return
    encoding.vary(response)
    wanted = encoding.takes_gzip(request.headers.get("accept-encoding"))
    if not wanted or encoding.may_tell(request, response):
        return
    if len(response.body) < encoding.THREAD_BYTES_MIN:
        packed = encoding.pack(response.body)
    else:
        packed = await asyncio.to_thread(encoding.pack, response.body)
    if len(packed) < len(response.body):
        encoding.replace_body(response, packed)
