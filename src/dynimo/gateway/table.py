"""Routes by path, as a tree of segments: the time to find one grows with the path, not with them.

Pure, and the same for ever once it is built. The order, from the root on: a segment by its name
before one that may be any, those before ``{name+}``, and that before the prefix. What does not fit
for its method or headers is passed over, and the next one in this order is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from dynimo.model.stand_ins import StandIns
from dynimo.sdk.routes import PRESENT, Route, parameter
from dynimo.web.message import Headers

NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Route):
    """A route as the gateway knows it: its functions' names are those on the platform.

    ``stand_ins`` is what its ``fallback`` names, in memory.
    """

    app: str = ""
    stand_ins: StandIns | None = None


class Match(NamedTuple):
    """What was found. ``allowed`` are the methods that would have led somewhere, if nothing did.

    ``vary`` are the headers that were looked at: another's may lead elsewhere, as caches must know.
    """

    target: Target | None
    parameters: Mapping[str, str] = NO_PARAMETERS
    allowed: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()


class Asked(NamedTuple):
    """What a request is matched by. ``host`` is in lower case and has no port."""

    path: str
    method: str = "GET"
    host: str = ""
    headers: Headers | None = None
    internal: bool = False


NOTHING = Match(None)


class Looked:
    """What one search has met: methods of routes that did not fit, names of headers that count."""

    __slots__ = ("headers", "methods")

    def __init__(self) -> None:
        self.methods: set[str] = set()
        self.headers: dict[str, None] = {}


class _Node:
    """One place in the tree. The lists hold the most particular target first."""

    __slots__ = ("any", "ends", "greedy", "literals", "prefix")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.ends: list[Target] = []
        self.greedy: list[Target] = []
        self.prefix: list[Target] = []


class Tree:
    """All targets of one host."""

    def __init__(self) -> None:
        self._root = _Node()
        self._depth = 0

    def add(self, target: Target) -> None:
        """Put one in, behind those that ask for as much of a request."""
        segments = target.path.split("/")[1:]
        self._depth = max(self._depth, len(segments))
        node = self._root
        last = segments.pop()
        for segment in segments:
            node = _below(node, segment)
        found = parameter(last)
        if last == "":
            held = node.prefix
        elif found is not None and found[1]:
            held = node.greedy
        else:
            held = _below(node, last).ends
        held.append(target)
        held.sort(key=lambda each: (-len(each.headers or ()), not each.methods))

    def find(self, asked: Asked, looked: Looked) -> Match | None:
        """The first that fits, ``NOTHING`` if nobody may ask for it, None if there is none."""
        segments = asked.path.split("/", self._depth + 1)[1:]
        return _walk(self._root, segments, 0, _State(asked, looked, []))

    def only(self) -> dict[str, Match]:
        """``/first/`` → the target of all below it, where that is one prefix for all requests."""
        return {
            f"/{name}/": Match(node.prefix[0])
            for name, node in self._root.literals.items()
            if len(node.prefix) == 1
            and not (node.literals or node.any or node.greedy)
            and not (node.prefix[0].methods or node.prefix[0].headers or node.prefix[0].internal)
        }


class _State(NamedTuple):
    asked: Asked
    looked: Looked
    values: list[str]


def _below(node: _Node, segment: str) -> _Node:
    if parameter(segment) is None:
        return node.literals.setdefault(segment, _Node())
    if node.any is None:
        node.any = _Node()
    return node.any


def _walk(node: _Node, segments: list[str], at: int, state: _State) -> Match | None:
    """Look below ``node``. Every node is looked at once at most, for it has one depth."""
    if at == len(segments):
        return _first(node.ends, state, None) if node.ends else None
    segment = segments[at]
    following = node.literals.get(segment)
    if following is not None:
        found = _walk(following, segments, at + 1, state)
        if found is not None:
            return found
    values = state.values
    if node.any is not None and segment:
        values.append(segment)
        found = _walk(node.any, segments, at + 1, state)
        if found is not None:
            return found
        values.pop()
    if node.greedy:
        rest = "/".join(segments[at:])
        found = _first(node.greedy, state, rest) if rest else None
        if found is not None:
            return found
    return _first(node.prefix, state, None) if node.prefix else None


def _first(targets: list[Target], state: _State, rest: str | None) -> Match | None:
    asked, looked, values = state
    if targets[0].internal != asked.internal:
        return NOTHING
    for target in targets:
        if target.headers:
            looked.headers.update(dict.fromkeys(target.headers))
            if not _headers_fit(target.headers, asked.headers):
                continue
        if not target.methods or _method_fits(target.methods, asked.method):
            plain = not values and rest is None
            named = NO_PARAMETERS if plain else _named(target.path, [*values, rest or ""])
            return Match(target, named, vary=tuple(looked.headers))
        looked.methods.update(target.methods)
    return None


def _method_fits(methods: tuple[str, ...], method: str) -> bool:
    return method in methods or (method == "HEAD" and "GET" in methods)


def _headers_fit(wanted: Mapping[str, str], given: Headers | None) -> bool:
    return given is not None and all(
        name in given and value in (PRESENT, given.get(name)) for name, value in wanted.items()
    )


def _named(path: str, values: list[str]) -> Mapping[str, str]:
    found = (parameter(segment) for segment in path.split("/"))
    return dict(zip((each[0] for each in found if each is not None), values, strict=False))
