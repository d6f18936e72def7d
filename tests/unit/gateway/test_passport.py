"""The passport is for whoever shows the key; the key goes no further."""

from __future__ import annotations

import re

from dynimo.gateway.passport import CURRENT, PassportControl
from dynimo.model.invocation import Outcome
from dynimo.web.message import Headers, Request, Response


async def _ask(key: str | None) -> tuple[Response, Request]:
    seen: list[Request] = []

    async def following(request: Request) -> Response:
        seen.append(request)
        passport = CURRENT.get()
        if passport is not None:
            passport.stamp("gateway")
            passport.outcome(Outcome(id="i", function="f", version="$LATEST", duration_ms=2.5))
        return Response()

    headers = Headers([("x-dynimo-key", key)] if key is not None else [])
    marked = key is not None
    request = Request(method="GET", path="/", headers=headers, arrived_ns=1, marked=marked)
    return await PassportControl(following, "the key")(request), seen[0]


async def test_the_key_brings_a_passport_with_every_stamp_in_order() -> None:
    """Milliseconds since the head was read; the invocation's own times among them."""
    response, _ = await _ask("the key")
    text = response.headers.get("dynimo-passport")

    assert re.findall(r"([a-z-]+);at=", text) == [
        "parsed", "begun", "gateway", "function", "first-byte",
    ]  # fmt: skip
    assert "name=f;version=LATEST;queue=0.000;environment=0.000;run=2.500;ended=ok" in text
    assert CURRENT.get() is None


async def test_without_the_right_key_there_is_none() -> None:
    """A wrong one is as good as none."""
    for key in (None, "", "the kez", "schlüssel"):
        response, _ = await _ask(key)
        assert "dynimo-passport" not in response.headers


async def test_no_app_learns_the_key() -> None:
    """Functions are strangers; right or wrong, it ends at the door."""
    for key in ("the key", "another"):
        _, request = await _ask(key)
        assert "x-dynimo-key" not in request.headers
