"""The operator's filters: in their order, and contained when they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.gateway.filters import Filtered, load
from dynimo.model.errors import ConfigError
from dynimo.web.message import Headers, Request, Response

FILTERS = """\
import asyncio
from dataclasses import replace
from dynimo.web.message import Headers, Request, Response

async def inbound_first(request):
    request.headers.set("x-seen", "first")

async def inbound_second(request):
    if request.path == "/refused":
        return Response(status=403)
    if request.path == "/broken":
        raise RuntimeError("secret detail")
    if request.path == "/slow":
        await asyncio.Event().wait()
    if request.path == "/nonsense":
        return 5
    return replace(request, path=request.path + "/" + request.headers.get("x-seen"))

async def endpoint(request):
    if request.path == "/own/first":
        return Response(body=b"own")

async def outbound(request, response):
    response.headers.set("x-out", "1")

async def helper(request):
    raise AssertionError
"""


def _filtered(tmp_path: Path, asked: list[Request]) -> Filtered:
    file = tmp_path / "filters.py"
    file.write_text(FILTERS)

    async def following(request: Request) -> Response:
        asked.append(request)
        headers = [("dynimo-forward", "/x")] if request.path == "/forward/first" else []
        return Response(headers=Headers(headers), body=request.path.encode())

    return Filtered(following, load(file), seconds=0.05)


@pytest.mark.parametrize(
    ("path", "status", "body", "out"),
    [
        ("/a", 200, b"/a/first", "1"),
        ("/own", 200, b"own", "1"),
        ("/refused", 403, b"", "1"),
        ("/forward", 200, b"/forward/first", ""),
    ],
)
async def test_filters_run_in_their_order(
    tmp_path: Path, path: str, status: int, body: bytes, out: str
) -> None:
    """Inbound may change or answer, endpoint may answer, outbound sees every answer."""
    answer = await _filtered(tmp_path, [])(Request(method="GET", path=path))

    assert (answer.status, answer.body, answer.headers.get("x-out")) == (status, body, out)


@pytest.mark.parametrize("path", ["/broken", "/slow", "/nonsense"])
async def test_a_filter_that_fails_lets_nothing_pass(tmp_path: Path, path: str) -> None:
    """500, without its inside; it may have been there to refuse."""
    asked: list[Request] = []
    answer = await _filtered(tmp_path, asked)(Request(method="GET", path=path))

    assert (answer.status, asked) == (500, [])
    assert b"secret" not in answer.body


async def test_what_the_edge_asks_itself_is_not_filtered_again(tmp_path: Path) -> None:
    """A forward was decided by a request that had passed."""
    answer = await _filtered(tmp_path, [])(Request(method="GET", path="/refused", internal=True))

    assert (answer.status, answer.headers.get("x-out")) == (200, "1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no async def inbound"),
        ("def inbound(request): pass", "must be async def"),
        ("async def outbound(request): pass", "must be async def(request, response)"),
        ("1 / 0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    """With its name and what is wrong."""
    file = tmp_path / "filters.py"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(file)

    assert said in str(refused.value)
    assert str(file) in str(refused.value)
