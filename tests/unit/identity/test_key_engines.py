"""Which engines the settings give, and what is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.identity.config import Config
from dynimo.identity.keys.engines import engines
from dynimo.identity.vault import Vault
from dynimo.model.errors import ConfigError
from dynimo.ports import Unusable


def test_without_a_token_keys_are_embedded(tmp_path: Path) -> None:
    """Nothing has to be set up."""
    assert [each.name for each in engines(Config(), Vault(tmp_path))] == ["embedded"]


def test_a_token_needs_its_label_and_pin() -> None:
    """Said when the settings are read."""
    with pytest.raises(ValueError, match="key_pin_file"):
        Config(key_module="/lib/token.so", key_token="t")


def test_a_pin_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Before the token is asked, as with the master key."""
    pin = tmp_path / "pin"
    pin.write_text("1234")
    pin.chmod(0o644)

    with pytest.raises(ConfigError, match="may be read by others"):
        engines(_config(pin), Vault(tmp_path))


def test_a_module_that_is_none_is_said_without_the_pin(tmp_path: Path) -> None:
    """The server does not start with another engine than the one that was asked for."""
    pin = tmp_path / "pin"
    pin.write_text("secret-pin")
    pin.chmod(0o600)

    with pytest.raises(ConfigError, match="cannot be used") as caught:
        engines(_config(pin), Vault(tmp_path))

    assert "secret-pin" not in str(caught.value)


def _config(pin: Path) -> Config:
    return Config(key_module=str(pin.parent / "none.so"), key_token="t", key_pin_file=str(pin))


@pytest.mark.parametrize(
    "given",
    [
        {"key_region": "nowhere"},
        {"key_endpoint": "http://127.0.0.1:1"},
        {"key_region": "us-east-1", "key_module": "m", "key_token": "t", "key_pin_file": "p"},
    ],
)
def test_another_kms_needs_a_region_and_is_alone(given: dict[str, str]) -> None:
    """Two engines for new keys would be a guess."""
    with pytest.raises(ValueError, match="key_region"):
        Config(**given)  # type: ignore[arg-type]


def test_a_kms_that_is_not_reached_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of an engine; the server had started."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    config = Config(key_region="us-east-1", key_endpoint="http://127.0.0.1:1")
    first, second = engines(config, Vault(tmp_path))

    assert (first.name, second.name) == ("aws", "embedded")
    with pytest.raises(Unusable, match="cannot be reached"):
        first.make("k", "ECC_NIST_P256", "SIGN_VERIFY")
