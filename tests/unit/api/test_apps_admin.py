"""The apps' paths: only with the key, only what they know, and a refusal in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynimo.api.apps_admin import AppsAdmin
from dynimo.model.errors import DeployError
from dynimo.web.message import Headers, Request, Response


class Deployer:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def listing(self) -> list[dict[str, Any]]:
        return [{"name": "shop"}]

    async def deploy_zip(
        self, name: str, data: bytes, *, share: float | None = None, dry_run: bool = False
    ) -> dict[str, Any]:
        if data == b"bad":
            raise DeployError("Its code is bad.")
        self.asked.append((name, data, share, dry_run))
        return {}

    async def remove(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        return {}


async def _following(request: Request) -> Response:
    return Response(status=299)


def _request(method: str, target: str, body: bytes = b"", key: str = "key") -> Request:
    path, _, query = target.partition("?")
    headers = Headers([("x-dynimo-key", key)])
    return Request(method=method, path=path, query=query, headers=headers, body=body)


@pytest.mark.parametrize(
    ("query", "share", "dry_run"),
    [
        ("", None, False),
        ("?dry_run=1", None, True),
        ("?dry_run=0", None, False),
        ("?share=live%3D10", 0.1, False),
        ("?share=live=12.5%25&dry_run=1", 0.125, True),
        ("?share=live=100", None, False),
    ],
)
async def test_a_zip_is_handed_on_with_what_was_asked(
    query: str, share: float | None, *, dry_run: bool
) -> None:
    deployer = Deployer()
    admin = AppsAdmin(_following, deployer, "key")
    answer = await admin(_request("PUT", f"/_dynimo/apps/shop{query}", b"zip"))
    assert answer.status == 200
    assert deployer.asked == [("shop", b"zip", share, dry_run)]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_request("GET", "/_dynimo/apps"), 200),
        (_request("GET", "/_dynimo/appsx"), 299),
        (_request("GET", "/_dynimo/statistics"), 299),
        (_request("GET", "/_dynimo/apps", key="other"), 403),
        (_request("PUT", "/_dynimo/apps/shop", key=""), 403),
        (_request("DELETE", "/_dynimo/apps/shop", key="é"), 403),
        (_request("POST", "/_dynimo/apps"), 405),
        (_request("GET", "/_dynimo/apps/shop"), 405),
        (_request("PUT", "/_dynimo/apps/a/b"), 400),
        (_request("PUT", "/_dynimo/apps/shop?share=live=101"), 400),
        (_request("PUT", "/_dynimo/apps/shop?share=beta=10"), 400),
        (_request("PUT", "/_dynimo/apps/shop", b"bad"), 400),
    ],
)
async def test_what_is_answered_how(request_: Request, status: int) -> None:
    deployer = Deployer()
    assert (await AppsAdmin(_following, deployer, "key")(request_)).status == status
    assert deployer.asked == []


async def test_a_refusal_says_why() -> None:
    admin = AppsAdmin(_following, Deployer(), "key")
    answer = await admin(_request("PUT", "/_dynimo/apps/shop", b"bad"))
    assert json.loads(answer.body)["message"].endswith("Its code is bad.")


@pytest.mark.parametrize(
    ("method", "path", "key", "large"),
    [
        ("PUT", "/_dynimo/apps/shop", "key", True),
        ("PUT", "/_dynimo/apps/shop", "other", False),
        ("GET", "/_dynimo/apps/shop", "key", False),
        ("PUT", "/anything", "key", False),
    ],
)
def test_only_who_has_the_key_may_send_much(
    method: str, path: str, key: str, *, large: bool
) -> None:
    admin = AppsAdmin(_following, Deployer(), "key")
    assert admin.is_upload(_request(method, path, key=key)) is large
