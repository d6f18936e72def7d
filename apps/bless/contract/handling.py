"""From a handler's arguments to an `Issuer`: BLESS's hooks for tests, one CA for a process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from contract import options
from contract.authority import Authority
from contract.boto import Boto, warm
from contract.issuing import Issuer
from dynimo.sdk.settings import settings

CONFIG_NAME = "bless_deploy.cfg"
REGION_DEFAULT = "us-west-2"
"""BLESS's, where ``AWS_REGION`` is not set."""

_HERE = Path(__file__).resolve().parents[1]
_KEPT: list[Issuer] = []
_LOCK = threading.Lock()

warm()


def issuer(password: bytes | None = None, config_file: str | None = None) -> Issuer:
    """The CA of this process, loaded on first use; with a hook a new one.

    Raises:
        ValueError: the configuration cannot be used.
        OSError: the CA's private key file is not there.
    """
    if password is not None or config_file is not None:
        return _loaded(Path(config_file) if config_file else _config(), password)
    with _LOCK:
        if not _KEPT:
            _KEPT.append(_loaded(_config(), None))
        return _KEPT[0]


def _loaded(config: Path, password: bytes | None) -> Issuer:
    own = {str(name): str(value) for name, value in _table("environment").items()}
    os.environ.update({name: own[name] for name in own if name.startswith("AWS_")})  # for boto3
    read = options.load(config, os.environ.get("AWS_REGION", REGION_DEFAULT), {**os.environ, **own})
    return Issuer(Authority(read, Boto(read.region), password))


def _config() -> Path:
    """What ``[apps.bless] config`` names; else BLESS's place, where a zip has it."""
    named = settings().get("config")
    if named:
        return Path(str(named))
    place = Path.cwd() / CONFIG_NAME
    return place if place.is_file() else _HERE / CONFIG_NAME


def _table(name: str) -> dict[str, object]:
    found = settings().get(name, {})
    return found if isinstance(found, dict) else {}
