"""Event source mappings through the API: what may be asked for, and how it is shown.

SQS queues are the sources that there are. Source: Lambda API reference; recorded answers of the
service.
"""

from __future__ import annotations

import uuid
from typing import Any

from dynimo.api.aws import names, pages
from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.lambda_members import asked
from dynimo.api.aws.lambda_tags import check_tags
from dynimo.api.aws.validation import Faults
from dynimo.backlog.aws import NO_ENDPOINT, AwsUnavailable
from dynimo.backlog.batches import RECEIVE_MAX, REPORT
from dynimo.backlog.destinations import Target, target
from dynimo.backlog.mappings import DELETING, DISABLED, ENABLED, MAPPING, Mappings
from dynimo.backlog.patterns import InvalidPattern, Pattern
from dynimo.model.errors import (
    InvalidParameterValue,
    ResourceConflict,
    ResourceInUse,
    ResourceNotFound,
)
from dynimo.model.names import Place
from dynimo.registry.registry import Registry

REST_PATH = "/2015-03-31/event-source-mappings"
BATCH_DEFAULT, BATCH_MAX = 10, 10_000
WINDOW_SECONDS_MAX = 300
CONCURRENCY_MIN, CONCURRENCY_MAX = 2, 1000
FILTERS_MAX = 10
PAGE_DEFAULT = 100
POSITIONS = ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
STREAMS = frozenset({"dynamodb", "kinesis", "kafka"})
_STREAMS_ONLY = (
    "DestinationConfig", "ParallelizationFactor", "StartingPosition", "StartingPositionTimestamp",
    "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts",
    "TumblingWindowInSeconds", "Topics", "Queues", "SourceAccessConfigurations",
)  # fmt: skip
_GONE = "The resource you requested does not exist."


