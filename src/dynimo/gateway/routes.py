"""Which function serves this path? Pure.

Exact routes win over prefixes, longer prefixes over shorter ones. Internal routes exist only for
requests that the edge made itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dynimo.model.errors import DeployError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A route as the gateway knows it; ``function`` is the name on the platform."""

    path: str
    function: str
    internal: bool = False
    accept: tuple[str, ...] = ()
    limit_status: int = 0


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
        exact: dict[str, Target] = {}
        prefixes: dict[str, Target] = {}
        for target in targets:
            table = prefixes if target.path.endswith("/") else exact
            taken = table.setdefault(target.path, target)
            if taken is not target:
                raise DeployError(
                    f"The path {target.path} is wanted by {taken.function} and {target.function}."
                )
        self._exact = exact
        self._prefixes = sorted(prefixes.values(), key=lambda target: -len(target.path))

    def match(self, path: str, *, internal: bool) -> Target | None:
        """The target of this raw path, or None. Internal targets answer internal requests only."""
        target = self._exact.get(path)
        if target is None:
            target = next((each for each in self._prefixes if path.startswith(each.path)), None)
        return target if target is not None and target.internal == internal else None

    def offers(self, path: str) -> tuple[str, ...]:
        """The media types between which whoever serves this path chooses."""
        target = self.match(path, internal=False)
        return target.accept if target is not None else ()
