"""What a function of an app may do on the platform, as app.toml declares it.

Read and checked here; who gets it, and how it becomes a policy, is decided by the platform.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynimo.sdk.declaring import ManifestError, declared

PERMISSIONS_MAX = 16
"""Tables of one function."""
WORDS_MAX = 64
"""Actions, or resources, of one table."""
_ACTION = re.compile(r"[a-z][a-z0-9-]{0,30}:[A-Za-z*?]{1,64}")
_RESOURCE = re.compile(r"\*|arn:[\w+=,.@:/*?-]{1,2000}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Actions (``kms:Sign``) that are allowed on resources (ARN patterns, or ``*``)."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


def permissions(tables: object, where: str) -> tuple[Permission, ...]:
    """Read the tables ``[[functions.NAME.permissions]]``. Raises ManifestError."""
    if not isinstance(tables, list) or not 0 < len(tables) <= PERMISSIONS_MAX:
        raise ManifestError(f"{where} permissions must be 1 to {PERMISSIONS_MAX} tables")
    return tuple(_permission(each, f"{where} permissions") for each in tables)


def _permission(table: object, where: str) -> Permission:
    read = declared(Permission, table, where)
    _check(read.actions, _ACTION, f"{where} actions", "'SERVICE:ACTION'")
    _check(read.resources, _RESOURCE, f"{where} resources", "an ARN or '*'")
    return read


def _check(words: tuple[str, ...], pattern: re.Pattern[str], where: str, wanted: str) -> None:
    if not 0 < len(words) <= WORDS_MAX:
        raise ManifestError(f"{where} must be 1 to {WORDS_MAX} texts")
    for word in words:
        if not pattern.fullmatch(word):
            raise ManifestError(f"{where} {word!r} must be {wanted}")
