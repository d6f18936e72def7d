"""Many pictures in one answer: what was decided of each, and the answer that they make.

The Preprocessor writes the list, the Generator reads it: so who makes pictures needs no rule and
no key. What may be asked for is decided before (``derive``). The answer is ``multipart/mixed``
(RFC 2046, 5.1.3): one part a variant, in their order.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import recipe as recipes
import refusals
import replies
from dynimo.sdk import http

TARGET = f"{recipes.PREFIX}_many"
"""The internal path that makes them."""
ANSWER_BYTES_MAX = 5 << 20
"""All parts together: what a function may answer, less what frames them."""
_KEPT = ("content-type", "etag", "last-modified", "cache-control")

Make = Callable[[http.HttpRequest, recipes.Recipe, int], http.Reply]
"""Makes one picture; the number says how many others need the same source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One variant: the ``address`` where it is to be had alone, and its ``recipe``'s path.

    ``refused`` is the answer where there can be no recipe.
    """

    address: str
    recipe: str = ""
    refused: http.Reply | None = None


def write(parts: Iterable[Part]) -> bytes:
    """Write parts down."""
    return json.dumps(list(map(_told, parts)), separators=(",", ":")).encode()


def read(body: bytes) -> list[Part]:
    """Read back what ``write`` wrote.

    Raises:
        Refusal: 404; that is none.
    """
    try:
        return list(map(_part, json.loads(body)))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise refusals.not_found() from None


def answer(body: bytes, make: Make) -> http.Reply:
    """Answer with all parts; one that cannot be made has its own status.

    Raises:
        Refusal: 404; the body is no list of parts.
    """
    boundary = secrets.token_hex(16)
    lines = [
        piece
        for address, reply in _made(read(body), make)
        for piece in (f"--{boundary}\r\n".encode(), _head(address, reply), reply.body, b"\r\n")
    ]
    return http.content(
        b"".join((*lines, f"--{boundary}--\r\n".encode())),
        f"multipart/mixed; boundary={boundary}",
        headers={"cache-control": "no-store"},
    )


def _made(parts: list[Part], make: Make) -> Iterable[tuple[str, http.Reply]]:
    """Make one after another, as long as there is room."""
    left = ANSWER_BYTES_MAX
    plain = http.HttpRequest(method="GET", path="", query="", headers={})
    for others, part in zip(reversed(range(len(parts))), parts, strict=True):
        try:
            reply = part.refused or make(plain, recipes.parse(part.recipe), others)
            if len(reply.body) > left:
                raise refusals.Refusal(413, "too_much", "no room for it in one answer; ask for it")
        except refusals.Refusal as refusal:
            reply = replies.refused(refusal)
        left -= len(reply.body)
        yield part.address, reply


def _head(address: str, reply: http.Reply) -> bytes:
    """Print a part's header lines, and the empty one behind them."""
    lines = [f"content-location: {address}", f"status: {reply.status}"]
    lines += [f"{name}: {value}" for name, value in reply.headers if name in _KEPT]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _told(part: Part) -> dict[str, Any]:
    refused = part.refused
    if refused is None:
        return {"address": part.address, "recipe": part.recipe}
    kept = [pair for pair in refused.headers if pair[0] in _KEPT]
    told = {"status": refused.status, "headers": kept, "body": refused.body.decode()}
    return {"address": part.address, "refused": told}


def _part(told: Any) -> Part:
    refused = told.get("refused")
    if refused is None:
        return Part(address=str(told["address"]), recipe=str(told["recipe"]))
    reply = http.Reply(
        status=int(refused["status"]),
        headers=tuple((str(name), str(value)) for name, value in refused["headers"]),
        body=refused["body"].encode(),
    )
    return Part(address=str(told["address"]), refused=reply)
