"""Which of the server's own variables an app's functions see, and whose apps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynimo.assembly.apps import Apps
from dynimo.model.names import Place
from dynimo.registry import apps as published
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app
from dynimo.settings import Settings

HAVE = {"SHOP_KEY": "s3cret", "OTHER": "not asked for"}
MANIFEST = """
name = "shop"
[functions.hello]
handler = "hello.handler"
inherit = ["SHOP_KEY", "SHOP_SALT"]
[functions.other]
handler = "hello.handler"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make an app's folder."""
    made = tmp_path / "shop"
    made.mkdir()
    (made / "app.toml").write_text(MANIFEST)
    (made / "hello.py").write_text("def handler(event, context): return 1\n")
    return made


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Open an empty registry."""
    made = Registry(tmp_path / "data", Settings().registry)
    yield made
    made.close()


def served(registry: Registry, folder: Path, **settings: object) -> Apps:
    chosen = Settings(app_folders=(str(folder),), **settings)  # type: ignore[arg-type]
    return Apps(chosen, folder, registry, Place(), HAVE)


def test_a_function_sees_what_it_asks_for_and_what_is_set(registry: Registry, folder: Path) -> None:
    """No other function does, no other variable is seen, and no version holds the value."""
    apps = served(registry, folder)
    hello, other = (apps.versions[f"shop-{name}"] for name in ("hello", "other"))
    given = apps.deployment(hello)

    assert given.own["SHOP_KEY"] == "s3cret"
    assert not {"SHOP_SALT", "OTHER"} & given.own.keys()
    assert "SHOP_KEY" not in apps.deployment(other).own
    assert "s3cret" not in repr((hello, given))


def test_an_uploaded_app_inherits_nothing(registry: Registry, folder: Path) -> None:
    """Who may upload an app must not read what the server was started with."""
    apps = served(registry, folder)
    (folder / "hello.py").write_text("def handler(event, context): return 2\n")
    changed = published.publish(registry, sdk_app.read(folder), Settings().registry)

    assert "SHOP_KEY" not in apps.deployment(changed[0]).own


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_functions_know_whether_the_server_listens_on_loopback(
    registry: Registry, folder: Path, host: str, *, seen: bool
) -> None:
    """What holds in development only needs to know that it is development."""
    apps = served(registry, folder, host=host)

    assert seen is ("DYNIMO_DEVELOPMENT" in apps.deployment(apps.versions["shop-hello"]).own)
