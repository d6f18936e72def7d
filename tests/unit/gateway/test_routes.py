"""Which route is a request's: exact, then patterns, then prefixes; hosts first; internal apart."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.gateway.routes import Routes, Target
from dynimo.gateway.shares import Turns
from dynimo.model.errors import DeployError
from dynimo.model.stand_ins import StandIns
from dynimo.sdk.routes import parameter
from dynimo.web.message import Headers, Request

ROUTES = Routes(
    [
        Target(path="/", function="root"),
        Target(path="/a/", function="a", accept=("x/one", "x/two")),
        Target(path="/a/b/", function="ab"),
        Target(path="/a/exact", function="exact"),
        Target(path="/_work/", function="work", internal=True),
    ]
)


def _request(path: str, **asked: object) -> Request:
    headers = Headers([("host", str(asked.pop("host", "x.example")))])
    for name, value in dict(asked.pop("headers", {})).items():  # type: ignore[call-overload]
        headers.add(name, value)
    return Request(method=str(asked.pop("method", "GET")), path=path, headers=headers, **asked)  # type: ignore[arg-type]


def _function(routes: Routes, path: str, **asked: object) -> str | None:
    target = routes.match(_request(path, **asked)).target
    return target.function if target is not None else None


@pytest.mark.parametrize(
    ("path", "function"),
    [("/a/x", "a"), ("/a/b/c", "ab"), ("/a/exact", "exact"), ("/a/exact/", "a"), ("/z", "root")],
)
def test_the_closest_route_wins(path: str, function: str) -> None:
    """Exact paths first, then the longest prefix."""
    assert _function(ROUTES, path) == function


def test_nobody_outside_reaches_an_internal_route() -> None:
    """Internal routes answer the edge only, and the edge reaches nothing else through a forward."""
    assert _function(ROUTES, "/_work/x") is None
    assert _function(ROUTES, "/a/x", internal=True) is None
    assert _function(ROUTES, "/_work/x", internal=True) == "work"


def test_a_path_has_what_stands_in_for_its_answers() -> None:
    """That of the route which serves it; none elsewhere, whatever lies above or below."""
    card = StandIns(content_type="image/png", size=(), bodies=(((1,), b"png"),))
    routes = Routes(
        [
            Target(path="/", function="root"),
            Target(path="/a/", function="a", stand_ins=card),
            Target(path="/a/b/", function="ab"),
        ]
    )
    found = [routes.stand_ins(path) for path in ("/x", "/a/x", "/a/b/x")]
    assert found == [None, card, None]
    assert ROUTES.stand_ins("/a/x") is None


def test_a_path_offers_what_its_route_accepts() -> None:
    """The edge reduces Accept to these."""
    assert ROUTES.offers("/a/x") == ("x/one", "x/two")
    assert ROUTES.offers("/a/b/x") == ()
    assert ROUTES.offers("/_work/x") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"path": "/a/"}, {"path": "/a/"}),
        ({"path": "/a/{x}"}, {"path": "/a/{y}"}),
        ({"path": "/a", "methods": ("GET", "PUT")}, {"path": "/a", "methods": ("PUT", "GET")}),
        ({"path": "/a", "methods": ("GET",)}, {"path": "/a", "methods": ("PUT",), "app": "other"}),
        ({"path": "/a/", "internal": True}, {"path": "/a/", "methods": ("GET",)}),
    ],
)
def test_two_routes_for_the_same_are_refused(
    one: dict[str, object], other: dict[str, object]
) -> None:
    """And no app takes a part of another's path for itself."""
    with pytest.raises(DeployError, match="is wanted by one and two"):
        Routes([Target(**{"function": "one", **one}), Target(**{"function": "two", **other})])  # type: ignore[arg-type]


def test_routes_are_replaced_whole_or_not_at_all() -> None:
    """A refused set changes nothing."""
    routes = Routes([Target(path="/a/", function="one")])
    with pytest.raises(DeployError):
        routes.replace([Target(path="/b", function="one"), Target(path="/b", function="two")])
    assert _function(routes, "/a/x") == "one"

    routes.replace([Target(path="/b", function="one")])
    assert _function(routes, "/a/x") is None
    assert _function(routes, "/b") == "one"


def test_patterns_catch_what_they_stand_for() -> None:
    """One segment that is not empty, or all that is left; as it was written."""
    routes = Routes(
        [
            Target(path="/u/{user}", function="user"),
            Target(path="/u/{user}/files/{path+}", function="files"),
            Target(path="/u/me", function="me"),
        ]
    )

    assert _function(routes, "/u/me") == "me"
    assert routes.match(_request("/u/a%2Fb")).parameters == {"user": "a%2Fb"}
    found = routes.match(_request("/u/me/files/x//y/"))
    assert found.target is not None
    assert (found.target.function, found.parameters) == ("files", {"user": "me", "path": "x//y/"})
    for path in ("/u/", "/u", "/u/a/", "/u/a/files/", "/u//files/x"):
        assert _function(routes, path) is None


