"""What never came to a route, as pages may read it."""

from __future__ import annotations

import pytest

from dynimo.gateway.failures import Dressed
from dynimo.gateway.routes import Routes
from dynimo.gateway.table import Target
from dynimo.web.message import Headers, Request, Response

PAGE, OTHER = "https://viewer.example", "https://evil.example"
ROUTES = Routes(
    [
        Target(path="/open/", text="x", cors_origins=("*",)),
        Target(path="/some/", text="x", cors_origins=(PAGE,)),
        Target(path="/closed/", text="x"),
    ]
)


@pytest.mark.parametrize(
    ("path", "status", "origin", "allowed"),
    [
        ("/open/a", 503, PAGE, "*"),
        ("/open/a", 502, "", "*"),
        ("/open/a", 200, PAGE, ""),
        ("/some/a", 503, PAGE, PAGE),
        ("/some/a", 503, OTHER, ""),
        ("/closed/a", 503, PAGE, ""),
        ("/nowhere", 503, PAGE, ""),
    ],
)
async def test_a_failure_is_dressed_as_its_route_says(
    path: str, status: int, origin: str, allowed: str
) -> None:
    """Whoever it came from; what is no failure came from the gateway, or was dressed there."""

    async def failing(_: Request) -> Response:
        return Response(status=status, headers=Headers())

    headers = Headers([("origin", origin)] if origin else [])
    answer = await Dressed(failing, ROUTES)(Request(method="GET", path=path, headers=headers))
    assert answer.headers.get("access-control-allow-origin") == allowed


async def test_what_is_dressed_stays_as_it_is() -> None:
    """The gateway's word holds, once."""

    async def dressed(_: Request) -> Response:
        return Response(status=504, headers=Headers([("access-control-allow-origin", PAGE)]))

    answer = await Dressed(dressed, ROUTES)(Request(method="GET", path="/open/", headers=Headers()))
    assert answer.headers.pairs == [("access-control-allow-origin", PAGE)]
