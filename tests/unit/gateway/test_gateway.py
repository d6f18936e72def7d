"""The gateway routes, invokes, and tries a crashed safe request once more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dynimo import testing
from dynimo.gateway.gateway import Gateway
from dynimo.gateway.routes import Routes, Target
from dynimo.model.errors import DynimoError, FunctionNotFound
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.web.message import Headers, Request, Response

OK = {"value": b'"ok"'}
CRASH = {"error": {"errorType": "Runtime.ExitError"}, "killed": "crash"}
TIME = {"error": {"errorType": "Sandbox.Timedout"}, "killed": "time"}


class Invoked:
    """An Invoke that follows a script and keeps what it was asked."""

    def __init__(self, script: Sequence[dict[str, object] | DynimoError]) -> None:
        self.script = list(script)
        self.asked: list[Invocation] = []

    async def __call__(self, invocation: Invocation) -> Outcome:
        self.asked.append(invocation)
        step = self.script.pop(0)
        if isinstance(step, DynimoError):
            raise step
        return Outcome(id=invocation.id, function="demo", version=1, **step)  # type: ignore[arg-type]


def _gateway(invoked: Invoked) -> Gateway:
    return Gateway(Routes([Target(path="/a/", function="demo")]), invoked, testing.VirtualClock())


async def test_a_group_is_the_own_of_its_app() -> None:
    """No app can put its answers among those of another."""
    reply = HttpReply(status=200, headers=(("dynimo-group", "boats"),), body=b"")
    invoked = Invoked([{"reply": reply}])
    routes = Routes([Target(path="/a/", function="demo", app="mine")])
    gateway = Gateway(routes, invoked, testing.VirtualClock())
    answer = await gateway(Request(method="GET", path="/a/"))
    assert answer.headers.get_all("dynimo-group") == ["mine/boats"]


async def test_a_request_reaches_its_function() -> None:
    """Route, shape, invoke, shape."""
    invoked = Invoked([OK])
    response = await _gateway(invoked)(Request(method="GET", path="/a/b", arrived_ns=7))

    assert (response.status, response.body) == (200, b"ok")
    assert (invoked.asked[0].function, invoked.asked[0].arrived_ns) == ("demo", 7)


async def test_an_unrouted_path_is_a_404() -> None:
    """And no function hears of it."""
    invoked = Invoked([])

    assert (await _gateway(invoked)(Request(method="GET", path="/x"))).status == 404
    assert invoked.asked == []


@pytest.mark.parametrize(
    ("method", "script", "status", "calls"),
    [
        ("GET", [CRASH, OK], 200, 2),
        ("GET", [CRASH, CRASH], 502, 2),
        ("POST", [CRASH], 502, 1),
        ("GET", [TIME], 504, 1),
    ],
)
async def test_only_a_crashed_safe_request_is_tried_again_and_once(
    method: str, script: list[dict[str, object]], status: int, calls: int
) -> None:
    """A retry must be harmless, and must not double what was too much already."""
    invoked = Invoked(script)
    response = await _gateway(invoked)(Request(method=method, path="/a/"))

    assert (response.status, len(invoked.asked)) == (status, calls)


async def test_a_platform_error_becomes_its_status() -> None:
    """The one exception tree knows its statuses."""
    response = await _gateway(Invoked([FunctionNotFound("demo")]))(
        Request(method="GET", path="/a/")
    )

    assert response.status == 404


async def test_an_upstream_names_no_internal_path() -> None:
    """What a server of others answers never leads to a function's internal route."""

    async def origin(request: Request, seconds: float) -> Response:
        del request, seconds
        told = [("dynimo-forward", "/_made/1"), ("dynimo-fallback", "a=/_made/2"), ("x-a", "b")]
        return Response(status=200, headers=Headers(told), body=b"own")

    gateway = Gateway(
        Routes([Target(path="/a/", upstream="shop")]), Invoked([]), testing.VirtualClock(),
        origins={"shop": origin},
    )  # fmt: skip
    answer = await gateway(Request(method="POST", path="/a/b", headers=Headers()))
    assert (answer.body, answer.headers.pairs) == (b"own", [("x-a", "b")])
