"""Which function serves a path: exact before prefix, long before short, internal apart."""

from __future__ import annotations

import pytest

from dynimo.gateway.routes import Routes, Target
from dynimo.model.errors import DeployError

ROUTES = Routes(
    [
        Target(path="/", function="root"),
        Target(path="/a/", function="a", accept=("x/one", "x/two")),
        Target(path="/a/b/", function="ab"),
        Target(path="/a/exact", function="exact"),
        Target(path="/_work/", function="work", internal=True),
    ]
)


@pytest.mark.parametrize(
    ("path", "function"),
    [("/a/x", "a"), ("/a/b/c", "ab"), ("/a/exact", "exact"), ("/a/exact/", "a"), ("/z", "root")],
)
def test_the_closest_route_wins(path: str, function: str) -> None:
    """Exact paths first, then the longest prefix."""
    target = ROUTES.match(path, internal=False)

    assert target is not None
    assert target.function == function


def test_nobody_outside_reaches_an_internal_route() -> None:
    """Internal routes answer the edge only, and the edge reaches nothing else through a forward."""
    assert ROUTES.match("/_work/x", internal=False) is None
    assert ROUTES.match("/a/x", internal=True) is None
    internal = ROUTES.match("/_work/x", internal=True)
    assert internal is not None
    assert internal.function == "work"


def test_two_apps_cannot_have_the_same_path() -> None:
    """Which one would win is nothing to leave to chance."""
    with pytest.raises(DeployError, match="wanted by one and two"):
        Routes([Target(path="/a/", function="one"), Target(path="/a/", function="two")])


def test_offers_are_those_of_the_route() -> None:
    """The edge learns from the route what Accept is about."""
    assert ROUTES.offers("/a/x") == ("x/one", "x/two")
    assert ROUTES.offers("/nothing") == ()


def test_routes_are_replaced_whole_or_not_at_all() -> None:
    """What is refused leaves what was served."""
    routes = Routes([Target(path="/a/", function="one")])
    with pytest.raises(DeployError):
        routes.replace([Target(path="/b", function="one"), Target(path="/b", function="two")])
    assert routes.match("/b", internal=False) is None
    assert routes.match("/a/x", internal=False) is not None

    routes.replace([Target(path="/b", function="one")])
    assert routes.match("/b", internal=False) is not None
    assert routes.match("/a/x", internal=False) is None
