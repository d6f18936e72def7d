"""``/_dynimo/apps``: apps are uploaded, listed and removed here, with the data folder's key.

Only HTTP: what deploying means is given as callables. All else goes on to the next Handler.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

from dynimo.model.errors import DynimoError
from dynimo.web.message import Handler, Headers, Request, Response

PREFIX = "/_dynimo/apps"
KEY_HEADER = "x-dynimo-key"
ALIAS = "live"
"""The alias by which an app's routes lead to its functions."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SHARE = re.compile(r"([A-Za-z0-9-_]{1,128})=(\d{1,3}(?:\.\d+)?)%?")
log = logging.getLogger("dynimo")


class Deployer(Protocol):
    """Who does the work."""

    def listing(self) -> Sequence[dict[str, Any]]:
        """Every app."""

    async def deploy_zip(
        self, name: str, data: bytes, *, share: float | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        """Deploy a zipped folder. Raises DynimoError."""

    async def remove(self, name: str) -> dict[str, Any]:
        """Take an app away. Raises DynimoError."""


class AppsAdmin:
    """Answers the apps' paths itself and leaves the rest to ``following``."""

    def __init__(self, following: Handler, deployer: Deployer, key: str) -> None:
        self._following = following
        self._deployer = deployer
        self._key = key.encode()

    def is_upload(self, request: Request) -> bool:
        """Whether a request may carry a zip: only one with the key may be large."""
        return is_upload(request, self._key)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not _ours(request.path):
            return await self._following(request)
        if not self._allowed(request):
            return _problem(403, "key", f"{KEY_HEADER} must be the key in the data folder.")
        name = request.path.removeprefix(PREFIX).removeprefix("/")
        if not name:
            if request.method != "GET":
                return _problem(405, "method", "List the apps with GET.", allow="GET")
            return _json(200, {"apps": list(self._deployer.listing())})
        if not _NAME.fullmatch(name):
            return _problem(400, "name", f"{name[:100]!r} is no name of an app.")
        if request.method not in {"PUT", "DELETE"}:
            return _problem(405, "method", "PUT a zip, or DELETE.", allow="PUT, DELETE")
        try:
            return _json(200, await self._done(name, request))
        except DynimoError as error:
            return _problem(error.status, error.code, str(error))
        except OSError as error:
            log.exception("deploying %s failed", name)
            return _problem(500, "disk", f"{error.strerror}; nothing was changed.")

    async def _done(self, name: str, request: Request) -> dict[str, Any]:
        if request.method == "DELETE":
            return await self._deployer.remove(name)
        asked = parse_qs(request.query)
        share = _share(asked.get("share", [""])[0])
        dry_run = asked.get("dry_run", ["0"])[0] not in {"", "0", "false"}
        return await self._deployer.deploy_zip(name, request.body, share=share, dry_run=dry_run)

    def _allowed(self, request: Request) -> bool:
        return _allowed(request, self._key)


class _BadShare(DynimoError):
    """The share cannot be used."""

    status = 400
    code = "InvalidParameterValueException"


def _share(text: str) -> float | None:
    """``live=10`` as 0.1; None for all of the calls. Raises _BadShare."""
    if not text:
        return None
    match = _SHARE.fullmatch(text)
    if match is None or not 0 < float(match[2]) <= 100:
        raise _BadShare(f"{text[:200]!r} must be NAME=PERCENT, as in {ALIAS}=10.")
    if match[1] != ALIAS:
        raise _BadShare(f"An app's routes lead to the alias {ALIAS!r}, and not to {match[1]!r}.")
    return None if float(match[2]) == 100 else float(match[2]) / 100


def is_upload(request: Request, key: bytes) -> bool:
    """Whether a request to a platform with this key may carry a zip."""
    return request.method == "PUT" and _ours(request.path) and _allowed(request, key)


def _allowed(request: Request, key: bytes) -> bool:
    return hmac.compare_digest(request.headers.get(KEY_HEADER).encode(), key)


def _ours(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")


def _json(status: int, value: Any) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=status, headers=headers, body=json.dumps(value).encode())


def _problem(status: int, error: str, message: str, *, allow: str = "") -> Response:
    response = _json(status, {"error": error, "message": message})
    if allow:
        response.headers.set("allow", allow)
    return response
