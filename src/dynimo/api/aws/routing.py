"""Which operation does a method and a path mean? A tree of path segments, built once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from dynimo.api.aws.calls import Operation

FOUND_KEPT_MAX = 1024
"""Paths whose operation is kept; a head bounds their length. When there are more, all go."""


@dataclass(slots=True)
class _Node:
    """What may follow a path so far: a fixed segment, any one segment, or all the rest."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    rest: str = ""
    operations: dict[str, list[tuple[Operation, tuple[str, ...]]]] = field(default_factory=dict)


class Table:
    """The operations of one REST service by method and path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        self._found: dict[tuple[str, str, str], tuple[Operation, dict[str, str]]] = {}
        for operation in operations:
            self._add(operation)

    def find(self, method: str, path: str, query: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation and the named parts of its path (decoded), or None.

        Many requests are for the same, so what was found is kept; nobody may change it.
        """
        asked = (method, path, query)
        found = self._found.get(asked)
        if found is None:
            found = self._search(method, path, query)
            if found is not None:
                if len(self._found) >= FOUND_KEPT_MAX:
                    self._found.clear()
                self._found[asked] = found
        return found

    def _search(
        self, method: str, path: str, query: str
    ) -> tuple[Operation, dict[str, str]] | None:
        values: list[str] = []
        node = self._root
        segments = path.strip("/").split("/")
        for at, segment in enumerate(segments):
            following = node.fixed.get(segment)
            if following is None and node.any is not None:
                values.append(unquote(segment))
                following = node.any
                if following.rest:
                    values[-1] = unquote("/".join(segments[at:]))
                    node = following
                    break
            if following is None:
                return None
            node = following
        return _chosen(node.operations.get(method, ()), values, query)

    def _add(self, operation: Operation) -> None:
        node, names = self._root, []
        for segment in operation.path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}+"))
                node.any = node.any or _Node()
                node = node.any
                node.rest = segment if segment.endswith("+}") else node.rest
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.operations.setdefault(operation.method, []).append((operation, tuple(names)))


def _chosen(
    candidates: Iterable[tuple[Operation, tuple[str, ...]]], values: list[str], query: str
) -> tuple[Operation, dict[str, str]] | None:
    """Of those that share a path: the one whose flag the query carries, else the one without."""
    given = set(query.split("&"))
    plain: tuple[Operation, dict[str, str]] | None = None
    for operation, names in candidates:
        found = operation, dict(zip(names, values, strict=True))
        if operation.query_flag is None:
            plain = found
        elif "=".join(operation.query_flag) in given:
            return found
    return plain
