"""The function of the HTTP routes: what hosts and clients fetch without any signature.

It reads files that the CA published, and nothing else; it can write none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from dynimo.sdk.context import Context
from dynimo.sdk.http import HttpRequest, Reply, content
from dynimo.sdk.settings import state
from issuing import bundles
from issuing.published import AUDIT_KEY, HEAD, KRL, Published, etag

STALE_SECONDS = 3600
"""For how long the platform's own cache still gives what it has when this function cannot answer:
hosts take nothing older than they have, and one that is new has at least that."""
ASKED_EACH_TIME = (
    ("cache-control", "no-cache"),
    ("dynimo-cache-control", f"max-age=0, stale-if-error={STALE_SECONDS}"),
)
"""What was revoked a moment ago must be in the next answer. So every cache asks anew, with the tag
of what it has (RFC 9111 section 5.2.2.4); ours, which is told apart (RFC 9213), may do without an
answer (RFC 5861)."""
TAG = "ssh-ca"
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"


def handler(event: dict[str, Any], context: Context) -> Reply:
    """Answer a GET of one of the routes."""
    del context
    request = HttpRequest.from_event(event)
    published = Published(Path(state()))
    made = _ROUTES.get(request.path)
    if made is None:
        return _nothing("There is nothing here.")
    try:
        found = made(published, request)
    except ValueError as error:
        return content(f"{error}\n".encode(), _TEXT, status=400)
    if found is None:
        return _nothing("There is no CA here yet: `dynimo ssh init` makes one.")
    data, kind = found
    told = etag(data)
    headers = dict((*ASKED_EACH_TIME, ("etag", told), ("cache-tag", TAG)))
    if told in request.headers.get("if-none-match", ""):
        return Reply(status=304, headers=tuple(headers.items()))
    return content(data, kind, headers=headers)


def _file(name: str, kind: str) -> Callable[[Published, HttpRequest], tuple[bytes, str] | None]:
    def read(published: Published, request: HttpRequest) -> tuple[bytes, str] | None:
        del request
        data = published.read(name)
        return None if data is None else (data, kind)

    return read


def _keys(kind: str) -> Callable[[Published, HttpRequest], tuple[bytes, str] | None]:
    def read(published: Published, request: HttpRequest) -> tuple[bytes, str] | None:
        del request
        told = published.authorities()
        return None if told is None else (
            bundles.keys(told["authorities"], kind).encode(), _TEXT
        )  # fmt: skip

    return read


def _known_hosts(published: Published, request: HttpRequest) -> tuple[bytes, str] | None:
    told = published.authorities()
    domains = parse_qs(request.query).get("domains", ["*"])[-1]
    if told is None:
        return None
    return bundles.known_hosts(told["authorities"], domains).encode(), _TEXT


def _fixed(text: str) -> Callable[[Published, HttpRequest], tuple[bytes, str] | None]:
    return lambda published, request: (text.encode(), _TEXT)  # noqa: ARG005


def _nothing(why: str) -> Reply:
    return content(f"{why}\n".encode(), _TEXT, status=404, headers={"cache-control": "no-store"})


_ROUTES: Mapping[str, Callable[[Published, HttpRequest], tuple[bytes, str] | None]] = {
    "/ssh/krl": _file(KRL, _BYTES),
    "/ssh/ca/user": _keys("user"),
    "/ssh/ca/host": _keys("host"),
    "/ssh/ca/known_hosts": _known_hosts,
    "/ssh/ca/sshd_config": _fixed(bundles.SSHD_CONFIG),
    "/ssh/ca/ssh_config": _fixed(bundles.SSH_CONFIG),
    "/ssh/audit/head": _file(HEAD, "application/json"),
    "/ssh/audit/key": _file(AUDIT_KEY, _TEXT),
}
