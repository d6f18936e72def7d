"""What a handler sees of HTTP: the request event, and the replies that keep bodies as bytes.

Here live the event's reader and the reply constructors. No sockets, no parsing of HTTP itself:
the platform did that. Shapes follow AWS's HTTP API payload format 2.0.
"""

from __future__ import annotations

import json as json_module
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORWARD_HEADER = "dynimo-forward"
"""Names the path that the edge should answer with instead (like nginx's internal redirect)."""
GROUP_HEADER = "dynimo-group"
"""Names what an answer is one form of; another form of it may stand in for one that is missing."""
RANK_HEADER = "dynimo-rank"
"""Where an answer stands in its group: ``400x300``; ``*`` for a number that does not matter."""
FALLBACK_HEADER = "dynimo-fallback"
"""``STEP=PATH STEP=PATH``: what the edge may ask for instead, in this order, or ``none``."""
VARY_HEADER = "dynimo-vary"
"""``NAME=HOW, NAME=HOW``: of a header in Vary only so much matters (``selecting.told_apart``)."""
SAID_HEADER = "dynimo-said"
"""``NAME=VALUE``: a header that the answer to this URL has, whoever else shares the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request, as a handler sees it.

    ``path`` is still percent-encoded, exactly as received; ``query`` has no leading ``?``;
    header names are lower-case and repeated headers are joined by ``,`` (cookies by ``; ``).
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> HttpRequest:
        """Read a payload 2.0 event.

        Raises:
            KeyError: the event is not an HTTP event.
        """
        text = event.get("body") or ""
        headers = event.get("headers", {})
        if event.get("cookies"):  # the format has them beside the headers
            headers = {**headers, "cookie": "; ".join(event["cookies"])}
        return cls(
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            query=event.get("rawQueryString", ""),
            headers=headers,
            body=b64decode(text) if event.get("isBase64Encoded") else text.encode(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer whose body stays bytes from the handler to the client."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = field(default=())
    body: bytes = b""


def content(
    body: bytes, content_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """Answer ``body`` as ``content_type``, with further ``headers`` (lower-case names)."""
    pairs = (("content-type", content_type), *(headers or {}).items())
    return Reply(status=status, headers=pairs, body=body)


def json(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer ``value`` as compact JSON."""
    body = json_module.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return content(body, "application/json", status=status, headers=headers)


def redirect(location: str, *, status: int = 302) -> Reply:
    """Send the client elsewhere."""
    return Reply(status=status, headers=(("location", location),))


def hand_over(path: str, body: bytes, *, content_type: str = "application/json") -> Reply:
    """Let what ``path`` gives answer a POST (or any method but GET and HEAD), told ``body``.

    ``path`` is an internal path, as for ``forward``; it is asked once, by POST, and has nothing of
    the client's request but what ``body`` says. Nothing of it is stored.
    """
    return Reply(headers=((FORWARD_HEADER, path), ("content-type", content_type)), body=body)


def varying(vary: str, apart: Mapping[str, str]) -> list[tuple[str, str]]:
    """Give the headers that say what an answer depended on, as ``forward`` takes it."""
    told = ", ".join(f"{name}={how}" for name, how in apart.items())
    return [(name, value) for name, value in (("vary", vary), (VARY_HEADER, told)) if value]


def forward(
    path: str,
    *,
    max_age: int,
    vary: str = "",
    stale_if_error: int = 0,
    group: str = "",
    rank: str = "",
    fallback: Mapping[str, str] | None = None,
    said: Sequence[tuple[str, str]] = (),
    apart: Mapping[str, str] | None = None,
) -> Reply:
    """Let the edge answer with what ``path`` gives.

    ``path`` is an internal path (with query, if any), routed to a function whose route says
    ``internal = true``; ``max_age`` is how many seconds the edge may keep this decision, and
    ``stale_if_error`` how many more while no new one can be had; ``vary`` names the request headers
    the decision depended on. Where the client's route has a ``fallback``: ``group`` and ``rank``
    say what is wanted, so that its nearest stored form can stand in, and ``fallback`` maps words
    for the header ``Dynimo-Step`` to internal paths that are asked for then, in this order.
    ``apart`` says of headers in ``vary`` that only so much of them mattered, as ``selecting`` gives
    it: ``device``, or the languages, separated by spaces.
    ``said`` are further headers (lower-case names) of the answer to this URL alone; they take the
    place of the object's own.
    """
    kept = f"max-age={max_age}"
    if stale_if_error:
        kept += f", stale-if-error={stale_if_error}"
    headers = [(FORWARD_HEADER, path), ("cache-control", kept)]
    headers += varying(vary, apart or {})
    if group:
        headers += [(GROUP_HEADER, group), (RANK_HEADER, rank)]
    if fallback:
        links = " ".join(f"{step}={target}" for step, target in fallback.items())
        headers.append((FALLBACK_HEADER, links))
    headers += [(SAID_HEADER, f"{name}={value}") for name, value in said]
    return Reply(status=200, headers=tuple(headers))
