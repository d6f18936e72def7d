"""A CloudFormation template's text, YAML with AWS's short tags or JSON, as a tree with its lines.

What stands in it is not carried out here (``intrinsics``), nor is it known what resources mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dynimo.model.errors import DeployError

TEMPLATE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 50
_SHORT = {"Ref": "Ref", "Condition": "Condition"}


class Table(dict[str, Any]):
    """A mapping that knows where it and its keys stand (lines from 1)."""

    line = 0

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


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
