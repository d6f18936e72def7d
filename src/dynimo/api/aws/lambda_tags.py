"""Tags of functions and of event source mappings. One tag means something: ``dynimo:network``.

Source: Lambda API reference; recorded answers of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.lambda_settings import NETWORK_TAG, checked_network
from dynimo.api.aws.preparing import Preparing
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import InvalidParameterValue, ResourceNotFound
from dynimo.model.function import Configuration
from dynimo.model.names import Place
from dynimo.registry.registry import Registry

REST_PATH = "/2017-03-31/tags/{Resource+}"
RESOURCE_PATTERN = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|"
    r"event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    r"[0-9a-fA-F]{12}|(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})"
)
TAGS_MAX = 50
KEY_CHARACTERS_MAX = 128
VALUE_CHARACTERS_MAX = 256


class Tags:
    """The operations on tags. ``mapping_exists`` knows event source mappings by (place, UUID)."""

    def __init__(
        self,
        registry: Registry,
        preparing: Preparing,
        mapping_exists: Callable[[Place, str], bool] = lambda _place, _uuid: False,
    ) -> None:
        self._registry = registry
        self._preparing = preparing
        self._mapping_exists = mapping_exists

    def operations(self) -> list[Operation]:
        """All of them."""
        return [
            Operation(name="TagResource", method="POST", path=REST_PATH, run=self._tag,
                      status=204, resource=_resource),
            Operation(name="UntagResource", method="DELETE", path=REST_PATH, run=self._untag,
                      status=204, resource=_resource),
            Operation(name="ListTags", method="GET", path=REST_PATH, run=self._list,
                      resource=_resource),
        ]  # fmt: skip

    async def _tag(self, call: Call) -> Answer:
        place, function, key = self._place(call)
        wanted = asked(call).get("Tags")
        faults = Faults()
        faults.required(wanted, "tags")
        faults.check()
        if not wanted:
            raise InvalidParameterValue("An error occurred and the request cannot be processed.")
        before = self._registry.documents.get("tags", place.account, function, key) or {}
        self._keep(place, function, key, {**before, **wanted})
        return Answer(status=204)

    async def _untag(self, call: Call) -> Answer:
        place, function, key = self._place(call)
        names = call.query.get("tagKeys")
        faults = Faults()
        faults.required(names or None, "tagKeys")
        faults.check()
        before = self._registry.documents.get("tags", place.account, function, key) or {}
        kept = {name: value for name, value in before.items() if name not in (names or ())}
        self._keep(place, function, key, kept)
        return Answer(status=204)

    async def _list(self, call: Call) -> Answer:
        place, function, key = self._place(call)
        held = self._registry.documents.get("tags", place.account, function, key) or {}
        return Answer(document={"Tags": held})

    def _keep(self, place: Place, function: str, key: str, tags: Mapping[str, str]) -> None:
        check_tags(tags)
        if function:
            self._switch_network(place, function, tags.get(NETWORK_TAG))
        self._registry.documents.put("tags", place.account, function, key, dict(tags))
        if function:
            self._registry.touch(self._registry.function(place, function))

    def _switch_network(self, place: Place, name: str, network: str | None) -> None:
        """Let a function's code reach what its tag says, from the next environment on."""
        function = self._registry.function(place, name)
        before = function.latest
        wanted = Configuration().network if network is None else checked_network(network)
        if function.app or before.configuration.network == wanted:
            return
        self._registry.check_idle(function)
        self._registry.update(function, configuration=replace(before.configuration, network=wanted))
        self._preparing.retire(before)
        self._preparing.begin(function)

    def _place(self, call: Call) -> tuple[Place, str, str]:
        """(place, function, key) of the document that holds a resource's tags."""
        arn = _resource(call)
        faults = Faults()
        faults.pattern(arn, "resource", RESOURCE_PATTERN)
        faults.check()
        parts = arn.split(":")
        place = Place(parts[4], parts[3])
        if parts[5] == "function":
            if len(parts) > 7:
                raise InvalidParameterValue(
                    "Tags on function aliases and versions are not supported. Please specify a"
                    " function ARN."
                )
            self._registry.function(place, parts[6])
            return place, parts[6], ""
        if parts[5] == "event-source-mapping":
            if not self._mapping_exists(place, parts[6]):
                raise ResourceNotFound(f"Event source mapping not found: {arn}")
            return place, "", parts[6]
        raise InvalidParameterValue(f"The resource '{arn}' cannot have tags.")


def check_tags(tags: Any) -> None:
    """Refuse tags that AWS would refuse. Raises InvalidParameterValue."""
    if not isinstance(tags, Mapping):
        raise InvalidParameterValue("Tags must be a map of texts.")
    if len(tags) > TAGS_MAX:
        raise InvalidParameterValue("Number of tags exceeds resource tag limit.")
    for key, value in tags.items():
        if not 1 <= len(key) <= KEY_CHARACTERS_MAX or key.lower().startswith("aws:"):
            raise InvalidParameterValue(f"The tag key '{key[:KEY_CHARACTERS_MAX]}' is not allowed.")
        if not isinstance(value, str) or len(value) > VALUE_CHARACTERS_MAX:
            raise InvalidParameterValue(
                f"The value of the tag '{key}' must be a text of at most"
                f" {VALUE_CHARACTERS_MAX} characters."
            )


def _resource(call: Call) -> str:
    return call.parameters["Resource"]
