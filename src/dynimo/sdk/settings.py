"""What a deployment tells an app: its named sources, and its own table of settings.

Read from environment variables that the platform sets; nothing here reads a file.
"""

from __future__ import annotations

import functools
import json
import os
import types
from collections.abc import Mapping
from typing import Any

SOURCES_VARIABLE = "DYNIMO_SOURCES"
SETTINGS_VARIABLE = "DYNIMO_SETTINGS"
DEVELOPMENT_VARIABLE = "DYNIMO_DEVELOPMENT"
STATE_VARIABLE = "DYNIMO_STATE"


def sources() -> Mapping[str, str]:
    """Source name → absolute folder or ``http(s)://`` base address. Empty when none is configured.

    A function gets these only if its table in app.toml says ``sources = true``.
    """
    return _read(os.environ.get(SOURCES_VARIABLE, "{}"))


def settings() -> Mapping[str, Any]:
    """The deployment's ``[apps.NAME]`` table; values listed under ``files`` are absolute paths."""
    found: dict[str, Any] = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
    return found


def state() -> str:
    """The path of the app's own folder, kept for it (``state`` in app.toml).

    Raises:
        LookupError: this function has none; an app that was uploaded never has.
    """
    path = os.environ.get(STATE_VARIABLE)
    if not path:
        raise LookupError(
            "This function has no state: its table in app.toml must say state = 'read' or 'write',"
            " and its app must come with the server or be named with --app."
        )
    return path


def development() -> bool:
    """Whether the server listens on loopback only, as on a developer's machine.

    A proxy on the same machine may still lead strangers there: what must hold for them needs a
    setting of the app's own.
    """
    return os.environ.get(DEVELOPMENT_VARIABLE) == "1"


@functools.lru_cache(maxsize=1)
def _read(text: str) -> Mapping[str, str]:
    """A function asks with every request, and is always told the same."""
    return types.MappingProxyType(json.loads(text))
