"""What functions get because their app was chosen at the start, and of its table of settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynimo.assembly.apps import Apps
from dynimo.assembly.chosen import Chosen
from dynimo.model.errors import InitError
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.ports import State
from dynimo.registry import apps as published
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app
from dynimo.settings import Settings

STATES = Path("/states")
HAVE = {"SHOP_KEY": "s3cret", "OTHER": "not asked for"}
MANIFEST = """
name = "shop"
[functions.hello]
handler = "hello.handler"
inherit = ["SHOP_KEY", "SHOP_SALT"]
state = "write"
[[functions.hello.permissions]]
actions = ["kms:Sign"]
resources = ["*"]
[functions.other]
handler = "hello.handler"
settings = ["limits", "unset"]
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
    return Apps(chosen, folder, registry, Place(), HAVE, STATES.joinpath)


def test_a_function_sees_what_it_asks_for_and_what_is_set(registry: Registry, folder: Path) -> None:
    """No other function does, no other variable is seen, and no version holds the value."""
    apps = served(registry, folder)
    hello, other = (apps.versions[f"shop-{name}"] for name in ("hello", "other"))
    given = apps.deployment(hello)

    assert given.own["SHOP_KEY"] == "s3cret"
    assert not {"SHOP_SALT", "OTHER"} & given.own.keys()
    assert "SHOP_KEY" not in apps.deployment(other).own
    assert "s3cret" not in repr((hello, given))


def test_a_function_has_the_state_and_the_role_that_it_asks_for(
    registry: Registry, folder: Path
) -> None:
    """Another function of the app has neither."""
    apps = served(registry, folder)
    hello, other = (apps.versions[f"shop-{name}"] for name in ("hello", "other"))
    assert apps.deployment(hello).state == State(folder=STATES / "shop", writable=True)
    assert apps.deployment(other).state is None
    assert (apps.chosen.role(hello), apps.chosen.role(other)) == ("apps/shop-hello", "")
    assert json.loads(apps.chosen.roles()["apps/shop-hello"])["Statement"] == [
        {"Effect": "Allow", "Action": ["kms:Sign"], "Resource": ["*"]}
    ]


def test_a_state_that_cannot_be_used_is_an_error(registry: Registry, folder: Path) -> None:
    """It never means that the function runs without."""
    apps = served(registry, folder)

    def no(_: str) -> Path:
        raise NotADirectoryError("state/shop is no folder")

    broken = Chosen({}, no)
    hello = apps.versions["shop-hello"]
    broken.add(apps.deployed["shop"].app, hello)
    with pytest.raises(InitError, match="state of the app 'shop'"):
        broken.state(hello)


def _other_handler(version: Version) -> Version:
    changed = replace(version.configuration, handler="os.system")
    return replace(version, configuration=changed)


def _other_place(version: Version) -> Version:
    return replace(version, place=Place("111111111111"))


@pytest.mark.parametrize("change", [_other_handler, _other_place])
def test_what_was_not_chosen_gets_nothing(
    registry: Registry, folder: Path, change: Callable[[Version], Version]
) -> None:
    """The code alone is not what was chosen: configured otherwise it does something else."""
    apps = served(registry, folder)
    changed = change(apps.versions["shop-hello"])
    given = apps.deployment(changed)
    assert "SHOP_KEY" not in given.own
    assert (given.state, apps.chosen.role(changed)) == (None, "")


def test_an_uploaded_app_gets_nothing(registry: Registry, folder: Path) -> None:
    """Who may upload an app must not read what the server was started with."""
    apps = served(registry, folder)
    (folder / "hello.py").write_text("def handler(event, context): return 2\n")
    changed = published.publish(registry, sdk_app.read(folder), Settings().registry)

    given = apps.deployment(changed[0])
    assert "SHOP_KEY" not in given.own
    assert (given.state, apps.chosen.role(changed[0])) == (None, "")


@pytest.mark.parametrize(("host", "seen"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_functions_know_whether_the_server_listens_on_loopback(
    registry: Registry, folder: Path, host: str, *, seen: bool
) -> None:
    """What holds in development only needs to know that it is development."""
    apps = served(registry, folder, host=host)

    assert seen is ("DYNIMO_DEVELOPMENT" in apps.deployment(apps.versions["shop-hello"]).own)


def test_a_function_is_given_the_settings_that_it_names(registry: Registry, folder: Path) -> None:
    """All of the app's table where it names none; of nested tables the whole."""
    table = {"key": "s3cret", "limits": {"most": 3}}
    (folder / "app.toml").write_text(f'{MANIFEST}[functions.last]\nhandler="a.b"\nsettings=[]\n')
    apps = served(registry, folder, apps={"shop": table})
    given = {
        name: json.loads(apps.deployment(apps.versions[f"shop-{name}"]).own["DYNIMO_SETTINGS"])
        for name in ("hello", "other", "last")
    }

    assert given == {"hello": table, "other": {"limits": {"most": 3}}, "last": {}}
