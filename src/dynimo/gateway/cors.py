"""May a page of another origin read this answer? The headers that say so. Pure.

After the Fetch standard, "CORS protocol". Who is let in is the route's; that an answer is different
for each origin is always said (Vary), for caches.
"""

from __future__ import annotations

from dynimo.gateway.table import Target
from dynimo.web.message import Headers, Request, Response

REQUEST_METHOD = "access-control-request-method"
ALLOWED = "access-control-allow-origin"
ANYBODY = "*"
_METHODS_DEFAULT = "GET, HEAD, POST"


def is_preflight(request: Request) -> bool:
    """Whether a browser asks before it asks."""
    return (
        request.method == "OPTIONS"
        and REQUEST_METHOD in request.headers
        and "origin" in request.headers
    )


def preflight(request: Request, target: Target) -> Response:
    """The answer to a preflight: 204, with what is allowed, or with nothing."""
    headers = Headers(_origin(request, target))
    if ALLOWED in headers:
        methods = ", ".join(target.cors_methods or target.methods) or _METHODS_DEFAULT
        headers.add("access-control-allow-methods", methods)
        if target.cors_headers:
            headers.add("access-control-allow-headers", ", ".join(target.cors_headers))
        if target.cors_seconds:
            headers.add("access-control-max-age", str(target.cors_seconds))
    return Response(status=204, headers=headers)


def dress(request: Request, target: Target, response: Response) -> None:
    """Put the route's word in place of whatever the answer itself says."""
    kept = [p for p in response.headers.pairs if not p[0].startswith("access-control-")]
    said = Headers(_origin(request, target))
    vary = said.get("vary")
    said.remove("vary")
    if target.cors_expose and ALLOWED in said:
        said.add("access-control-expose-headers", ", ".join(target.cors_expose))
    response.headers.pairs = kept + said.pairs
    if vary:
        add_vary(response.headers, vary)


def add_vary(headers: Headers, *names: str) -> None:
    """Say that an answer depends on these headers of the request too."""
    present = [name.strip() for name in headers.get("vary").split(",") if name.strip()]
    if ANYBODY in present:
        return
    known = {name.lower() for name in present}
    present += [name for name in names if name.lower() not in known]
    headers.set("vary", ", ".join(present))


def _origin(request: Request, target: Target) -> list[tuple[str, str]]:
    if ANYBODY in target.cors_origins:
        return [(ALLOWED, ANYBODY)]
    told = [("vary", "Origin")]
    origin = request.headers.get("origin")
    if origin in target.cors_origins:
        told.append((ALLOWED, origin))
        if target.cors_credentials:
            told.append(("access-control-allow-credentials", "true"))
    return told
