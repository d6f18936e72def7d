"""A CloudFormation template's text as a tree that knows its lines, and its intrinsic functions.

Here live reading (YAML with AWS's short tags, or JSON) and the resolving of Ref, Sub, GetAtt, Join,
Select, Split and FindInMap. What resources mean is not known here.

Source: AWS CloudFormation user guide, "Intrinsic function reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from dynimo.model.errors import DeployError

TEMPLATE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 50
_SUB = re.compile(r"\$\{(!?)([^}]+)\}")
_SHORT = {"Ref": "Ref", "Condition": "Condition"}


class Unresolved(Exception):
    """A value that cannot be known here; the text says which."""


class Table(dict[str, Any]):
    """A mapping that knows where it and its keys stand (lines from 1)."""

    line = 0

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


NO_VALUE = object()
"""What ``AWS::NoValue`` becomes: the property is as if it were not there."""

Lookup: TypeAlias = Callable[[str, str], Any]
"""(name, attribute or empty) → value; raises Unresolved."""


def read(path: Path) -> Table:
    """The template at ``path`` as tables, lists and texts.

    Raises:
        DeployError: it cannot be read, is too large, or is no template; says the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DeployError(f"{path}: {error.strerror}.") from None
    if len(data) > TEMPLATE_BYTES_MAX:
        raise DeployError(f"{path} is {len(data)} bytes; at most {TEMPLATE_BYTES_MAX} are read.")
    loader = yaml.SafeLoader(data)
    try:
        node = loader.get_single_node()
        tree = _built(loader, node, 0) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DeployError(f"{path}{line}: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DeployError(f"{path}: {error}.") from None
    finally:
        loader.dispose()
    if not isinstance(tree, Table) or not isinstance(tree.get("Resources"), Table):
        raise DeployError(f"{path} is no template: it has no Resources.")
    return tree


def _built(loader: yaml.SafeLoader, node: yaml.Node, depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise ValueError(f"nested more than {DEPTH_MAX} deep")
    line = node.start_mark.line + 1
    if node.tag.startswith("!"):
        return _short_form(loader, node, depth)
    if isinstance(node, yaml.MappingNode):
        table = Table(line)
        for key_node, value_node in node.value:
            key = str(key_node.value)
            table[key] = _built(loader, value_node, depth + 1)
            table.lines[key] = key_node.start_mark.line + 1
        return table
    if isinstance(node, yaml.SequenceNode):
        return [_built(loader, each, depth + 1) for each in node.value]
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value  # 2010-09-09 is a version, not a day
    return loader.construct_object(node)


def _short_form(loader: yaml.SafeLoader, node: yaml.Node, depth: int) -> Table:
    """``!Sub x`` as ``{"Fn::Sub": "x"}``; ``!GetAtt A.B`` as its list."""
    name = node.tag[1:]
    plain: yaml.Node
    if isinstance(node, yaml.MappingNode):
        plain = yaml.MappingNode("tag:yaml.org,2002:map", node.value, node.start_mark)
    elif isinstance(node, yaml.SequenceNode):
        plain = yaml.SequenceNode("tag:yaml.org,2002:seq", node.value, node.start_mark)
    else:
        plain = yaml.ScalarNode("tag:yaml.org,2002:str", node.value, node.start_mark)
    value = _built(loader, plain, depth + 1)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    table = Table(node.start_mark.line + 1)
    table[_SHORT.get(name, f"Fn::{name}")] = value
    return table


def resolved(value: Any, lookup: Lookup, mappings: Mapping[str, Any]) -> Any:
    """``value`` with its intrinsic functions carried out.

    Raises:
        Unresolved: one of them cannot be.
    """
    if isinstance(value, list):
        items = [resolved(each, lookup, mappings) for each in value]
        return [each for each in items if each is not NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name in {"Ref", "Condition"} or name.startswith("Fn::"):
            return _called(name, argument, lookup, mappings)
    table = Table(getattr(value, "line", 0))
    table.lines = getattr(value, "lines", {})
    for key, each in value.items():
        inner = resolved(each, lookup, mappings)
        if inner is not NO_VALUE:
            table[key] = inner
    return table


def _called(name: str, argument: Any, lookup: Lookup, mappings: Mapping[str, Any]) -> Any:
    if name == "Ref":
        return lookup(str(argument), "")
    if name == "Fn::Sub":
        return _sub(argument, lookup, mappings)
    if name == "Fn::GetAtt" and isinstance(argument, list) and len(argument) == 2:
        return lookup(str(argument[0]), str(argument[1]))
    done = resolved(argument, lookup, mappings)
    try:
        if name == "Fn::Join":
            return str(done[0]).join(str(each) for each in done[1])
        if name == "Fn::Select":
            return done[1][int(done[0])]
        if name == "Fn::Split":
            return str(done[1]).split(str(done[0]))
        if name == "Fn::FindInMap":
            return mappings[done[0]][done[1]][done[2]]
        if name == "Fn::Base64":
            from base64 import b64encode  # noqa: PLC0415 - seldom

            return b64encode(str(done).encode()).decode()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unresolved(f"{name} of {argument!r} fails: {error}") from None
    raise Unresolved(f"{name} is not known here")


def _sub(argument: Any, lookup: Lookup, mappings: Mapping[str, Any]) -> str:
    own: Mapping[str, Any] = {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], Mapping):
        argument, own = argument[0], resolved(argument[1], lookup, mappings)

    def found(match: re.Match[str]) -> str:
        literal, name = match[1], match[2].strip()
        if literal:
            return f"${{{name}}}"
        if name in own:
            return str(own[name])
        resource, _, attribute = name.partition(".")
        return str(lookup(resource, attribute))

    return _SUB.sub(found, str(argument))