class MappingOperations:
    """The operations on event source mappings."""

    def __init__(self, registry: Registry, mappings: Mappings) -> None:
        self._registry = registry
        self._mappings = mappings

    def operations(self) -> list[Operation]:
        """All of them."""
        one = REST_PATH + "/{UUID}"
        return [
            Operation(name="CreateEventSourceMapping", method="POST", path=REST_PATH,
                      run=self._create, status=202, resource=_resource),
            Operation(name="ListEventSourceMappings", method="GET", path=REST_PATH,
                      run=self._list, resource=_resource),
            Operation(name="GetEventSourceMapping", method="GET", path=one, run=self._get,
                      resource=_resource),
            Operation(name="UpdateEventSourceMapping", method="PUT", path=one, run=self._update,
                      status=202, resource=_resource),
            Operation(name="DeleteEventSourceMapping", method="DELETE", path=one,
                      run=self._delete, status=202, resource=_resource),
        ]  # fmt: skip

    async def _create(self, call: Call) -> Answer:
        wanted = asked(call)
        _check_model(wanted)
        queue = _source(wanted)
        named = self._function(call, wanted)
        _check_settings(wanted)
        settled = _settled(wanted, {})
        _check_batch(settled, queue)
        tags = wanted.get("Tags") or {}
        check_tags(tags)
        self._check_new(named, queue)
        await self._check_queue(queue, named)
        self._check_new(named, queue)  # another may have come meanwhile
        key = str(uuid.uuid4())
        document = {
            "UUID": key,
            "EventSourceArn": queue.arn,
            "EventSourceMappingArn": _arn(call.place, key),
            "FunctionArn": named.arn,
            "State": DISABLED if wanted.get("Enabled") is False else ENABLED,
            "StateTransitionReason": "USER_INITIATED",
            **settled,
        }
        if tags:
            self._registry.documents.put("tags", call.place.account, "", key, dict(tags))
        return Answer(document=self._mappings.put(call.place.account, document, moving="Creating"))

    async def _update(self, call: Call) -> Answer:
        wanted = asked(call)
        _check_model(wanted)
        held = self._held(call)
        if held["State"] == DELETING:
            raise ResourceInUse("Cannot update the event source mapping because it is in use.")
        queue = target(held["EventSourceArn"])
        assert queue is not None
        _check_settings(wanted)
        document = {**held, **_settled(wanted, held)}
        _check_batch(document, queue)
        if wanted.get("FunctionName") is not None:
            named = self._function(call, wanted)
            if named.arn != held["FunctionArn"]:
                self._check_new(named, queue)
            document["FunctionArn"] = named.arn
        for empty in ("FilterCriteria", "ScalingConfig"):
            if not document.get(empty):
                document.pop(empty, None)
        moving = "Updating"
        if wanted.get("Enabled") is not None:
            before, document["State"] = document["State"], (
                ENABLED if wanted["Enabled"] else DISABLED
            )  # fmt: skip
            if before != document["State"]:
                moving = "Enabling" if wanted["Enabled"] else "Disabling"
        return Answer(document=self._mappings.put(call.place.account, document, moving=moving))

    async def _get(self, call: Call) -> Answer:
        found = self._mappings.get(call.place.account, call.parameters["UUID"])
        if found is None:
            raise ResourceNotFound(_GONE)
        return Answer(document=found)

    async def _delete(self, call: Call) -> Answer:
        gone = self._mappings.delete(call.place.account, call.parameters["UUID"])
        if gone is None:
            raise ResourceNotFound(_GONE)
        return Answer(document=gone)

    async def _list(self, call: Call) -> Answer:
        source, function = call.first("EventSourceArn"), call.first("FunctionName")
        arn = names.parse(call, function).arn if function else None
        held = [
            each
            for each in self._mappings.listed(call.place.account)
            if source in (None, each["EventSourceArn"]) and arn in (None, each["FunctionArn"])
        ]
        found = pages.page(
            call, held, lambda each: str(each["UUID"]), lambda each: each, default=PAGE_DEFAULT
        )
        return Answer(document=pages.listed("EventSourceMappings", found))

    def _held(self, call: Call) -> dict[str, Any]:
        account, key = call.place.account, call.parameters["UUID"]
        held = self._registry.documents.get(MAPPING, account, "", key)
        if held is None:
            raise ResourceNotFound(_GONE)
        document: dict[str, Any] = held
        return document

    def _function(self, call: Call, wanted: dict[str, Any]) -> names.Named:
        named = names.parse(call, str(wanted["FunctionName"]))
        if not self._registry.exists(named.place, named.function, named.qualifier):
            raise InvalidParameterValue("Function does not exist")
        return named

    def _check_new(self, named: names.Named, queue: Target) -> None:
        """A queue leads to a function once; and there are not too many."""
        for each in self._mappings.listed(named.place.account):
            if (each["FunctionArn"], each["EventSourceArn"]) == (named.arn, queue.arn):
                raise ResourceConflict(
                    f'An event source mapping with SQS arn (" {queue.arn} ") and function'
                    f' (" {named.function} ") already exists. Please update or delete the'
                    f" existing mapping with UUID {each['UUID']}"
                )
        limit = self._mappings.config.mappings_max
        if self._mappings.count >= limit:
            raise InvalidParameterValue(
                f"There are {limit} event source mappings already; delete one, or raise"
                " backlog.mappings_max."
            )

    async def _check_queue(self, queue: Target, named: names.Named) -> None:
        """The queue must be there, and hide a message for as long as the function may run."""
        if not self._mappings.configured:
            raise InvalidParameterValue(NO_ENDPOINT)
        try:
            attributes = await self._mappings.queue_attributes(queue)
        except AwsUnavailable as error:
            raise InvalidParameterValue(
                f"Error occurred while ReceiveMessage. SQS Error Code: {error.code or 'None'}."
                f" SQS Error Message: {error.detail}"
            ) from None
        hidden = float(attributes.get("VisibilityTimeout", "inf"))
        record = self._registry.record(named.place, named.function, named.qualifier)
        timeout = record.configuration.timeout_seconds
        if hidden < timeout:
            raise InvalidParameterValue(
                f"Queue visibility timeout: {hidden:g} seconds is less than Function timeout:"
                f" {timeout:g} seconds"
            )


