"""What a deployment tells an app: its named sources, and its own table of settings.

Read from two environment variables that the platform sets; nothing here reads a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

SOURCES_VARIABLE = "DYNIMO_SOURCES"
SETTINGS_VARIABLE = "DYNIMO_SETTINGS"


def sources() -> Mapping[str, str]:
    """Source name → absolute folder or ``http(s)://`` base address. Empty when none is configured.

    A function gets these only if its table in app.toml says ``sources = true``.
    """
    found: dict[str, str] = json.loads(os.environ.get(SOURCES_VARIABLE, "{}"))
    return found


def settings() -> Mapping[str, Any]:
    """The deployment's ``[apps.NAME]`` table; values listed under ``files`` are absolute paths."""
    found: dict[str, Any] = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
    return found
