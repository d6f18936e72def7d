"""Which route is this request's? Compiled once; replaced whole. Pure.

A route for the request's host comes before one for ``*.`` and that before one for all hosts; what
comes first of one host's routes is the tree's business. Internal routes exist only for requests
that the edge made itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from dynimo.gateway.shares import Turns
from dynimo.gateway.table import NOTHING, Asked, Looked, Match, Target, Tree
from dynimo.model.errors import DeployError
from dynimo.model.stand_ins import StandIns
from dynimo.sdk.routes import shape
from dynimo.web.message import Request

__all__ = ["Match", "Routes", "Target"]


class Routes:
    """All targets of one deployment, ready to be asked.

    Raises:
        DeployError: two apps want the same path.
    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self.replace(targets)

    def replace(self, targets: Iterable[Target]) -> None:
        """Serve these from now on; every request is matched against the old or the new ones whole.

        Raises:
            DeployError: as above; the old ones stay.
        """
        wanted = list(targets)
        _check(wanted)
        everywhere, hosts = Tree(), dict[str, Tree]()
        for target in wanted:
            tree = hosts.setdefault(target.host, Tree()) if target.host else everywhere
            tree.add(target)
        offering = _offering(wanted)
        self._everywhere = everywhere
        self._hosts = hosts
        self._quick = {} if hosts else everywhere.only()
        self._offering = offering
        self._quick_offers = {
            key: held.target.accept for key, held in offering.only().items() if held.target
        }
        self._any_stand_ins = any(each.stand_ins for each in wanted)
        self._turns = {each.identity: Turns(each.weights) for each in wanted if each.weights}

    def match(self, request: Request, *, method: str = "") -> Match:
        """The route of a request, as if it had ``method``; ``Match.target`` is None without one."""
        path = request.path
        if not request.internal:
            quick = self._quick.get(path[: path.find("/", 1) + 1])
            if quick is not None:
                return quick
        host = _host(request) if self._hosts and not request.internal else ""
        asked = Asked(path, method or request.method, host, request.headers, request.internal)
        return self._find(asked)

    def _find(self, asked: Asked) -> Match:
        looked = Looked()
        for tree in self._trees(asked.host):
            found = tree.find(asked, looked)
            if found is not None:
                return found
        return Match(None, allowed=tuple(sorted(looked.methods))) if looked.methods else NOTHING

    def _trees(self, host: str) -> Iterable[Tree]:
        if host:
            exact = self._hosts.get(host)
            if exact is not None:
                yield exact
            _, dot, parent = host.partition(".")
            while dot:
                wild = self._hosts.get(f"*.{parent}")
                if wild is not None:
                    yield wild
                _, dot, parent = parent.partition(".")
        yield self._everywhere

    def function(self, target: Target) -> str:
        """The name of the function whose turn it is."""
        return self._turns[target.identity].take() if target.weights else target.function

    def offers(self, path: str) -> tuple[str, ...]:
        """The media types between which whoever serves this path chooses; the same for all hosts.

        This is asked for every request that the edge gets, and knows no method and no header.
        """
        quick = self._quick_offers.get(path[: path.find("/", 1) + 1])
        if quick is not None:
            return quick
        found = self._offering.find(Asked(path), Looked())
        return found.target.accept if found is not None and found.target is not None else ()

    def stand_ins(self, path: str) -> StandIns | None:
        """What stands in for an answer at this path that cannot be had; the same for all hosts.

        This is asked for what is not answered from memory.
        """
        if not self._any_stand_ins:
            return None
        found = self._offering.find(Asked(path), Looked())
        return found.target.stand_ins if found is not None and found.target is not None else None


def _offering(targets: list[Target]) -> Tree:
    """A tree of all paths, whoever else they are for; those of one path offer all that any does."""
    offers: dict[str, dict[str, None]] = {}
    stand_ins: dict[str, StandIns] = {}
    for each in targets:
        if not each.internal:
            offers.setdefault(each.path, {}).update(dict.fromkeys(each.accept))
            if each.stand_ins is not None:
                stand_ins.setdefault(each.path, each.stand_ins)
    tree = Tree()
    for path, accept in offers.items():
        tree.add(Target(path=path, accept=tuple(accept), stand_ins=stand_ins.get(path)))
    return tree


def _check(targets: list[Target]) -> None:
    """No two for the same requests; no path of two apps, whatever the rest says."""
    taken: dict[tuple[object, ...], Target] = {}
    owners: dict[tuple[str, str], Target] = {}
    for target in targets:
        same = taken.setdefault(target.identity, target)
        owner = owners.setdefault((target.host, shape(target.path)), target)
        other = same if same is not target else owner
        strange = other.app != target.app or other.internal != target.internal
        if same is not target or strange:
            raise DeployError(
                f"The path {target.label} is wanted by {_who(other)} and {_who(target)}."
            )


def _who(target: Target) -> str:
    return ", ".join(target.functions) or f"another route of the app {target.app}"


def _host(request: Request) -> str:
    """The Host without its port and without a dot at its end."""
    host = request.headers.get("host").lower()
    if not host.startswith("["):
        host = host.partition(":")[0]
    return host.removesuffix(".")