def test_a_host_comes_before_a_wildcard_and_that_before_all() -> None:
    """Its port, its case and its last dot do not matter; where it has no route, others answer."""
    routes = Routes(
        [
            Target(path="/", function="all"),
            Target(path="/only", function="only"),
            Target(path="/", host="*.example.com", function="wild"),
            Target(path="/", host="*.b.example.com", function="closer"),
            Target(path="/in/", host="a.example.com", function="one"),
        ]
    )

    assert _function(routes, "/in/x", host="A.example.COM.:8080") == "one"
    assert _function(routes, "/out", host="a.example.com") == "wild"
    assert _function(routes, "/", host="x.y.b.example.com") == "closer"
    assert _function(routes, "/", host="example.com") == "all"
    assert _function(routes, "/", host="[::1]:80") == "all"


def test_methods_and_headers_choose_among_routes_of_one_path() -> None:
    """What asks for more comes first; HEAD goes where GET goes; caches are told by what."""
    routes = Routes(
        [
            Target(path="/a", function="rest"),
            Target(path="/a", methods=("POST",), function="post"),
            Target(path="/a", headers={"x-beta": "1"}, function="beta"),
            Target(path="/a", headers={"x-any": "*"}, methods=("GET",), function="some"),
        ]
    )

    assert _function(routes, "/a", method="POST") == "post"
    assert _function(routes, "/a", headers={"x-beta": "1"}) == "beta"
    assert _function(routes, "/a", headers={"x-beta": "2"}) == "rest"
    assert _function(routes, "/a", headers={"x-any": ""}, method="HEAD") == "some"
    assert set(routes.match(_request("/a")).vary) == {"x-beta", "x-any"}


def test_what_another_method_would_find_is_told() -> None:
    """For 405; a less particular route that fits comes first."""
    only = [Target(path="/a", methods=("PUT", "POST"), function="put")]

    assert Routes(only).match(_request("/a")).allowed == ("POST", "PUT")
    assert _function(Routes([*only, Target(path="/", function="root")]), "/a") == "root"


SEGMENT = st.sampled_from(["a", "b", "{x}", "{y}"])
PATTERN = st.builds(
    lambda parts, end: "/" + "/".join([*dict.fromkeys(parts), *end]),
    st.lists(SEGMENT, max_size=3, unique=True),
    st.sampled_from([[""], ["a"], ["{rest+}"], ["c"]]),
)
TARGET = st.builds(
    lambda path, host, methods, headers: Target(
        path=path, host=host, methods=methods, headers=headers
    ),
    PATTERN,
    st.sampled_from(["", "", "h", "*.h"]),
    st.sampled_from([(), (), ("GET",), ("POST",)]),
    st.sampled_from([None, None, {"p": "1"}, {"p": "1", "q": "*"}]),
)


def _rank(target: Target) -> tuple[object, ...]:
    kinds = []
    for segment in target.path.split("/")[1:]:
        found = parameter(segment)
        kinds.append(3 if segment == "" else 0 if found is None else 2 if found[1] else 1)
    hosts = 2 if not target.host else 1 if target.host.startswith("*") else 0
    return (hosts, kinds, -len(target.headers or ()), not target.methods)


def _naive(targets: list[Target], request: Request) -> Target | None:
    """Look at every route: the slow way, which cannot be wrong in the same way."""
    host = request.headers.get("host")
    fitting = []
    for target in targets:
        pattern = re.sub(r"\{\w+\+\}", ".+", target.path)
        pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
        path_fits = re.fullmatch(pattern + (".*" if pattern.endswith("/") else ""), request.path)
        wild = target.host.startswith("*")
        host_fits = target.host in ("", host) or (wild and host.endswith(target.host[1:]))
        wanted = (target.headers or {}).items()
        headers_fit = all(
            k in request.headers and v in ("*", request.headers.get(k)) for k, v in wanted
        )
        if (
            path_fits
            and host_fits
            and headers_fit
            and request.method in (target.methods or ("GET", "POST"))
        ):
            fitting.append(target)
    return min(fitting, key=_rank, default=None)


@given(
    targets=st.lists(TARGET, max_size=12, unique_by=lambda each: each.identity),
    path=st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=5).map("/".join),
    host=st.sampled_from(["h", "x.h", "z"]),
    method=st.sampled_from(["GET", "POST"]),
    headers=st.dictionaries(st.sampled_from(["p", "q"]), st.sampled_from(["1", "2"])),
)
def test_the_tree_finds_what_looking_at_every_route_finds(
    targets: list[Target], path: str, host: str, method: str, headers: dict[str, str]
) -> None:
    """For any routes and any request."""
    request = _request(f"/{path}", host=host, method=method, headers=headers)

    assert Routes(targets).match(request).target == _naive(targets, request)


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 20), min_size=1, max_size=5).filter(
        lambda weights: sum(weights.values()) > 0
    )
)
def test_weights_are_exact_and_evenly_spread(weights: dict[str, int]) -> None:
    """Over a cycle exactly; at no time is one a whole turn off for each of the others."""
    turns, total, seen = Turns(weights), sum(weights.values()), Counter[str]()
    for turn in range(1, 2 * total + 1):
        seen[turns.take()] += 1
        for name, weight in weights.items():
            assert abs(seen[name] - turn * weight / total) < len(weights)

    assert {name: seen[name] for name in weights} == {k: 2 * v for k, v in weights.items()}


def test_functions_of_one_route_take_turns() -> None:
    """A route with weights leads where its turn is."""
    routes = Routes([Target(path="/a", weights={"one": 3, "two": 1})])
    target = routes.match(_request("/a")).target
    assert target is not None

    assert Counter(routes.function(target) for _ in range(40)) == {"one": 30, "two": 10}
