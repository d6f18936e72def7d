"""What a route adds to an answer: CORS, compression, redirects, texts; and what it never does."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from dynimo import testing
from dynimo.gateway import encoding
from dynimo.gateway.gateway import Gateway
from dynimo.gateway.routes import Routes, Target
from dynimo.model.invocation import HttpReply, Invocation, Outcome
from dynimo.web.message import Headers, Request, Response

TEXT = b"a text that is said over and over. " * 100
PLAIN = (("content-type", "text/plain"),)


class Function:
    """An Invoke that always answers the same, and keeps what it was asked."""

    def __init__(
        self, body: bytes = TEXT, headers: tuple[tuple[str, str], ...] = PLAIN, status: int = 200
    ) -> None:
        self.reply = HttpReply(status=status, headers=headers, body=body)
        self.asked: list[Invocation] = []

    async def __call__(self, invocation: Invocation) -> Outcome:
        self.asked.append(invocation)
        return Outcome(id=invocation.id, function="f", version="1", reply=self.reply)


async def _ask(
    function: Function, *, method: str = "GET", path: str = "/a", query: str = "",
    headers: dict[str, str] | None = None, **declared: Any,
) -> Response:  # fmt: skip
    answer = {} if declared.keys() & {"text", "status", "redirect"} else {"function": "f"}
    target = Target(**{"path": "/a", **answer, **declared})
    gateway = Gateway(Routes([target]), function, testing.VirtualClock())
    pairs = [("host", "x.example"), *(headers or {}).items()]
    request = Request(
        method=method, path=path, query=query, headers=Headers(pairs), peer="192.0.2.1"
    )
    return await gateway(request)


GZIP = {"accept-encoding": "gzip, br"}


async def test_text_is_packed_for_those_who_can_unpack_it() -> None:
    """Caches are told in both cases; a strong ETag becomes weak, for it is not the same bytes."""
    function = Function(headers=(*PLAIN, ("etag", '"1"'), ("vary", "Origin")))
    packed = await _ask(function, compress=True, headers=GZIP)
    plain = await _ask(function, compress=True)

    assert gzip.decompress(packed.body) == TEXT
    assert packed.headers.get("content-encoding") == "gzip"
    assert (packed.headers.get("etag"), plain.headers.get("etag")) == ('W/"1"', '"1"')
    assert packed.headers.get("vary") == plain.headers.get("vary") == "Origin, Accept-Encoding"
    assert plain.body == TEXT


@pytest.mark.parametrize(
    ("function", "asked"),
    [
        (Function(), {"cookie": "a=b"}),
        (Function(), {"authorization": "Bearer x"}),
        (Function(headers=(*PLAIN, ("set-cookie", "a=b"))), {}),
        (Function(headers=(*PLAIN, ("cache-control", "private, max-age=1"))), {}),
        (Function(headers=(*PLAIN, ("cache-control", "no-transform"))), {}),
        (Function(headers=(*PLAIN, ("content-encoding", "br"))), {}),
        (Function(headers=(("content-type", "font/woff2"),)), {}),
        (Function(headers=(("content-type", "text/event-stream"),)), {}),
        (Function(body=b"short"), {}),
        (Function(status=206), {}),
    ],
)
async def test_what_may_hold_a_secret_or_gains_nothing_goes_as_it_is(
    function: Function, asked: dict[str, str]
) -> None:
    """The length of a packed answer tells of what is in it."""
    answer = await _ask(function, compress=True, headers={**GZIP, **asked})

    assert answer.body == function.reply.body
    assert answer.headers.get("content-encoding") != "gzip"


async def test_nothing_is_packed_unless_the_route_says_so() -> None:
    """And then no cache is told that it might be."""
    answer = await _ask(Function(), headers=GZIP)

    assert (answer.body, "vary" in answer.headers) == (TEXT, False)


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("x-gzip", True),
        ("", False), ("br", False), ("gzip;q=0", False), ("gzip;q=0.000, *", False),
        ("*;q=0", False), ("gzip;q=nonsense", False), ("identity", False),
    ],
)  # fmt: skip
def test_accept_encoding_is_read_by_the_rules(accept: str, taken: bool) -> None:  # noqa: FBT001
    """RFC 9110 section 12.5.3; what is malformed takes nothing."""
    assert encoding.takes_gzip(accept) is taken


PAGE = {"origin": "https://page.example"}
ASKS = {**PAGE, "access-control-request-method": "PUT"}


async def test_a_named_origin_is_let_in_and_others_hear_nothing() -> None:
    """The answer varies by Origin either way; a function's own word does not count."""
    function = Function(headers=(*PLAIN, ("access-control-allow-origin", "*")))
    cors: dict[str, Any] = {"cors_origins": (PAGE["origin"],), "cors_expose": ("x-a",)}
    known = await _ask(function, headers=PAGE, cors_credentials=True, **cors)
    strange = await _ask(function, headers={"origin": "https://evil.example"}, **cors)
    without = await _ask(function, **cors)

    assert known.headers.get("access-control-allow-origin") == PAGE["origin"]
    assert known.headers.get("access-control-allow-credentials") == "true"
    assert known.headers.get("access-control-expose-headers") == "x-a"
    for answer in (strange, without):
        assert "access-control-allow-origin" not in answer.headers
    for answer in (known, strange, without):
        assert answer.headers.get("vary") == "Origin"


