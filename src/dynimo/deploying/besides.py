"""What belongs to a function but not to its versions: URL, tags, events, concurrency, queues.

Compares what is wanted with what the platform has, as steps of one call each, and carries these
out. What a source does not name is left as it is. Code and configuration are ``difference``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dynimo.deploying.client import ApiError, Client, function_path
from dynimo.deploying.difference import Change, same
from dynimo.deploying.wanted import WantedFunction

_URLS = "/2021-10-31/functions"
_CONCURRENCY = "/2017-10-31/functions"
_EVENTS = "/2019-09-25/functions"
_PROVISIONED = "/2019-09-30/functions"
_TAGS = "/2017-03-31/tags"
_MAPPINGS = "/2015-03-31/event-source-mappings/"
_URL_DEFAULTS = {"InvokeMode": "BUFFERED"}
_MAPPING_DEFAULTS = {"Enabled": True}
_OFF = frozenset({"Disabled", "Disabling"})


@dataclass(frozen=True, slots=True)
class Step:
    """One difference, and the call that ends it."""

    change: Change
    method: str
    path: str
    document: Mapping[str, Any]
    query: Mapping[str, str] | None = None


def steps(client: Client, function: WantedFunction, arn: str) -> Iterator[Step]:
    """Compare; nothing is changed. ``arn`` is empty for a function that is not there yet.

    Raises:
        ApiError, Unreachable: as ``Client.call``.
    """
    yield from _tags(client, function, arn)
    yield from _reserved(client, function)
    yield from _asynchronous(client, function)
    yield from _url(client, function)
    for mapping in function.mappings:
        yield from _mapping(client, function, mapping)
    yield from _provisioned(client, function)


def carry_out(client: Client, step: Step) -> None:
    """Make the call of one step; a URL for everybody is opened to everybody.

    Raises:
        ApiError, Unreachable: as ``Client.call``.
    """
    client.call(step.method, step.path, step.document, query=step.query)
    if step.document.get("AuthType") == "NONE":
        name = step.path.removeprefix(f"{_URLS}/").removesuffix("/url")
        _let_everybody(client, name, step.query)


def address(client: Client, function: WantedFunction) -> str:
    """The function's URL, or nothing."""
    found = client.found(f"{_URLS}/{function.name}/url", query=_qualified(function))
    return str(found["FunctionUrl"]) if found else ""


def any_address(client: Client, function: WantedFunction) -> str:
    """The function's URL as it is; where there is none, one that everybody may use, made now.

    Raises:
        ApiError, Unreachable: as ``Client.call``.
    """
    found = address(client, function)
    if found:
        return found
    for step in _url(client, replace(function, url={"AuthType": "NONE"})):
        carry_out(client, step)
    return address(client, function)


def _qualified(function: WantedFunction) -> dict[str, str] | None:
    """As SAM has it: with AutoPublishAlias, what calls the function calls the alias."""
    return {"Qualifier": function.alias} if function.alias else None


def _changed(what: str, before: Any, after: Any) -> Change | None:
    return None if same(before, after) else Change(what, before, after)


def _tags(client: Client, function: WantedFunction, arn: str) -> Iterator[Step]:
    if not function.tags or not arn:
        return  # a new function is made with them
    path = f"{_TAGS}/{arn}"
    present = (client.found(path) or {}).get("Tags") or {}
    before = {key: present[key] for key in function.tags if key in present} or None
    change = _changed("tags", before, dict(function.tags))
    if change:
        yield Step(change, "POST", path, {"Tags": dict(function.tags)})


def _reserved(client: Client, function: WantedFunction) -> Iterator[Step]:
    if function.reserved is None:
        return
    path = f"{_CONCURRENCY}/{function.name}/concurrency"
    key = "ReservedConcurrentExecutions"
    # The question has a path of its own, as in AWS's API.
    found = client.found(f"/2019-09-30/functions/{function.name}/concurrency") or {}
    change = _changed("reserved concurrency", found.get(key), function.reserved)
    if change:
        yield Step(change, "PUT", path, {key: function.reserved})


def _asynchronous(client: Client, function: WantedFunction) -> Iterator[Step]:
    wanted = function.asynchronous
    if not wanted:
        return
    path, query = f"{_EVENTS}/{function.name}/event-invoke-config", _qualified(function)
    present = client.found(path, query=query)
    before = {key: _filled(present.get(key)) for key in wanted} if present else None
    change = _changed("asynchronous events", before, wanted)
    if change:
        yield Step(change, "PUT", path, wanted, query)


def _filled(value: Any) -> Any:
    """A structure without the empty ones in it, which the platform shows and nobody names."""
    if not isinstance(value, Mapping):
        return value
    return {key: each for key, each in value.items() if each != {}}


def _url(client: Client, function: WantedFunction) -> Iterator[Step]:
    if function.url is None:
        return
    path, query = f"{_URLS}/{function.name}/url", _qualified(function)
    wanted = {**_URL_DEFAULTS, **function.url}
    present = client.found(path, query=query)
    if present is None:
        yield Step(Change("url", None, wanted), "POST", path, wanted, query)
        return
    change = _changed("url", {key: present.get(key) for key in wanted}, wanted)
    if change:
        yield Step(change, "PUT", path, wanted, query)


def _mapping(client: Client, function: WantedFunction, wanted: Mapping[str, Any]) -> Iterator[Step]:
    source = str(wanted["EventSourceArn"])
    name = f"{function.name}:{function.alias}" if function.alias else function.name
    asked = {"FunctionName": name, "EventSourceArn": source}
    present = next(iter(client.pages(_MAPPINGS, "EventSourceMappings", asked)), None)
    document = {**wanted, "FunctionName": name}
    what = f"fed from {source}"
    if present is None:
        after = {key: each for key, each in wanted.items() if key != "EventSourceArn"}
        yield Step(Change(what, None, after), "POST", _MAPPINGS, document)
        return
    compared = {**_MAPPING_DEFAULTS, **wanted}
    del compared["EventSourceArn"]
    shown = {**present, "Enabled": present.get("State") not in _OFF}
    before = {key: shown.get(key) for key in compared}
    change = _changed(what, before, compared)
    if change:
        del document["EventSourceArn"]
        yield Step(change, "PUT", f"{_MAPPINGS}{present['UUID']}", {"Enabled": True, **document})


def _provisioned(client: Client, function: WantedFunction) -> Iterator[Step]:
    """Only an alias can have it: $LATEST may change under it."""
    if not function.provisioned or not function.alias:
        return
    path = f"{_PROVISIONED}/{function.name}/provisioned-concurrency"
    query = _qualified(function)
    found = client.found(path, query=query) or {}
    before = found.get("RequestedProvisionedConcurrentExecutions")
    change = _changed("provisioned concurrency", before, function.provisioned)
    if change:
        wanted = {"ProvisionedConcurrentExecutions": function.provisioned}
        yield Step(change, "PUT", path, wanted, query)


def _let_everybody(client: Client, name: str, query: Mapping[str, str] | None) -> None:
    """What SAM adds to a public URL: everybody may use it, through the URL."""
    url = {"StatementId": "PublicUrl", "Action": "lambda:InvokeFunctionUrl",
           "FunctionUrlAuthType": "NONE"}  # fmt: skip
    call = {"StatementId": "PublicInvoke", "Action": "lambda:InvokeFunction",
            "InvokedViaFunctionUrl": True}  # fmt: skip
    for document in (url, call):
        try:
            client.call(
                "POST", f"{function_path(name)}/policy", {**document, "Principal": "*"}, query
            )
        except ApiError as error:
            if error.status != 409:  # it says so already
                raise
