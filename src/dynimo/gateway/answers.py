"""What a route answers by itself: a text, a redirect, or that there is nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dynimo.gateway import shaping
from dynimo.gateway.table import Match, Target
from dynimo.web.message import Headers, Request, Response

REDIRECT_STATUS = 308
"""Where the route names none: for good, and the method stays (RFC 9110 section 15.4.9)."""

_NAMED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\+?\}")
_LEADING = re.compile(r"^/[/\\]+")


def text(target: Target) -> Response:
    """The route's own words."""
    headers = Headers([("content-type", target.content_type)]) if target.text else Headers()
    return Response(status=target.status or 200, headers=headers, body=target.text.encode())


def redirect(request: Request, target: Target, parameters: Mapping[str, str]) -> Response:
    """Where to look instead. What was caught of the path goes in as it came, still encoded.

    However the path was written, the result stays on the host that the route names: two slashes at
    its beginning would be read as another host's name.
    """
    place = _NAMED.sub(lambda found: parameters.get(found[1], ""), target.redirect)
    if place.startswith("/"):
        place = _LEADING.sub("/", place)
    if request.query and "?" not in place:
        place = f"{place}?{request.query}"
    return Response(status=target.status or REDIRECT_STATUS, headers=Headers([("location", place)]))


def nothing(request: Request, found: Match) -> Response:
    """404, or 405 where another method would have found something."""
    if not found.allowed:
        return shaping.problem(404, "no_route", f"Nothing is served at {request.path}.")
    allowed = ", ".join(found.allowed)
    refused = shaping.problem(
        405, "method_not_allowed", f"{request.path} is there for {allowed}, not {request.method}."
    )
    refused.headers.set("allow", allowed)
    return refused
