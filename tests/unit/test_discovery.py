"""Which apps are served: those that come along wait for settings where they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo import discovery

MANIFEST = "name = 'shop'\nopt_in = true\n[functions.a]\nhandler = 'a.b'\n"


def test_an_app_that_waits_for_settings_is_served_only_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its table only the name counts; whoever asks for all apps gets it too."""
    (tmp_path / "app.toml").write_text(MANIFEST)
    monkeypatch.setattr(discovery, "_brought", lambda: [tmp_path])
    assert discovery.apps([], {}) == []
    assert [app.name for app in discovery.apps([], {"shop": {}})] == ["shop"]
    assert [app.name for app in discovery.apps([])] == ["shop"]


def test_an_app_that_is_named_at_start_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who names its folder wants it."""
    (tmp_path / "app.toml").write_text(MANIFEST)
    monkeypatch.setattr(discovery, "_brought", list)
    assert [app.name for app in discovery.apps([str(tmp_path)], {})] == ["shop"]
