"""What AWS was recorded to refuse about events for later and event sources: word for word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests import emulated
from tests.e2e.aws import kit, recorded
from tests.e2e.aws.recorded import BAD, CONFLICT, INVALID, MISSING, NOT_FOUND, ONE_ERROR, Case
from tests.e2e.serving import Server

PUT, UPDATE, GET, DROP = (
    f"{verb}_function_event_invoke_config" for verb in ("put", "update", "get", "delete")
)
ONCE = {"MaximumRetryAttempts": 1}
DERIVED = "The derived qualifier from the function name does not match the specified qualifier."


def without(name: str) -> str:
    return "The function {arn}" + name + " doesn't have an EventInvokeConfig"


def to(arn: str, when: str = "OnSuccess") -> dict[str, Any]:
    return {"FunctionName": "{fn}", "DestinationConfig": {when: {"Destination": arn}}}


EVENT_INVOKE = [
    *(
        Case(PUT, {"FunctionName": name, **ONCE}, NOT_FOUND, "The function doesn't exist.")
        for name in (MISSING, kit.ARN + MISSING)
    ),
    Case(PUT, {"FunctionName": MISSING}, BAD,
      "You must specify at least one of error handling or destination setting."),
    Case(UPDATE, {"FunctionName": "{fn}"}, BAD,
      "You must specify at least one of error handling or destination setting."),
    Case(PUT, to(kit.ARN + MISSING), BAD, f"The destination ARN {kit.ARN}{MISSING} is invalid."),
    Case(PUT, to("{arn}{fn}"), BAD, "You can't specify the function as a destination for itself."),
    Case(PUT, to("arn:aws:iam:us-east-1:000000000000:function:{fn}"), BAD,
      "The provided destination config"
      " DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam:"
      "us-east-1:000000000000:function:{fn}), onFailure=null) is invalid."),
    Case(PUT, to("arn:aws:_-/!lambda:us-east-1:000000000000:function:{fn}", "OnFailure"), INVALID,
      ONE_ERROR + "'arn:aws:_-/!lambda:us-east-1:000000000000:function:{fn}' at"
      " 'destinationConfig.onFailure.destination' failed to satisfy constraint: Member must satisfy"
      " regular expression pattern: ", cut=True),
    Case(PUT, {"FunctionName": "{fn}", "Qualifier": "livedoesnotexist", **ONCE}, NOT_FOUND,
      "The function doesn't exist."),
    *(
        Case(PUT, {"FunctionName": name, "Qualifier": qualifier, **ONCE}, BAD, DERIVED)
        for name, qualifier in (
            ("{arn}{fn}:live", "livedoesnotexist"), ("{fn}:live", "livedoesnotexist"),
            ("{fn}:1", "$LATEST"), ("{fn}:$LATEST", "1"), ("{fn}:1", "live"),
        )
    ),
    *(
        Case(operation, {"FunctionName": name}, NOT_FOUND, without(label))
        for operation in (GET, DROP)
        for name, label in (
            (MISSING, MISSING + ":$LATEST"), ("{fn}", "{fn}:$LATEST"), ("{fn}:1221", "{fn}:1221"),
            ("{fn}:1", "{fn}:1"), ("{fn}:live", "{fn}:live"), ("{arn}{fn}:live", "{fn}:live"),
        )
    ),
    Case(GET,
         {"FunctionName": "{fn}", "Qualifier": MISSING}, NOT_FOUND, without("{fn}:" + MISSING)),
    Case(UPDATE, {"FunctionName": MISSING, **ONCE}, NOT_FOUND, "The function doesn't exist."),
    Case(UPDATE, {"FunctionName": "{arn}{fn}:live", **ONCE}, NOT_FOUND, without("{fn}:live")),
    Case(UPDATE, {"FunctionName": "{arn}{fn}", **ONCE}, NOT_FOUND, without("{fn}:$LATEST")),
    Case("list_function_event_invoke_configs", {"FunctionName": MISSING}, NOT_FOUND,
      "The function doesn't exist."),
]  # fmt: skip

CREATE = "create_event_source_mapping"
QUEUE = f"arn:aws:sqs:{kit.REGION}:123456789012:"
SOURCE = {"FunctionName": "{fn}", "EventSourceArn": QUEUE + "taken"}
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2024-01-01T00:00:00.000"
NO_SUCH = "The resource you requested does not exist."
UNKNOWN = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
MAPPINGS = [
    *(
        Case(f"{verb}_event_source_mapping", {"UUID": UNKNOWN, **more}, NOT_FOUND, NO_SUCH)
        for verb, more in (("get", {}), ("delete", {}), ("update", {"Enabled": False}))
    ),
    Case(CREATE, {"FunctionName": MISSING}, BAD, "Unrecognized event source."),
    Case(CREATE, {"FunctionName": MISSING, "EventSourceArn": QUEUE + "taken"}, BAD,
      "Function does not exist"),
    Case(CREATE, {**SOURCE, "DestinationConfig": {"OnSuccess": {"Destination": QUEUE + "x"}}}, BAD,
      "Unsupported DestinationConfig parameter for given event source mapping type."),
    Case(CREATE, {**SOURCE, "BatchSize": 11}, BAD, "Maximum batch window in seconds must be"
      " greater than"
      " 0 if maximum batch size is greater than 10"),
    Case(CREATE, {**SOURCE, "FilterCriteria": {"Filters": [{"Pattern": "no pattern"}]}}, BAD,
      "Invalid filter pattern definition."),
    Case(CREATE, {"FunctionName": "{fn}", "EventSourceArn": STREAM}, BAD,
      ONE_ERROR + "null at 'startingPosition' failed to satisfy constraint: Member must not be"
        " null."),
    Case(CREATE, {"FunctionName": "{fn}", "EventSourceArn": STREAM, "StartingPosition": "invalid"},
      INVALID, ONE_ERROR + "'invalid' at 'startingPosition' failed to satisfy constraint: Member"
        " must"
      " satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"),
    Case(CREATE, {"FunctionName": "{fn}", "Topics": ["t"], "StartingPosition": "LATEST",
               "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["k:1"]}}}, BAD,
      "Required 'sourceAccessConfigurations' parameter is missing."),
    Case(CREATE, {**SOURCE, "EventSourceArn": QUEUE + "nowhere"}, BAD,
      "Error occurred while ReceiveMessage. SQS Error Code:"
      " AWS.SimpleQueueService.NonExistentQueue."
      " SQS Error Message: The specified queue does not exist."),
    Case(CREATE, SOURCE, CONFLICT,
      f'An event source mapping with SQS arn (" {QUEUE}taken ") and function (" {recorded.FN} ")'
      " already exists. Please update or delete the existing mapping with UUID ", cut=True),
]  # fmt: skip


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an SQS with the queue ``taken``."""
    with emulated.endpoint(tmp_path_factory.mktemp("moto") / "log") as address:
        sqs = boto3.client(
            "sqs", endpoint_url=address, region_name=kit.REGION,
            aws_access_key_id="t", aws_secret_access_key="t",
        )  # fmt: skip
        sqs.create_queue(QueueName="taken")
        sqs.close()
        yield address


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[Any]:
    """A client of a server that polls ``taken`` for the function; no case changes anything."""
    data = tmp_path_factory.mktemp("events") / "data"
    server = Server(data, (), {"DYNIMO_BACKLOG_AWS_ENDPOINT": endpoint}).start()
    made = kit.client(server, validating=False)
    recorded.two_versions(made)
    made.create_event_source_mapping(**recorded.filled(SOURCE))
    yield made
    server.stop()


@pytest.fixture(scope="module")
def seen(aws: Any) -> list[recorded.Wire]:
    return recorded.watched(aws)


@pytest.mark.parametrize("case", [*EVENT_INVOKE, *MAPPINGS], ids=str)
def test_it_is_refused_as_aws_does(aws: Any, seen: list[recorded.Wire], case: Case) -> None:
    """Status, header, key case, type and text are those of the record."""
    expected, got = recorded.told(case, aws, seen)

    assert expected == got
