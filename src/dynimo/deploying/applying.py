"""Carries a plan out, call by call, through the platform's API; waits until each has settled."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dynimo.deploying import besides, difference
from dynimo.deploying.client import ApiError, Client, function_path
from dynimo.deploying.difference import Plan
from dynimo.deploying.packing import packed, zipped
from dynimo.deploying.wanted import Wanted, WantedFunction, WantedLayer
from dynimo.model.errors import DeployError

SETTLE_SECONDS_MAX = 60.0
POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.02, 0.5

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """All that is to be done for one function: its versions, and what is beside them."""

    plan: Plan
    steps: tuple[besides.Step, ...]

    @property
    def function(self) -> WantedFunction:
        """What is wanted."""
        return self.plan.function

    @property
    def changes(self) -> tuple[difference.Change, ...]:
        """Every difference, for people."""
        return (*self.plan.changes, *(step.change for step in self.steps))


@dataclass(frozen=True, slots=True)
class Lead:
    """Where new versions are led: an alias, for ``percent`` of its calls."""

    alias: str
    percent: float = 100.0


def deploy(
    client: Client,
    wanted: Wanted,
    *,
    tell: Callable[[str, str], None],
    lead: Lead | None = None,
) -> Wanted:
    """Bring the platform to what is wanted; ``tell`` hears (function, what was done).

    Layers come first, then every function's versions, then what is beside them: an event may go
    from one function to another. Returns the same with layers by their ARNs.

    Raises:
        DeployError: code cannot be packed, or a function did not become active.
        ApiError, Unreachable: as ``Client.call``.
    """
    arns = {each.name: layer(client, each, publish=True) for each in wanted.layers}
    wanted = with_layers(wanted, arns)
    planned = list(plans(client, wanted))
    for each in planned:
        name = each.function.name
        with _telling(name):
            carry_out(client, each.plan, tell=partial(tell, name), lead=lead)
    for each in planned:
        for step in each.steps:
            with _telling(f"{each.function.name}, {step.change.what}"):
                besides.carry_out(client, step)
            tell(each.function.name, step.change.what)
    return wanted


@contextmanager
def _telling(whom: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise error.about(whom) from None


def plans(client: Client, wanted: Wanted) -> Iterator[Planned]:
    """Compare every function with what is there; nothing is changed.

    Raises:
        DeployError: code cannot be packed.
        ApiError, Unreachable: as ``Client.call``.
    """
    for function in wanted.functions:
        data = packed(function)
        present = client.found(f"{function_path(function.name)}/configuration")
        plan = difference.plan(function, data, present)
        arn = str(present["FunctionArn"]) if present is not None else ""
        yield Planned(plan, tuple(besides.steps(client, function, arn)))


def carry_out(client: Client, plan: Plan, *, tell: Tell, lead: Lead | None = None) -> None:
    """Make one function's code and configuration as they shall be.

    A version is published, and led to, when the function wants an alias or ``lead`` names one.

    Raises:
        DeployError: it did not become active.
        ApiError, Unreachable: as ``Client.call``.
    """
    function, path = plan.function, function_path(plan.function.name)
    if plan.create:
        settings = {**function.settings, "FunctionName": function.name}
        code = {"ZipFile": base64.b64encode(plan.zip).decode()}
        tags = {"Tags": dict(function.tags)} if function.tags else {}
        client.call("POST", "/2015-03-31/functions", {**settings, "Code": code, **tags})
        settle(client, function.name)
    if plan.code:
        client.call("PUT", f"{path}/code", {"ZipFile": base64.b64encode(plan.zip).decode()})
        settle(client, function.name)
    if plan.configuration:
        client.call("PUT", f"{path}/configuration", difference.configuration(plan))
        settle(client, function.name)
    if not plan.nothing:
        tell("created" if plan.create else "updated")
    lead = lead or (Lead(function.alias) if function.alias else None)
    if lead is not None:
        version = str(client.call("POST", f"{path}/versions", {})["Version"])
        moved = move_alias(client, function.name, lead.alias, version, lead.percent)
        if moved:
            tell(f"version {version}")
            tell(moved)


def layer(client: Client, wanted: WantedLayer, *, publish: bool) -> str:
    """The ARN of the layer version with this content; published now if there is none yet.

    Without ``publish`` nothing is changed, and a name that says so stands for the new version.

    Raises:
        DeployError, ApiError, Unreachable: as above.
    """
    data = zipped(wanted.content)
    path = f"/2018-10-31/layers/{wanted.name}/versions"
    newest = next(iter(client.pages(path, "LayerVersions")), None)
    if newest is not None:
        content = client.call("GET", f"{path}/{newest['Version']}")["Content"]
        if content["CodeSha256"] == difference.code_sha256(data):
            return str(newest["LayerVersionArn"])
    if not publish:
        return f"{wanted.name} (a new version)"
    document = {
        "Content": {"ZipFile": base64.b64encode(data).decode()},
        "Description": wanted.description,
        "CompatibleRuntimes": list(wanted.runtimes),
    }
    return str(client.call("POST", path, document)["LayerVersionArn"])


def with_layers(wanted: Wanted, arns: Mapping[str, str]) -> Wanted:
    """The same, with the deployment's own layers under those that functions name by ARN."""
    functions: list[WantedFunction] = []
    for function in wanted.functions:
        settings = dict(function.settings)
        own = [arns[name] for name in function.layers_here]
        if own:
            settings["Layers"] = [*own, *settings.get("Layers", [])]
        functions.append(replace(function, settings=settings))
    return replace(wanted, functions=tuple(functions))


def move_alias(client: Client, name: str, alias: str, version: str, percent: float) -> str:
    """Point an alias at ``version``, wholly or for ``percent`` of the calls.

    Returns what was done, or nothing where it leads there already.

    Raises:
        ApiError, Unreachable: as ``Client.call``.
    """
    path = f"{function_path(name)}/aliases"
    document: dict[str, Any]
    present = client.found(f"{path}/{alias}")
    if present is None:
        document = {"Name": alias, "FunctionVersion": version}
        client.call("POST", path, document)
        return f"alias {alias} → {version}"
    stable = str(present["FunctionVersion"])
    shared = (present.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if (stable == version and not shared) or shared == {version: percent / 100}:
        return ""
    if percent >= 100 or stable == version:
        document = {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": {}}}
        client.call("PUT", f"{path}/{alias}", document)
        return f"alias {alias} → {version}"
    weights = {version: percent / 100}
    document = {"RoutingConfig": {"AdditionalVersionWeights": weights}}
    client.call("PUT", f"{path}/{alias}", document)
    return f"alias {alias} → {stable}, {percent:g}% {version}"


def settle(client: Client, name: str) -> Mapping[str, Any]:
    """Wait until a function is active and its last update done.

    Raises:
        DeployError: it failed, or is not done within ``SETTLE_SECONDS_MAX``.
    """
    pause, until = POLL_SECONDS_MIN, time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < until:
        found: Mapping[str, Any] = client.call("GET", f"{function_path(name)}/configuration")
        states = (found.get("State", "Active"), found.get("LastUpdateStatus", "Successful"))
        if "Failed" in states:
            why = found.get("StateReason") or found.get("LastUpdateStatusReason")
            raise DeployError(f"{name}: {why}")
        if states == ("Active", "Successful"):
            return found
        time.sleep(pause)
        pause = min(POLL_SECONDS_MAX, pause * 2)
    raise DeployError(f"{name} did not settle within {SETTLE_SECONDS_MAX:.0f} s.")
