"""Failures that never came to a route, as pages may read them: what edge and shedder say.

Stands in front of the edge, which knows no route's manners. Whatever the gateway answered is
dressed already, and kept with what the edge stores of it.
"""

from __future__ import annotations

from dynimo.gateway import cors
from dynimo.gateway.routes import Routes
from dynimo.web.message import Handler, Request, Response


class Dressed:
    """Says of a failure which pages may read it: as the route of its request does."""

    def __init__(self, following: Handler, routes: Routes) -> None:
        self._following = following
        self._routes = routes

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        response = await self._following(request)
        if response.status >= 500 and cors.ALLOWED not in response.headers:
            target = self._routes.match(request).target
            if target is not None and target.cors_origins:
                cors.dress(request, target, response)
        return response