async def test_a_preflight_is_answered_for_the_method_that_it_asks_about() -> None:
    """Without a call of the function."""
    function = Function()
    cors: dict[str, Any] = {
        "methods": ("PUT",), "cors_origins": ("*",), "cors_headers": ("x-a", "x-b"),
        "cors_seconds": 60,
    }  # fmt: skip
    answer = await _ask(function, method="OPTIONS", headers=ASKS, **cors)

    assert answer.status == 204
    assert answer.headers.get("access-control-allow-origin") == "*"
    assert answer.headers.get("access-control-allow-methods") == "PUT"
    assert answer.headers.get("access-control-allow-headers") == "x-a, x-b"
    assert answer.headers.get("access-control-max-age") == "60"
    assert function.asked == []


async def test_other_preflights_are_the_functions_own() -> None:
    """A route that says nothing about origins leaves all of it to its function."""
    function = Function()
    await _ask(function, method="OPTIONS", headers=ASKS)

    assert len(function.asked) == 1


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/old/a/b%20c", "/new/a/b%20c?q=1"),
        ("/old//evil.example", "/new//evil.example?q=1"),
    ],
)
async def test_a_redirect_takes_along_what_was_caught(path: str, place: str) -> None:
    """As it was written, with the query."""
    answer = await _redirected(path, "/new/{rest}")

    assert (answer.status, answer.headers.get("location")) == (308, place)


async def _redirected(path: str, redirect: str) -> Response:
    target = Target(path="/old/{rest+}", redirect=redirect)
    gateway = Gateway(Routes([target]), Function(), testing.VirtualClock())
    return await gateway(Request(method="GET", path=path, query="q=1"))


@pytest.mark.parametrize("rest", ["/evil.example", "\\evil.example", "/\\/evil.example"])
async def test_no_path_leads_a_redirect_to_another_host(rest: str) -> None:
    """Whatever stands in it."""
    answer = await _redirected(f"/old/{rest}", "/{rest}")

    assert not answer.headers.get("location").startswith(("//", "/\\"))


async def test_a_text_and_a_bare_status_are_answers() -> None:
    """No function is called for them."""
    said = await _ask(Function(), text="hello", content_type="text/x")
    gone = await _ask(Function(), status=410)

    assert (said.status, said.body, said.headers.get("content-type")) == (200, b"hello", "text/x")
    assert (gone.status, gone.body) == (410, b"")


async def test_a_wrong_method_is_a_405_that_names_the_right_ones() -> None:
    """RFC 9110 section 15.5.6."""
    answer = await _ask(Function(), method="DELETE", methods=("GET", "PUT"))

    assert (answer.status, answer.headers.get("allow")) == (405, "GET, PUT")


async def test_an_answer_chosen_by_a_header_says_so() -> None:
    """Or a cache would give one asker's answer to all others."""
    routes = Routes(
        [Target(path="/a", function="f"), Target(path="/a", text="b", headers={"b": "1"})]
    )
    chosen = await Gateway(routes, Function(), testing.VirtualClock())(
        Request(method="GET", path="/a")
    )

    assert chosen.headers.get("vary") == "b"


async def test_only_the_named_headers_reach_the_function() -> None:
    """And the platform's own word about who asks."""
    function = Function()
    given = {"x-a": "1", "x-b": "2", "cookie": "c=d", "user-agent": "u"}
    await _ask(function, headers=given, pass_headers=("x-a",))
    event = function.asked[0].event.decode()

    assert '"x-a":"1"' in event
    assert '"x-forwarded-for":"192.0.2.1"' in event
    for secret in ("x-b", "c=d", '"u"'):
        assert secret not in event


async def test_what_a_pattern_caught_is_in_the_event() -> None:
    """Decoded, as in AWS's events."""
    function = Function()
    gateway = Gateway(
        Routes([Target(path="/u/{user}", function="f")]), function, testing.VirtualClock()
    )
    await gateway(Request(method="GET", path="/u/a%20b"))

    assert b'"pathParameters":{"user":"a b"}' in function.asked[0].event


async def test_an_upstream_that_is_not_set_up_is_named() -> None:
    """With what to do."""
    gateway = Gateway(
        Routes([Target(path="/", upstream="shop")]), Function(), testing.VirtualClock()
    )
    answer = await gateway(Request(method="GET", path="/"))

    assert answer.status == 502
    assert b"[gateway.upstreams]" in answer.body
