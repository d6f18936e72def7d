"""Has a template the shape that SAM gives it? Refuses what has not, with its line. Pure.

What is in the right shape may still be wrong; that is the platform's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynimo.deploying.template import Table
from dynimo.model.errors import DeployError

_SECTIONS = ("Globals", "Parameters", "Mappings", "Conditions", "Resources", "Outputs")
_MAPPINGS = frozenset(
    {"Environment", "EphemeralStorage", "LoggingConfig", "SnapStart", "TracingConfig", "Events",
     "FunctionUrlConfig", "DeadLetterQueue", "DeadLetterConfig", "EventInvokeConfig",
     "ProvisionedConcurrencyConfig"}
)  # fmt: skip
_LISTS = frozenset({"Layers", "Architectures"})
_NUMBERS = frozenset(
    {"MemorySize", "Timeout", "ReservedConcurrentExecutions", "ProvisionedConcurrentExecutions"}
)


def check(path: Path, tree: Table) -> None:
    """Refuse sections and Properties that are no mappings.

    Raises:
        DeployError: there is one.
    """
    for key in _SECTIONS:
        if key in tree and not isinstance(tree[key], Table):
            raise DeployError(f"{path}, line {tree.lines[key]}: {key} must be a mapping.")
    for name, resource in tree["Resources"].items():
        if isinstance(resource, Table) and not isinstance(resource.get("Properties", {}), Mapping):
            where = f"{path}, line {resource.lines['Properties']}: {name}.Properties"
            raise DeployError(f"{where} must be a mapping.")


def check_property(table: Table, key: str, value: Any, where: str) -> None:
    """Refuse a property's value that is not of its kind. None, which is absent, is of any.

    Raises:
        DeployError: it is not.
    """
    wanted = _wanted(key, value)
    if value is not None and wanted:
        line = table.lines.get(key, table.line)
        raise DeployError(f"line {line}: {where}.{key} must be {wanted}, not {value!r}.")


def _wanted(key: str, value: Any) -> str:
    """What the value of this property should be, if it is not."""
    if key in _MAPPINGS and not isinstance(value, Mapping):
        return "a mapping"
    if key in _LISTS and not isinstance(value, list):
        return "a list"
    if key in _NUMBERS and not str(value).isdecimal():
        return "a whole number"
    if key == "Tags" and not _tags(value):
        return "a mapping, or a list of Key and Value"
    return ""


def _tags(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, Mapping) and {"Key", "Value"} <= each.keys() for each in value)
    return isinstance(value, Mapping)
