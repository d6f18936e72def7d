"""An app's functions are staged where nothing leads to them, and committed in one transaction."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.model.errors import DeployError, ResourceNotFound
from dynimo.model.names import Place
from dynimo.registry import apps
from dynimo.registry.apps import LIVE
from dynimo.registry.config import Config
from dynimo.registry.records import AliasRecord, Code
from dynimo.registry.registry import APP_KIND, Registry
from dynimo.sdk.app import Function

PLACE = Place()
ONE, TWO = Code(sha256="1" * 64), Code(sha256="2" * 64)
DECLARED = Function(handler="a.b")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path, Config())


def _commit(registry: Registry, staged: apps.Staged, document: dict[str, object] | None) -> None:
    alias = AliasRecord(name=LIVE, version=staged.record.number, revision="")
    registry.change_app(PLACE, "demo", document, [(staged.function, alias)])


def _again(registry: Registry, tmp_path: Path) -> Registry:
    registry.close()
    return Registry(tmp_path, Config())


def test_what_is_staged_is_led_to_by_the_commit_alone(registry: Registry, tmp_path: Path) -> None:
    staged = apps.stage(registry, PLACE, "demo-x", ONE, DECLARED)
    with pytest.raises(ResourceNotFound):
        registry.resolve(PLACE, "demo-x", LIVE)
    _commit(registry, staged, {"sha256": ONE.sha256})
    registry = _again(registry, tmp_path)
    ((version, _),) = registry.resolve(PLACE, "demo-x", LIVE).choices
    assert version.number == 1
    assert registry.documents.get(APP_KIND, PLACE.account, "", "demo") == {"sha256": ONE.sha256}


def test_unstaging_leaves_no_trace(registry: Registry, tmp_path: Path) -> None:
    new = apps.stage(registry, PLACE, "demo-y", ONE, DECLARED)
    apps.unstage(registry, new)
    assert not registry.exists(PLACE, "demo-y")

    _commit(registry, apps.stage(registry, PLACE, "demo-x", ONE, DECLARED), {})
    changed = apps.stage(registry, PLACE, "demo-x", TWO, DECLARED)
    assert (changed.numbered, changed.made) == (True, False)
    apps.unstage(registry, changed)
    function = _again(registry, tmp_path).function(PLACE, "demo-x")
    assert (list(function.versions), function.latest.code) == ([1], ONE)


def test_an_unchanged_function_keeps_its_version(registry: Registry) -> None:
    _commit(registry, apps.stage(registry, PLACE, "demo-x", ONE, DECLARED), {})
    again = apps.stage(registry, PLACE, "demo-x", ONE, DECLARED)
    assert (again.record.number, again.numbered) == (1, False)
    apps.unstage(registry, again)
    assert registry.exists(PLACE, "demo-x", "1")


def test_a_function_of_somebody_else_is_not_taken(registry: Registry) -> None:
    registry.create(PLACE, "demo-x", apps.configured(DECLARED), ONE)
    with pytest.raises(DeployError, match="belongs to no app"):
        apps.stage(registry, PLACE, "demo-x", TWO, DECLARED)


def test_a_commit_that_fails_moves_nothing(registry: Registry, tmp_path: Path) -> None:
    """One of two aliases cannot be written: neither is, and the function that was to go stays."""
    one = apps.stage(registry, PLACE, "demo-x", ONE, DECLARED)
    _commit(registry, one, {"sha256": "old"})
    two = apps.stage(registry, PLACE, "demo-x", TWO, DECLARED)
    good = AliasRecord(name=LIVE, version=two.record.number, revision="")
    bad = AliasRecord(name=LIVE, version=[], revision="")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="type 'list' is not supported"):
        registry.change_app(PLACE, "demo", {}, [(two.function, good), (two.function, bad)])
    registry = _again(registry, tmp_path)
    assert registry.function(PLACE, "demo-x").aliases[LIVE].version == 1
    assert registry.documents.get(APP_KIND, PLACE.account, "", "demo") == {"sha256": "old"}


def test_an_app_goes_with_its_functions(registry: Registry, tmp_path: Path) -> None:
    staged = apps.stage(registry, PLACE, "demo-x", ONE, DECLARED)
    _commit(registry, staged, {"sha256": ONE.sha256})
    registry.documents.put("tags", PLACE.account, "demo-x", "", {"a": "b"})
    registry.change_app(PLACE, "demo", None, gone=[staged.function])
    assert not registry.exists(PLACE, "demo-x")
    registry = _again(registry, tmp_path)
    assert not registry.exists(PLACE, "demo-x")
    assert list(registry.documents.find(APP_KIND)) == []
    assert list(registry.documents.find("tags")) == []
