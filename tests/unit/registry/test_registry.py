"""Publishing: immutable versions by content, and nothing by halves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynimo.model.errors import DeployError, ResourceNotFound
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry import apps
from dynimo.registry.config import Config
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app

MANIFEST = 'name = "demo"\n[functions.hello]\nhandler = "hello.handler"\npackages = ["x"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "app"
    made.mkdir()
    (made / "app.toml").write_text(MANIFEST)
    (made / "hello.py").write_text("def handler(event, context): return 1\n")
    return made


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "data", Config())


def _publish(registry: Registry, folder: Path, config: Config | None = None) -> tuple[int, str]:
    (version,) = apps.publish(registry, sdk_app.read(folder), config or Config())
    return version.number, version.sha256


def _live(registry: Registry) -> Version:
    ((version, weight),) = registry.resolve(Place(), "demo-hello", "live").choices
    assert weight == 1
    return version


def test_unchanged_content_keeps_its_version(registry: Registry, folder: Path) -> None:
    """Deploying twice changes nothing."""
    assert _publish(registry, folder) == _publish(registry, folder)


def test_changed_content_is_a_new_version_and_the_old_one_stays(
    registry: Registry, folder: Path
) -> None:
    """A version never changes under anybody."""
    _publish(registry, folder)
    before = _live(registry).code
    (folder / "hello.py").write_text("def handler(event, context): return 2\n")

    assert _publish(registry, folder)[0] == 2
    assert "return 1" in (before / "hello.py").read_text()


def test_a_changed_declaration_is_a_new_version(registry: Registry, folder: Path) -> None:
    """What a function may use is part of what it is."""
    _publish(registry, folder)
    (folder / "app.toml").write_text(MANIFEST + "memory_mib = 256\n")

    assert _publish(registry, folder)[0] == 2
    assert _live(registry).configuration.memory_mib == 256


def test_versions_survive_a_restart(tmp_path: Path, folder: Path) -> None:
    """The next process finds the same numbers."""
    first = Registry(tmp_path / "data", Config())
    published = _publish(first, folder)
    first.close()
    second = Registry(tmp_path / "data", Config())

    latest = _live(second)
    assert (latest.number, latest.sha256) == published
    assert latest.configuration.packages == ("x",)


def test_what_is_not_a_plain_file_is_refused(registry: Registry, folder: Path) -> None:
    """A link could point anywhere by the time it is read."""
    (folder / "link").symlink_to("/etc/passwd")

    with pytest.raises(DeployError, match="not a plain file"):
        _publish(registry, folder)


def test_a_folder_over_its_limits_is_refused(tmp_path: Path, folder: Path) -> None:
    """Limits are named in the refusal, and nothing half-copied stays."""
    registry = Registry(tmp_path / "data", Config())

    with pytest.raises(DeployError, match="code_bytes_max"):
        _publish(registry, folder, Config(code_bytes_max=10))
    assert list((tmp_path / "data" / "code").iterdir()) == []


def test_an_unknown_function_is_not_found(registry: Registry) -> None:
    """By name."""
    with pytest.raises(ResourceNotFound, match="function:nobody"):
        registry.resolve(Place(), "nobody")


def test_rubbish_is_not_deployed(registry: Registry, folder: Path) -> None:
    """Caches, hidden files and tests do not change a version."""
    before = _publish(registry, folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "hello.pyc").write_bytes(b"x")
    (folder / ".hidden").write_text("x")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_hello.py").write_text("x")

    assert _publish(registry, folder) == before
    assert sorted(os.listdir(_live(registry).code)) == ["app.toml", "hello.py"]
