"""Builds a declared value from a TOML table: unknown keys and wrong kinds are refused by name.

Knows no key of any table; what a value means is checked by whoever declares it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

_Declared = TypeVar("_Declared")
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "tuple[str, ...]": ((list,), "a list of texts"),
    "tuple[str, ...] | None": ((list,), "a list of texts"),
    "Mapping[str, str] | None": ((dict,), "a table of texts"),
    "Mapping[str, int] | None": ((dict,), "a table of whole numbers"),
}


class ManifestError(ValueError):
    """The app's app.toml cannot be used; the message names file, place and reason."""


def declared(kind: type[_Declared], table: object, where: str) -> _Declared:
    """Build ``kind``, a dataclass, from a table.

    Raises:
        ManifestError: the table has an unknown key, or one of the wrong kind, or lacks one.
    """
    if not isinstance(table, dict):
        raise ManifestError(f"{where} must be a table")
    kinds = {each.name: str(each.type) for each in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in kinds:
            raise ManifestError(f"{where} unknown key {key!r}; allowed: {', '.join(kinds)}")
        values[key] = _checked(kinds[key], value, f"{where} {key}")
    try:
        return kind(**values)
    except TypeError as error:
        lacking = str(error).rpartition(": ")[2]  # Python's words end with the names
        raise ManifestError(f"{where} lacks {lacking}") from None


def _checked(kind: str, value: object, where: str) -> object:
    types, wanted = _KINDS[kind]
    if not _fits(value, types):
        raise ManifestError(f"{where} = {value!r} must be {wanted}")
    if isinstance(value, list | dict):
        members = value.values() if isinstance(value, dict) else value
        inner: tuple[type, ...] = (int,) if "int" in kind else (str,)
        if not all(_fits(each, inner) for each in members):
            raise ManifestError(f"{where} must be {wanted}")
    return tuple(value) if isinstance(value, list) else value


def _fits(value: object, types: tuple[type, ...]) -> bool:
    """Bool is an int to Python; ``limit = true`` is still a mistake."""
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)
