"""What a handler sees of a request."""

from __future__ import annotations

from dynimo.gateway import shaping
from dynimo.sdk import http
from dynimo.web.message import Headers, Request


def test_cookies_are_a_header_again() -> None:
    """The event has them beside the headers, one by one; a handler reads them where they were."""
    headers = Headers([("cookie", "a=1; b=2"), ("accept", "x"), ("accept", "y"), ("cookie", "c=3")])
    event = shaping.document(Request(method="GET", path="/a", headers=headers), now=0)
    assert http.HttpRequest.from_event(event).headers["cookie"] == "a=1; b=2; c=3"
    assert http.HttpRequest.from_event(event).headers["accept"] == "x,y"
    del event["cookies"]
    assert "cookie" not in http.HttpRequest.from_event(event).headers
