"""EventInvokeConfig: how often an asynchronous event is tried, for how long, and who is told.

Kept as documents; the backlog reads them. Source: Lambda API reference; recorded answers of the
service.
"""

from __future__ import annotations

import time
from typing import Any

from dynimo.api.aws import names, pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.validation import Faults
from dynimo.backlog.backlog import EVENT_INVOKE
from dynimo.backlog.destinations import NO_BUS, target
from dynimo.model.errors import InvalidParameterValue, ResourceNotFound
from dynimo.model.names import LATEST
from dynimo.registry.registry import Registry

REST_PATH = "/2019-09-25/functions/{FunctionName}/event-invoke-config"
AGE_SECONDS_MIN, AGE_SECONDS_MAX = 60, 21_600
RETRIES_MAX = 2
ARN_CHARACTERS_MAX = 350
DESTINATION_PATTERN = (
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventInvoke:
    """The operations on EventInvokeConfigs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents = registry.documents

    def operations(self) -> list[Operation]:
        """All of them."""
        arn, prefix = names.function_arn, "FunctionEventInvokeConfig"
        return [
            Operation(name=f"Put{prefix}", method="PUT", path=REST_PATH, run=self._put,
                      resource=arn),
            Operation(name=f"Update{prefix}", method="POST", path=REST_PATH, run=self._update,
                      resource=arn),
            Operation(name=f"Get{prefix}", method="GET", path=REST_PATH, run=self._get,
                      resource=arn),
            Operation(name=f"Delete{prefix}", method="DELETE", path=REST_PATH, run=self._delete,
                      status=204, resource=arn),
            Operation(name=f"List{prefix}s", method="GET", path=f"{REST_PATH}/list",
                      run=self._list, resource=arn),
        ]  # fmt: skip

    async def _put(self, call: Call) -> Answer:
        named, wanted = names.named(call), _wanted(call)
        self._check_exists(named)
        self._check_destinations(named, wanted.get("DestinationConfig"))
        return self._keep(named, wanted)

    async def _update(self, call: Call) -> Answer:
        named, wanted = names.named(call), _wanted(call)
        self._check_exists(named)
        before = self._held(named)
        self._check_destinations(named, wanted.get("DestinationConfig"))
        return self._keep(named, {**before, **wanted})

    async def _get(self, call: Call) -> Answer:
        named = names.named(call)
        return Answer(document=_shown(named, self._held(named)))

    async def _delete(self, call: Call) -> Answer:
        named = names.named(call)
        self._held(named)
        self._documents.delete(EVENT_INVOKE, named.place.account, named.function, _key(named))
        return Answer(status=204)

    async def _list(self, call: Call) -> Answer:
        named = names.named(call)
        if not self._registry.exists(named.place, named.function):
            raise ResourceNotFound("The function doesn't exist.")
        held = [
            (names.Named(place=named.place, function=named.function, qualifier=key), value)
            for _, _, key, value in self._documents.find(
                EVENT_INVOKE, named.place.account, named.function
            )
        ]
        found = pages.page(
            call, held, lambda row: row[0].qualifier, lambda row: _shown(*row), most=50
        )
        return Answer(document=pages.listed("FunctionEventInvokeConfigs", found))

    def _keep(self, named: names.Named, settings: dict[str, Any]) -> Answer:
        document = {name: settings[name] for name in _SETTINGS if settings.get(name) is not None}
        document["DestinationConfig"] = _destinations(document.get("DestinationConfig"))
        document["LastModified"] = time.time()
        place = (named.place.account, named.function, _key(named))
        self._documents.put(EVENT_INVOKE, *place, document)
        return Answer(document=_shown(named, document))

    def _held(self, named: names.Named) -> dict[str, Any]:
        held = self._documents.get(EVENT_INVOKE, named.place.account, named.function, _key(named))
        if held is None:
            raise ResourceNotFound(f"The function {_arn(named)} doesn't have an EventInvokeConfig")
        document: dict[str, Any] = held
        return document

    def _check_exists(self, named: names.Named) -> None:
        if not self._registry.exists(named.place, named.function, named.qualifier):
            raise ResourceNotFound("The function doesn't exist.")

    def _check_destinations(self, named: names.Named, wanted: Any) -> None:
        """Refuse destinations that nothing can be sent to. Raises InvalidParameterValue."""
        arns = {key: _given(wanted, key) for key in ("OnSuccess", "OnFailure")}
        invalid = False
        for arn in filter(None, arns.values()):
            to = target(arn)
            if to is None:
                invalid = True
            elif to.kind == "bus":
                raise InvalidParameterValue(NO_BUS)
            elif to.kind == "function":
                if not self._registry.exists(to.place, to.name):
                    raise InvalidParameterValue(f"The destination ARN {arn} is invalid.")
                if (to.place, to.name) == (named.place, named.function):
                    raise InvalidParameterValue(
                        "You can't specify the function as a destination for itself."
                    )
        if invalid:
            success, failure = (
                f"{key}(destination={arn})" if arn else "null" for key, arn in arns.items()
            )
            raise InvalidParameterValue(
                "The provided destination config DestinationConfig("
                f"onSuccess={success}, onFailure={failure}) is invalid."
            )


def _wanted(call: Call) -> dict[str, Any]:
    """What a request sets, within the service model's constraints."""
    given = asked(call)
    wanted = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    faults = Faults()
    retries, age = wanted.get("MaximumRetryAttempts"), wanted.get("MaximumEventAgeInSeconds")
    faults.between(retries, "maximumRetryAttempts", 0, RETRIES_MAX)
    faults.between(age, "maximumEventAgeInSeconds", AGE_SECONDS_MIN, AGE_SECONDS_MAX)
    for key, member in (("OnSuccess", "onSuccess"), ("OnFailure", "onFailure")):
        place = f"destinationConfig.{member}.destination"
        arn = _given(wanted.get("DestinationConfig"), key)
        faults.at_most(arn, place, ARN_CHARACTERS_MAX)
        faults.pattern(arn, place, DESTINATION_PATTERN)
    faults.check()
    if not wanted:
        raise InvalidParameterValue(
            "You must specify at least one of error handling or destination setting."
        )
    return wanted


def _given(config: Any, key: str) -> str:
    held = config.get(key) if isinstance(config, dict) else None
    arn = held.get("Destination") if isinstance(held, dict) else None
    return arn if isinstance(arn, str) else ""


def _destinations(config: Any) -> dict[str, Any]:
    """Both sides, empty where nothing is named, as the service shows them."""
    arns = {key: _given(config, key) for key in ("OnSuccess", "OnFailure")}
    return {key: {"Destination": arn} if arn else {} for key, arn in arns.items()}


def _shown(named: names.Named, document: dict[str, Any]) -> dict[str, Any]:
    return {"FunctionArn": _arn(named), **document}


def _key(named: names.Named) -> str:
    return named.qualifier or LATEST


def _arn(named: names.Named) -> str:
    return named.place.function(named.function, _key(named))
