"""What would deploying an app change? Compares it with what is served; decides, does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from dynimo.assembly.apps import UPLOADED, Deployed
from dynimo.model.errors import ResourceNotFound
from dynimo.model.function import Version
from dynimo.model.names import Place
from dynimo.registry.apps import LIVE, Staged, configured
from dynimo.registry.records import AliasRecord, Code
from dynimo.registry.registry import Registry
from dynimo.sdk import app as sdk_app

NEW, CHANGED, UNCHANGED, REMOVED = "new", "changed", "unchanged", "removed"
HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """What happens to one function; ``changes`` are for people."""

    name: str
    state: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A deployment that was decided upon.

    ``share`` of the calls go to what is new, None meaning all. ``stable_sha256`` is the content of
    the form that keeps the rest, or empty. ``removed`` are functions that go. ``paths_removed`` are
    what the paths of routes that go begin with.
    """

    deployed: Deployed
    code: Code
    share: float | None
    stable_sha256: str
    functions: tuple[FunctionChange, ...]
    routes_added: list[str]
    routes_removed: list[str]
    paths_removed: list[str]

    @property
    def removed(self) -> list[str]:
        """Names of the functions that go."""
        return [each.name for each in self.functions if each.state == REMOVED]

    def alias(self, staged: Staged) -> AliasRecord:
        """Where the routes shall lead for one function."""
        live = staged.function.aliases.get(LIVE)
        number = staged.record.number
        if self.share is None or live is None or live.version == number:
            return AliasRecord(name=LIVE, version=number, revision="")
        additional = ((number, self.share),)
        return AliasRecord(name=LIVE, version=live.version, additional=additional, revision="")

    def told(self) -> dict[str, Any]:
        """It, in JSON's types."""
        return {
            "app": self.deployed.app.name,
            "sha256": self.code.sha256,
            "share": self.share,
            "functions": [
                {"name": each.name, "state": each.state, "changes": list(each.changes)}
                for each in self.functions
            ],
            "routes": {"added": self.routes_added, "removed": self.routes_removed},
        }


def plan(
    registry: Registry,
    place: Place,
    app: sdk_app.App,
    code: Code,
    before: Deployed | None,
    share: float | None,
) -> Rollout:
    """Compare ``app``, whose content is ``code``, with what is served under its name."""
    stable = stable_sha256 = None
    if share is not None and before is not None:
        stable = before.stable or before.app
        stable_sha256 = _content_of(registry, place, stable)
        if stable_sha256 == code.sha256:
            stable = stable_sha256 = None
    deployed = Deployed(app=app, origin=UPLOADED, stable=stable)
    routes = {route.identity: route for route in deployed.routes}
    routes_before = {route.identity: route for route in before.routes} if before else {}
    functions = list(_functions(registry, place, app, code))
    kept = set(deployed.functions)
    gone = [name for name in before.functions if name not in kept] if before is not None else []
    functions += [FunctionChange(name=name, state=REMOVED) for name in gone]
    return Rollout(
        deployed=deployed,
        code=code,
        share=share if stable is not None else None,
        stable_sha256=stable_sha256 or "",
        functions=tuple(functions),
        routes_added=sorted(routes[each].label for each in routes.keys() - routes_before.keys()),
        routes_removed=sorted(
            routes_before[each].label for each in routes_before.keys() - routes.keys()
        ),
        paths_removed=sorted(
            {routes_before[each].fixed for each in routes_before.keys() - routes.keys()}
        ),
    )


def _functions(
    registry: Registry, place: Place, app: sdk_app.App, code: Code
) -> Iterator[FunctionChange]:
    for short, declared in app.functions.items():
        name = app.function_name(short)
        try:
            choices = registry.resolve(place, name, LIVE).choices
        except ResourceNotFound:
            yield FunctionChange(name=name, state=NEW, changes=(f"+ code: {_short(code.sha256)}",))
            continue
        changes = tuple(_differences(choices, configured(declared), code))
        state = CHANGED if changes else UNCHANGED
        yield FunctionChange(name=name, state=state, changes=changes)


def _differences(
    choices: tuple[tuple[Version, float], ...], wanted: Any, code: Code
) -> Iterator[str]:
    stable = choices[0][0]
    if stable.sha256 != code.sha256:
        yield f"~ code: {_short(stable.sha256)} → {_short(code.sha256)}"
    for each in fields(wanted):
        before, after = getattr(stable.configuration, each.name), getattr(wanted, each.name)
        if before != after:
            yield f"~ {each.name}: {_shown(before)} → {_shown(after)}"
    for version, weight in choices[1:]:
        yield f"~ share: {weight:.4%} of the calls go to version {version.label} now"


def _content_of(registry: Registry, place: Place, app: sdk_app.App) -> str | None:
    """The hash of the content from which an app's functions are served; None if none is."""
    for short in app.functions:
        try:
            choices = registry.resolve(place, app.function_name(short), LIVE).choices
        except ResourceNotFound:
            continue
        return choices[0][0].sha256
    return None


def _shown(value: Any) -> str:
    """A value for people; those of variables may be secrets and are not shown."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(value)) + "}"
    return str(list(value) if isinstance(value, tuple) else value)


def _short(sha256: str) -> str:
    return sha256[:HASH_CHARACTERS]
