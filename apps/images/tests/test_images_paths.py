"""Paths: traversal in every encoding, and what is malformed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import paths
import refusals
from dynimo.sdk import http

Ask = Callable[..., http.Reply]

OUTSIDE = [
    "pics/../secret.jpg",
    "pics/%2e%2e/secret.jpg",
    "pics/%2e%2e%2fsecret.jpg",
    "pics/..%2fsecret.jpg",
    "pics/%2E%2E%2Fsecret.jpg",
    "pics/.%2e/secret.jpg",
    "pics/..%5csecret.jpg",
    "pics/..\\secret.jpg",
    "pics/%5c..%5csecret.jpg",
    "pics/%252e%252e%252fsecret.jpg",
    "pics/..%252fsecret.jpg",
    "pics//secret.jpg",
    "pics/./secret.jpg",
    "pics/%2fetc/passwd",
    "pics/sub/../../secret.jpg",
    "pics/....//secret.jpg",
    "pics/..;/secret.jpg",
    "pics/%ef%bc%8e%ef%bc%8e/secret.jpg",
    "pics/link.jpg",
    "pics/linked/secret.jpg",
    "pics/",
    "pics",
    "",
    "/",
    "../pics/in.jpg",
    "%2e%2e/pics/in.jpg",
    "nowhere/in.jpg",
    "pics/sub",
    "pics/in.jpg/more",
    "pics/" + "a" * 300,
]
MALFORMED = [
    "pics/%",
    "pics/%2",
    "pics/%zz.jpg",
    "pics/in.jpg%00",
    "pics/%00/in.jpg",
    "pics/in%0d%0a.jpg",
    "pics/%c0%ae%c0%ae/secret.jpg",
    "pics/%ff.jpg",
    "pics/é.jpg",
    "pics/" + "a" * 5000,
]


@pytest.fixture
def walled(folder: Path) -> Path:
    """Put a file inside and a secret outside, with links from inside to it."""
    (folder / "in.jpg").write_bytes(
        (Path(__file__).parent.parent / "samples/boats.jpg").read_bytes()
    )
    (folder.parent / "secret.jpg").write_bytes((folder / "in.jpg").read_bytes())
    (folder / "sub").mkdir()
    (folder / "link.jpg").symlink_to(folder.parent / "secret.jpg")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "inner.jpg").symlink_to("sub/../in.jpg")
    return folder


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.usefixtures("walled")
def test_nothing_outside_is_reached(path: str, ask: Ask) -> None:
    """What does not exist, or lies outside, is 404, however it is spelled."""
    assert ask(path, "w=8").status == 404


@pytest.mark.parametrize("path", MALFORMED)
@pytest.mark.usefixtures("walled")
def test_malformed_paths_are_refused(path: str, ask: Ask) -> None:
    """Broken escapes, control characters and non-UTF-8 are 400."""
    assert ask(path, "w=8").status == 400


@pytest.mark.usefixtures("walled")
def test_links_within_the_folder_are_followed(ask: Ask) -> None:
    """A link that stays inside is an ordinary file."""
    assert ask("pics/inner.jpg", "w=8").status == 200


@given(st.text(max_size=80))
def test_any_path_is_plain_or_refused(text: str) -> None:
    """Whatever is decoded never goes up and has no control characters."""
    try:
        name, path = paths.split(text)
    except refusals.Refusal as refusal:
        assert refusal.status in (400, 404)
    else:
        assert ".." not in path.split("/")
        assert "\0" not in name + path
        assert paths.split(paths.encode(f"{name}/{path}")) == (name, path)