def _check_model(wanted: dict[str, Any]) -> None:
    """The service model's own constraints. Raises ValidationFailed."""
    faults = Faults()
    faults.between(wanted.get("BatchSize"), "batchSize", 1, BATCH_MAX)
    window = wanted.get("MaximumBatchingWindowInSeconds")
    faults.between(window, "maximumBatchingWindowInSeconds", 0, WINDOW_SECONDS_MAX)
    faults.one_of(wanted.get("StartingPosition"), "startingPosition", POSITIONS)
    scaling = wanted.get("ScalingConfig")
    limit = scaling.get("MaximumConcurrency") if isinstance(scaling, dict) else None
    faults.between(limit, "scalingConfig.maximumConcurrency", CONCURRENCY_MIN, CONCURRENCY_MAX)
    types = wanted.get("FunctionResponseTypes")
    if isinstance(types, list):
        faults.at_most(types, "functionResponseTypes", 1)
        for each in types:
            faults.one_of(each, "functionResponseTypes", (REPORT,))
    faults.check()


def _source(wanted: dict[str, Any]) -> Target:
    """The queue that is meant. Raises ValidationFailed, InvalidParameterValue."""
    arn = wanted.get("EventSourceArn")
    parts = arn.split(":") if isinstance(arn, str) else []
    service = parts[2] if len(parts) > 5 else ""
    if "SelfManagedEventSource" in wanted:
        service = "kafka"
        if not wanted.get("SourceAccessConfigurations"):
            raise InvalidParameterValue(
                "Required 'sourceAccessConfigurations' parameter is missing."
            )
    if service in STREAMS and wanted.get("StartingPosition") is None:
        raise InvalidParameterValue(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy"
            " constraint: Member must not be null."
        )
    faults = Faults()
    faults.required(wanted.get("FunctionName"), "functionName")
    faults.check()
    if service in STREAMS:
        raise InvalidParameterValue(
            f"Dynimo polls SQS queues only; {service} is no event source here."
        )
    queue = target(str(arn))
    if queue is None or queue.kind != "sqs":
        raise InvalidParameterValue("Unrecognized event source.")
    return queue


def _check_settings(wanted: dict[str, Any]) -> None:
    """What SQS as a source allows. Raises InvalidParameterValue."""
    for name in _STREAMS_ONLY:
        if wanted.get(name) is not None:
            raise InvalidParameterValue(
                f"Unsupported {name} parameter for given event source mapping type."
            )
    criteria = wanted.get("FilterCriteria")
    filters = criteria.get("Filters") if isinstance(criteria, dict) else None
    if filters is None:
        return
    if not isinstance(filters, list) or len(filters) > FILTERS_MAX:
        raise InvalidParameterValue(f"At most {FILTERS_MAX} filters can be given.")
    for each in filters:
        text = each.get("Pattern") if isinstance(each, dict) else None
        try:
            Pattern(text if isinstance(text, str) else "")
        except InvalidPattern:
            raise InvalidParameterValue("Invalid filter pattern definition.") from None


def _check_batch(settled: dict[str, Any], queue: Target) -> None:
    """Batches and the time they gather must fit each other. Raises InvalidParameterValue."""
    size, window = settled["BatchSize"], settled["MaximumBatchingWindowInSeconds"]
    if queue.name.endswith(".fifo"):
        if size > RECEIVE_MAX:
            raise InvalidParameterValue("Batch size must not exceed 10 for FIFO queues")
        if window:
            raise InvalidParameterValue("Batching window is not supported for FIFO queues")
    if size > RECEIVE_MAX and not window:
        raise InvalidParameterValue(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is"
            " greater than 10"
        )


def _settled(wanted: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The settings that a request leaves a mapping with."""
    defaults = {
        "BatchSize": BATCH_DEFAULT,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }
    settled = {}
    for name, default in defaults.items():
        given = wanted.get(name)
        settled[name] = before.get(name, default) if given is None else given
    for name in ("FilterCriteria", "ScalingConfig"):
        given = wanted.get(name)
        if given is None:
            given = before.get(name)
        if given:
            settled[name] = given
        elif before:
            settled[name] = {}
    return settled


def _arn(place: Place, key: str) -> str:
    return place.arn("lambda", f"event-source-mapping:{key}")


def _resource(call: Call) -> str:
    key = call.parameters.get("UUID")
    return _arn(call.place, key) if key else "*"
