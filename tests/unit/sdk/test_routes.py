"""[[routes]]: what can be served is read, what cannot is named."""

from __future__ import annotations

from typing import Any

import pytest

from dynimo.sdk.declaring import ManifestError
from dynimo.sdk.routes import route

ANSWERS: list[dict[str, Any]] = [
    {"function": "f"},
    {"weights": {"f": 9, "g": 1}, "alias": "live"},
    {"upstream": "shop", "timeout_seconds": 5, "pass_headers": ["accept"]},
    {"redirect": "https://example.com/{rest}", "path": "/a/{rest+}", "status": 301},
    {"redirect": "/b/", "path": "/c"},
    {"text": "hello"},
    {"status": 410},
]


@pytest.mark.parametrize("table", ANSWERS)
def test_every_kind_of_answer_is_read(table: dict[str, Any]) -> None:
    """Lists become tuples; nothing is lost."""
    made = route({"path": "/a/", **table}, ["f", "g"])

    for key, value in table.items():
        assert getattr(made, key) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "needs exactly one of function"),
        ({"function": "f", "upstream": "u"}, "needs exactly one of function"),
        ({"function": "f", "weights": {"f": 1}}, "needs exactly one of function"),
        ({"weights": {"f": 0}}, "at least one must be above 0"),
        ({"weights": {"f": True}}, "a table of whole numbers"),
        ({"weights": {"h": 1}}, "no function 'h'; there are: f, g"),
        ({"text": "a", "alias": "live"}, "a function's alias"),
        ({"upstream": "http://x"}, "a name from [gateway.upstreams]"),
        ({"upstream": "u", "timeout_seconds": 0}, "timeout_seconds must be above 0"),
        ({"path": "/a/{x}y", "function": "f"}, "as a whole segment"),
        ({"path": "/a/{x+}/b", "function": "f"}, "{name+} must be the last segment"),
        ({"path": "/{x}/{x}", "function": "f"}, "two parameters have one name"),
        ({"path": "/a b", "function": "f"}, "plain path"),
        ({"path": "/x" * 40, "function": "f"}, "more than 32 segments"),
        ({"host": "A.example", "function": "f"}, "lower-case name"),
        ({"host": "a.example:80", "function": "f"}, "no port"),
        ({"methods": ["get"], "function": "f"}, "'get' is none of GET"),
        ({"headers": {"X-A": "1"}, "function": "f"}, "lower case"),
        ({"internal": True, "methods": ["GET"], "function": "f"}, "an internal route"),
        ({"redirect": "//evil.example"}, "no plain address"),
        ({"redirect": "/\\evil"}, "no plain address"),
        ({"redirect": "ftp://x"}, "must begin with"),
        ({"redirect": "/{x}"}, "must be in path too"),
        ({"redirect": "https://{x}/", "path": "/{x}"}, "no part of the host"),
        ({"redirect": "/b", "status": 200}, "a redirect's status is one of 301"),
        ({"status": 101}, "between 200 and 599"),
        ({"text": "a", "content_type": "a\r\nb"}, "no media type"),
        ({"function": "f", "cors_origins": ["https://a/"]}, "without a path"),
        ({"function": "f", "cors_origins": ["*"], "cors_credentials": True}, "by name"),
        ({"function": "f", "cors_methods": ["GET"]}, "who is let in"),
        ({"function": "f", "cors_origins": ["*"], "cors_seconds": -1}, "cors_seconds must be"),
        ({"function": "f", "kin_after": 33}, "kin_after must be between 0 and 32"),
    ],
)
def test_what_cannot_be_served_is_named(table: dict[str, Any], said: str) -> None:
    """With the path of the route that it is about."""
    with pytest.raises(ManifestError) as refused:
        route({"path": "/a/", **table}, ["f", "g"])

    assert said in str(refused.value)
    assert "[[routes]]" in str(refused.value)


@pytest.mark.parametrize(
    ("after", "path", "kin"),
    [
        (0, "/a/b/c", ""),
        (1, "/a/b/c", "b/c"),
        (2, "/a/b/c", "c"),
        (2, "/a/b/", ""),
        (3, "/a/b/c", ""),
    ],
)
def test_kin_is_the_rest_of_the_path(after: int, path: str, kin: str) -> None:
    """After so many segments; a path that ends before has none."""
    assert route({"path": "/a/", "function": "f", "kin_after": after}, ["f"]).kin(path) == kin
