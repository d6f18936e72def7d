"""What this deployment says to the app: its `[apps.images]` table, read once at import.

Two modules read it, `preprocess` and `generate`; everything else takes values. A mistake must
stop the app from starting, with a message that says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import limits as limit_names

KEYS = ("rules", "limits", "private_hosts")


class DeploymentError(ValueError):
    """The `[apps.images]` table has an unknown key or an impossible value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """``rules`` is the path of the rules file, if any.

    ``private_hosts`` are ``host:port`` of source servers that may have private addresses.
    """

    limits: limit_names.Limits
    rules: Path | None
    private_hosts: frozenset[str]


def read(settings: Mapping[str, Any]) -> Deployment:
    """Check the settings.

    Raises:
        DeploymentError: naming the key.
        limits.LimitsError: naming the limit.
    """
    for key in settings:
        if key not in KEYS:
            raise DeploymentError(f"[apps.images] unknown key {key!r}; allowed: {', '.join(KEYS)}")
    rules = settings.get("rules")
    if rules is not None and not isinstance(rules, str):
        raise DeploymentError(f"[apps.images] rules = {rules!r} must be the path of a file")
    hosts = settings.get("private_hosts", [])
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise DeploymentError("[apps.images] private_hosts must be a list of 'host:port'")
    return Deployment(
        limits=limit_names.read(settings.get("limits", {})),
        rules=Path(rules) if rules else None,
        private_hosts=frozenset(host.lower() for host in hosts),
    )
