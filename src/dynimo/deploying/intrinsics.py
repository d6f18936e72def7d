"""CloudFormation's intrinsic functions, carried out on a template's tree.

Ref and GetAtt ask the ``Scope``; Sub, Join, Select, Split, FindInMap, Base64, and the functions of
conditions (If, Equals, And, Or, Not) need nobody. What a resource is, is not known here.

Source: AWS CloudFormation user guide, "Intrinsic function reference".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynimo.deploying.template import Table

NO_VALUE = object()
"""What ``AWS::NoValue`` becomes: the property is as if it were not there."""
_SUB = re.compile(r"\$\{(!?)([^}]+)\}")


class Unresolved(Exception):
    """A value that cannot be known here; the text says which."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean. ``lookup`` takes (name, attribute or empty) and may raise Unresolved."""

    lookup: Callable[[str, str], Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)


def resolved(value: Any, scope: Scope) -> Any:
    """``value`` with its intrinsic functions carried out.

    Raises:
        Unresolved: one of them cannot be.
    """
    if isinstance(value, list):
        items = [resolved(each, scope) for each in value]
        return [each for each in items if each is not NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref" or name.startswith("Fn::"):
            return _called(name, argument, scope)
    table = Table(getattr(value, "line", 0))
    table.lines = getattr(value, "lines", {})
    for key, each in value.items():
        inner = resolved(each, scope)
        if inner is not NO_VALUE:
            table[key] = inner
    return table


def holds(name: str, scope: Scope, *, within: tuple[str, ...] = ()) -> bool:
    """Whether the condition of this name is true. ``within`` are those that asked for it.

    Raises:
        Unresolved: there is none, it depends on itself, or on what cannot be known here.
    """
    if name in within:
        raise Unresolved(f"condition {name} depends on itself")
    if name not in scope.conditions:
        raise Unresolved(f"there is no condition {name!r}")
    return _true(scope.conditions[name], scope, (*within, name))


def _true(value: Any, scope: Scope, within: tuple[str, ...] = ()) -> bool:
    """A condition as it stands in a template."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise Unresolved(f"{value!r} is no condition")
    name, argument = next(iter(value.items()))
    if name == "Condition":
        return holds(str(argument), scope, within=within)
    parts = argument if isinstance(argument, list) else [argument]
    if name == "Fn::Equals" and len(parts) == 2:
        before, after = (resolved(each, scope) for each in parts)
        return str(before) == str(after)
    if name == "Fn::Not" and len(parts) == 1:
        return not _true(parts[0], scope, within)
    if name == "Fn::And":
        return all(_true(each, scope, within) for each in parts)
    if name == "Fn::Or":
        return any(_true(each, scope, within) for each in parts)
    raise Unresolved(f"{name} is no condition that is known here")


def _called(name: str, argument: Any, scope: Scope) -> Any:
    if name == "Ref":
        return scope.lookup(str(argument), "")
    if name == "Fn::Sub":
        return _sub(argument, scope)
    if name == "Fn::GetAtt" and isinstance(argument, list) and len(argument) == 2:
        return scope.lookup(str(argument[0]), str(argument[1]))
    if name == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
        return resolved(argument[1 if holds(str(argument[0]), scope) else 2], scope)
    done = resolved(argument, scope)
    try:
        if name == "Fn::Join":
            return str(done[0]).join(str(each) for each in done[1])
        if name == "Fn::Select":
            return done[1][int(done[0])]
        if name == "Fn::Split":
            return str(done[1]).split(str(done[0]))
        if name == "Fn::FindInMap":
            return scope.mappings[done[0]][done[1]][done[2]]
        if name == "Fn::Base64":
            return base64.b64encode(str(done).encode()).decode()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unresolved(f"{name} of {argument!r} fails: {error}") from None
    raise Unresolved(f"{name} is not known here")


def _sub(argument: Any, scope: Scope) -> str:
    own: Mapping[str, Any] = {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], Mapping):
        argument, own = argument[0], resolved(argument[1], scope)

    def found(match: re.Match[str]) -> str:
        literal, name = match[1], match[2].strip()
        if literal:
            return f"${{{name}}}"
        if name in own:
            return str(own[name])
        resource, _, attribute = name.partition(".")
        return str(scope.lookup(resource, attribute))

    return _SUB.sub(found, str(argument))
