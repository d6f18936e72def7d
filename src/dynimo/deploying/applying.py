"""Carries a plan out, call by call, through the platform's API; waits until each has settled."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dynimo.deploying import difference
from dynimo.deploying.client import ApiError, Client, function_path
from dynimo.deploying.difference import Plan
from dynimo.deploying.packing import zipped, zipped_text
from dynimo.deploying.wanted import Wanted, WantedFunction, WantedLayer
from dynimo.model.errors import DeployError

SETTLE_SECONDS_MAX = 60.0
POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.02, 0.5
_INLINE_MODULE = "index"
_URLS = "/2021-10-31/functions"
_CONCURRENCY = "/2017-10-31/functions"
_EVENTS = "/2019-09-25/functions"
_MAPPINGS = "/2015-03-31/event-source-mappings/"

Tell = Callable[[str], None]


def plans(client: Client, wanted: Wanted) -> Iterator[Plan]:
    """Compare every function with what is there; nothing is changed.

    Raises:
        DeployError: code cannot be packed.
        ApiError, Unreachable: as ``Client.call``.
    """
    for function in wanted.functions:
        data = _zip(function)
        present = client.found(f"{function_path(function.name)}/configuration")
        yield difference.plan(function, data, present)


def carry_out(client: Client, plan: Plan, *, tell: Tell) -> str:
    """Make one function as it shall be; return the version published, or nothing.

    A version is published when the function wants an alias.

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
    tell("unchanged" if plan.nothing else "created" if plan.create else "updated")
    _besides(client, function, tell)
    if not function.alias:
        return ""
    return str(client.call("POST", f"{path}/versions", {})["Version"])


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
    """Point an alias at ``version``, wholly or for ``percent`` of the calls; say what was done.

    Raises:
        DeployError: there is nothing yet to share the calls with.
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


def _besides(client: Client, function: WantedFunction, tell: Tell) -> None:
    """What belongs to a function but not to its versions."""
    name = function.name
    if function.reserved is not None:
        limit = {"ReservedConcurrentExecutions": function.reserved}
        client.call("PUT", f"{_CONCURRENCY}/{name}/concurrency", limit)
    if function.asynchronous is not None:
        client.call("PUT", f"{_EVENTS}/{name}/event-invoke-config", function.asynchronous)
    if function.url is not None:
        tell(f"url {_url(client, name, function.url)}")
    for mapping in function.mappings:
        document = {**mapping, "FunctionName": name}
        try:
            client.call("POST", _MAPPINGS, document)
        except ApiError as error:
            if error.status != 409:
                raise
        tell(f"fed from {mapping['EventSourceArn']}")


def public_url(client: Client, name: str) -> str:
    """A URL of the function that everybody may use; nothing where the platform serves none.

    Raises:
        ApiError, Unreachable: as ``Client.call``.
    """
    try:
        return _url(client, name, {"AuthType": "NONE"})
    except ApiError as error:
        if error.status not in {404, 405, 501}:
            raise
        return ""


def _url(client: Client, name: str, wanted: Mapping[str, Any]) -> str:
    present = client.found(f"{_URLS}/{name}/url")
    if present is None:
        present = client.call("POST", f"{_URLS}/{name}/url", wanted)
        if wanted.get("AuthType") == "NONE":
            _let_everybody(client, name)
    else:
        present = client.call("PUT", f"{_URLS}/{name}/url", wanted)
    return str(present["FunctionUrl"])


def _let_everybody(client: Client, name: str) -> None:
    """What SAM adds to a public URL: everybody may use it, through the URL."""
    for action, sid in (("InvokeFunctionUrl", "PublicUrl"), ("InvokeFunction", "PublicInvoke")):
        document: dict[str, Any] = {
            "StatementId": sid,
            "Action": f"lambda:{action}",
            "Principal": "*",
        }
        if action == "InvokeFunctionUrl":
            document["FunctionUrlAuthType"] = "NONE"
        else:
            document["InvokedViaFunctionUrl"] = True
        client.call("POST", f"{function_path(name)}/policy", document)


def _zip(function: WantedFunction) -> bytes:
    if function.inline:
        suffix = ".js" if str(function.settings.get("Runtime", "")).startswith("nodejs") else ".py"
        return zipped_text(_INLINE_MODULE + suffix, function.inline)
    if function.code is None:
        raise DeployError(f"{function.name} has no code here.")
    return zipped(function.code)
