"""The backlog against an SQS and an SNS: moto's server, over HTTP, through unmodified boto3."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from dynimo.api.aws.calls import Call
from dynimo.api.aws.lambda_mappings import MappingOperations
from dynimo.backends.clocks import SystemClock
from dynimo.backlog.config import Config
from dynimo.backlog.mappings import Mappings
from dynimo.model.caller import Caller
from dynimo.model.errors import AwsError, TooManyRequests
from dynimo.model.function import Configuration
from dynimo.model.invocation import Invocation
from dynimo.model.names import Place
from dynimo.registry.config import Config as RegistryConfig
from dynimo.registry.records import Code
from dynimo.registry.registry import Registry
from dynimo.web.message import Request
from tests import emulated
from tests.unit.backlog.kit import ARN, QUICK, Desk, until

ERROR = {"errorMessage": "no luck", "errorType": "ValueError"}
REGION = "us-east-1"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that speaks SQS and SNS."""
    with emulated.endpoint(tmp_path_factory.mktemp("moto") / "log") as address:
        yield address


class Account:
    """What a test does at the endpoint, as an owner of queues would."""

    def __init__(self, endpoint: str, name: str) -> None:
        keys = {"aws_access_key_id": "t", "aws_secret_access_key": "t", "region_name": REGION}
        self.sqs = boto3.client("sqs", endpoint_url=endpoint, **keys)
        self.sns = boto3.client("sns", endpoint_url=endpoint, **keys)
        self.name = name

    def queue(self, kind: str = "q", **attributes: str) -> tuple[str, str]:
        """(address, ARN) of a new queue."""
        name = f"{self.name}-{kind}"
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:123456789012:{name}"

    def received(self, url: str) -> list[dict[str, Any]]:
        """What is in a queue."""
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def count(self, url: str) -> int:
        """How many messages a queue holds, seen or unseen."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@pytest.fixture
def account(endpoint: str, request: pytest.FixtureRequest) -> Account:
    """An account, with names of this test's own."""
    return Account(endpoint, hashlib.sha256(request.node.name.encode()).hexdigest()[:12])


# Destinations.


async def test_a_failure_goes_to_sqs_as_a_record_and_as_a_dead_letter(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """The record is JSON; the letter is the event, with its attributes."""
    records, records_arn = account.queue("records")
    letters, letters_arn = account.queue("letters")
    async with Desk(tmp_path, aws_endpoint=endpoint) as desk:
        desk.functions.script["f"] = lambda _: ERROR
        desk.functions.dead_letter["f"] = letters_arn
        desk.configure("f", MaximumRetryAttempts=0, failure=records_arn)
        await desk.accept(event=b'{"a":1}')
        await until(lambda: desk.backlog.deliveries.sent == 2)

    (record,), (letter,) = account.received(records), account.received(letters)
    assert json.loads(record["Body"])["responsePayload"] == ERROR
    assert letter["Body"] == '{"a":1}'
    assert letter["MessageAttributes"] == {
        "RequestID": {"StringValue": "id-1", "DataType": "String"},
        "ErrorCode": {"StringValue": "200", "DataType": "Number"},
        "ErrorMessage": {"StringValue": "no luck", "DataType": "String"},
    }


async def test_a_success_goes_to_a_topic(endpoint: str, account: Account, tmp_path: Path) -> None:
    """A queue that subscribes to the topic gets the record."""
    url, arn = account.queue()
    topic = account.sns.create_topic(Name=account.name)["TopicArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    async with Desk(tmp_path, aws_endpoint=endpoint) as desk:
        desk.functions.script["f"] = lambda _: b'"fine"'
        desk.configure("f", success=topic)
        await desk.accept()
        await until(lambda: desk.backlog.deliveries.sent == 1)

    (message,) = account.received(url)
    assert json.loads(json.loads(message["Body"])["Message"])["responsePayload"] == "fine"


async def test_a_delivery_waits_on_the_disk_for_an_endpoint_that_answers(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """First nobody listens; the next process, which can reach it, delivers."""
    url, arn = account.queue()
    nowhere = "http://127.0.0.1:9"
    async with Desk(tmp_path, aws_endpoint=nowhere, aws_timeout_seconds=1.0) as first:
        first.configure("f", success=arn)
        await first.accept()
        await until(lambda: first.backlog.deliveries.dispatcher.waiting == 1)
    async with Desk(tmp_path, aws_endpoint=endpoint) as second:
        await until(lambda: second.backlog.deliveries.sent == 1)

    assert len(account.received(url)) == 1
    assert second.functions.ran == []


async def test_what_cannot_be_delivered_is_put_aside_and_can_be_redriven(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """The queue was not there; later it is."""
    arn = f"arn:aws:sqs:{REGION}:123456789012:{account.name}-q"
    place = Place("123456789012", REGION)
    async with Desk(tmp_path, aws_endpoint=endpoint, delivery_age_seconds_max=0.02) as desk:
        desk.configure("f", success=arn)
        await desk.accept()
        await until(lambda: desk.backlog.deliveries.put_aside == 1)
        (aside,) = await desk.backlog.queues.shown(place, "undelivered", 10)
        url, _ = account.queue()
        redriven = await desk.backlog.queues.redrive(place, "undelivered")
        await until(lambda: desk.backlog.deliveries.sent == 1)

    assert aside["target"] == arn
    assert "does not exist" in aside["attributes"]["Undelivered"]
    assert redriven == 1
    assert len(account.received(url)) == 1


# Mappings.


class MappingDesk:
    """Mappings of functions ``f`` and ``g``, through the API's operations."""

    def __init__(self, folder: Path, desk: Desk, config: Config) -> None:
        self.registry = Registry(folder / "registry", RegistryConfig())
        for name in ("f", "g"):
            if not self.registry.exists(Place(), name):
                settings = Configuration(handler="f.h")
                self.registry.create(Place(), name, settings, Code(sha256="0" * 64, size=1))
        self.desk = desk
        self.mappings = Mappings(
            self.registry.documents, desk.backlog.aws, desk.backlog.deliveries.urls,
            SystemClock(), config, invoke=desk.functions.invoke,
        )  # fmt: skip
        operations = MappingOperations(self.registry, self.mappings).operations()
        self._run = {each.name.partition("EventSource")[0]: each.run for each in operations}

    async def ask(self, verb: str, uuid: str = "", query: str = "", **wanted: Any) -> Any:
        """The answer of one operation."""
        request = Request(method="POST", path="/", query=query, body=json.dumps(wanted).encode())
        caller = Caller(arn="a", account="000000000000")
        call = Call(request=request, place=Place(), caller=caller, parameters={"UUID": uuid})
        return (await self._run[verb](call)).document

    async def create(self, arn: str, **settings: Any) -> str:
        """Make one for ``f``; returns its UUID."""
        made = await self.ask("Create", EventSourceArn=arn, FunctionName="f", **settings)
        return str(made["UUID"])

    async def is_in(self, uuid: str, state: str) -> bool:
        """Whether a mapping is shown in a state."""
        return bool((await self.ask("Get", uuid))["State"] == state)

    def bodies(self) -> list[list[str]]:
        """The bodies of each batch that ran."""
        return [
            [each["body"] for each in json.loads(ran.event)["Records"]]
            for ran in self.desk.functions.ran
        ]


@asynccontextmanager
async def mapping_desk(folder: Path, endpoint: str) -> AsyncIterator[MappingDesk]:
    """Everything that polls, and its end."""
    settings = {**QUICK, "aws_endpoint": endpoint, "poll_seconds": 1}
    async with Desk(folder, **settings) as desk:
        made = MappingDesk(folder, desk, Config(**settings))
        await made.mappings.start()
        try:
            yield made
        finally:
            await made.mappings.close()
            made.registry.close()


async def test_a_message_runs_the_function_and_is_deleted(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """In AWS's event; the mapping goes through its states."""
    url, arn = account.queue()
    async with mapping_desk(tmp_path, endpoint) as desk:
        made = await desk.ask("Create", EventSourceArn=arn, FunctionName="f")
        uuid = made["UUID"]
        account.sqs.send_message(
            QueueUrl=url, MessageBody='{"a":1}',
            MessageAttributes={
                "colour": {"DataType": "String", "StringValue": "red"},
                "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        )  # fmt: skip
        await until(lambda: account.count(url) == 0 and desk.desk.functions.ran)
        await until(lambda: desk.is_in(uuid, "Enabled"))
        shown = await desk.ask("Get", uuid)

    assert made["State"] == "Creating"
    assert {key: value for key, value in made.items() if key not in {"UUID", "LastModified"}} == {
        "EventSourceArn": arn, "FunctionArn": ARN + "f", "State": "Creating", "BatchSize": 10,
        "EventSourceMappingArn": f"{ARN.removesuffix('function:')}event-source-mapping:{uuid}",
        "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [],
        "StateTransitionReason": "USER_INITIATED",
    }  # fmt: skip
    assert shown["LastProcessingResult"] == "OK"
    (record,) = json.loads(desk.desk.functions.ran[0].event)["Records"]
    attributes = record.pop("attributes")
    assert {"SentTimestamp", "ApproximateReceiveCount", "SenderId"} <= set(attributes)
    assert record.pop("messageId")
    assert record.pop("receiptHandle")
    assert record.pop("md5OfMessageAttributes")
    assert record == {
        "body": '{"a":1}', "md5OfBody": hashlib.md5(b'{"a":1}').hexdigest(),
        "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": REGION,
        "messageAttributes": {
            "colour": {"stringValue": "red", "stringListValues": [], "binaryListValues": [],
                       "dataType": "String"},
            "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [],
                    "dataType": "Binary"},
        },
    }  # fmt: skip


async def test_only_messages_that_failed_come_again(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """With ReportBatchItemFailures the others of the batch are deleted."""
    url, arn = account.queue(VisibilityTimeout="3")
    seen: list[str] = []

    def script(ran: Invocation) -> bytes:
        records = json.loads(ran.event)["Records"]
        bad = [each["messageId"] for each in records if each["body"] == "bad"]
        failed = [] if "bad" in seen else bad
        seen.extend(each["body"] for each in records)
        return json.dumps(
            {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
        ).encode()

    async with mapping_desk(tmp_path, endpoint) as desk:
        desk.desk.functions.script["f"] = script
        for body in ("good", "bad", "fine"):
            account.sqs.send_message(QueueUrl=url, MessageBody=body)
        await desk.create(arn, FunctionResponseTypes=["ReportBatchItemFailures"])
        await until(lambda: seen.count("bad") == 2 and account.count(url) == 0)

    assert sorted(seen) == ["bad", "bad", "fine", "good"]


async def test_a_batch_that_fails_comes_again_whole(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """Nothing is deleted; a throttled one is tried again at once."""
    url, arn = account.queue(VisibilityTimeout="3")
    answers: list[Any] = [b"1", TooManyRequests("x"), ERROR]

    def script(_: Invocation) -> Any:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with mapping_desk(tmp_path, endpoint) as desk:
        desk.desk.functions.script["f"] = script
        account.sqs.send_message(QueueUrl=url, MessageBody="m")
        await desk.create(arn)
        await until(lambda: not answers and account.count(url) == 0)
        first, second, third = desk.desk.functions.ran

    assert first.id != second.id
    assert (second.id, second.attempt) == (third.id, third.attempt - 1)


async def test_messages_that_no_filter_lets_through_are_deleted(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """They do not run, and do not stay."""
    url, arn = account.queue()
    pattern = json.dumps({"body": {"kind": ["order"], "total": [{"numeric": [">", 10]}]}})
    async with mapping_desk(tmp_path, endpoint) as desk:
        for body in ('{"kind":"order","total":11}', '{"kind":"order","total":9}', "no json"):
            account.sqs.send_message(QueueUrl=url, MessageBody=body)
        await desk.create(arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
        await until(lambda: account.count(url) == 0)

    assert desk.bodies() == [['{"kind":"order","total":11}']]


async def test_a_window_gathers_a_batch_that_is_larger_than_a_receive(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """Twenty-five messages are one event."""
    url, arn = account.queue()
    for number in range(25):
        account.sqs.send_message(QueueUrl=url, MessageBody=f"{number}")
    async with mapping_desk(tmp_path, endpoint) as desk:
        await desk.create(arn, BatchSize=25, MaximumBatchingWindowInSeconds=30)
        await until(lambda: account.count(url) == 0)

    assert [len(each) for each in desk.bodies()] == [25]


async def test_no_more_batches_run_at_once_than_the_mapping_allows(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """MaximumConcurrency bounds them; all come to run."""
    url, arn = account.queue()
    running, peak = 0, 0

    async def work(_: Invocation) -> bytes:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.05)
        running -= 1
        return b"1"

    for number in range(12):
        account.sqs.send_message(QueueUrl=url, MessageBody=f"{number}")
    async with mapping_desk(tmp_path, endpoint) as desk:
        desk.desk.functions.script["f"] = work
        await desk.create(arn, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        await until(lambda: account.count(url) == 0)

    assert peak == 2
    assert len(desk.desk.functions.ran) == 12


async def test_a_mapping_stops_starts_moves_and_goes(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """Its poller does what it says; a start finds it as it was."""
    url, arn = account.queue()
    async with mapping_desk(tmp_path, endpoint) as desk:
        uuid = await desk.create(arn)
        await until(lambda: desk.is_in(uuid, "Enabled"))
        disabling = await desk.ask("Update", uuid, Enabled=False, BatchSize=5)
        await until(lambda: desk.is_in(uuid, "Disabled"))
        account.sqs.send_message(QueueUrl=url, MessageBody="m")
        await asyncio.sleep(1.5)
        assert desk.desk.functions.ran == []
        enabling = await desk.ask("Update", uuid, Enabled=True, FunctionName="g")
        await until(lambda: desk.desk.ran("g") and account.count(url) == 0)
    async with mapping_desk(tmp_path, endpoint) as desk:
        account.sqs.send_message(QueueUrl=url, MessageBody="n")
        await until(lambda: desk.desk.ran("g") and account.count(url) == 0)
        listed = await desk.ask("List", query=f"EventSourceArn={arn}&FunctionName=g")
        deleting = await desk.ask("Delete", uuid)
        await until(lambda: not desk.mappings.exists(Place(), uuid))
        with pytest.raises(AwsError, match="The resource you requested does not exist."):
            await desk.ask("Get", uuid)
        account.sqs.send_message(QueueUrl=url, MessageBody="o")
        await asyncio.sleep(0.5)
        assert account.count(url) == 1

    assert (disabling["State"], disabling["BatchSize"]) == ("Disabling", 5)
    assert (enabling["State"], enabling["FunctionArn"]) == ("Enabling", ARN + "g")
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]
    assert deleting["State"] == "Deleting"


CREATE = {"FunctionName": "f"}
PATTERN = {"Filters": [{"Pattern": '{"a": "x"}'}]}


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        ({}, "InvalidParameterValueException", "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:::b"}, "InvalidParameterValueException",
         "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"},
         "InvalidParameterValueException",
         ("1 validation error detected: Value null at 'startingPosition' failed to satisfy"
         " constraint: Member must not be null.")),
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
          "StartingPosition": "invalid"}, "ValidationException",
         ("1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy"
         " constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]")),
        ({"SelfManagedEventSource": {}}, "InvalidParameterValueException",
         "Required 'sourceAccessConfigurations' parameter is missing."),
        ({"EventSourceArn": "ARN", "FunctionName": "none"}, "InvalidParameterValueException",
         "Function does not exist"),
        ({"EventSourceArn": "ARN", "DestinationConfig": {"OnFailure": {}}},
         "InvalidParameterValueException",
         "Unsupported DestinationConfig parameter for given event source mapping type."),
        ({"EventSourceArn": "ARN", "FilterCriteria": PATTERN}, "InvalidParameterValueException",
         "Invalid filter pattern definition."),
        ({"EventSourceArn": "ARN", "BatchSize": 11}, "InvalidParameterValueException",
         ("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater"
         " than 10")),
        ({"EventSourceArn": "ARN", "BatchSize": 0}, "ValidationException",
         ("1 validation error detected: Value '0' at 'batchSize' failed to satisfy constraint:"
         " Member must have value greater than or equal to 1")),
        ({"EventSourceArn": "ARN-none"}, "InvalidParameterValueException",
         ("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService."
         "NonExistentQueue. SQS Error Message: The specified queue does not exist.")),
    ],
)  # fmt: skip
async def test_a_mapping_that_cannot_be_is_refused_in_aws_words(
    endpoint: str, account: Account, tmp_path: Path, wanted: dict[str, Any], code: str, message: str
) -> None:
    """As recorded of the service."""
    _, arn = account.queue()
    given = {**CREATE, **wanted}
    if str(given.get("EventSourceArn", "")).startswith("ARN"):
        given["EventSourceArn"] = arn + given["EventSourceArn"].removeprefix("ARN")
    async with mapping_desk(tmp_path, endpoint) as desk:
        with pytest.raises(AwsError) as refused:
            await desk.ask("Create", **given)

    assert (refused.value.code, str(refused.value)) == (code, message)


async def test_a_queue_leads_to_a_function_once_and_must_hide_long_enough(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """The second mapping names the first."""
    _, arn = account.queue()
    _, short = account.queue("short", VisibilityTimeout="2")
    async with mapping_desk(tmp_path, endpoint) as desk:
        uuid = await desk.create(arn, Enabled=False)
        await until(lambda: desk.is_in(uuid, "Disabled"))
        with pytest.raises(AwsError) as twice:
            await desk.create(arn)
        with pytest.raises(AwsError, match="timeout: 2 seconds is less than Function timeout: 3"):
            await desk.create(short)

    assert (twice.value.status, str(twice.value)) == (
        409,
        (
            f'An event source mapping with SQS arn (" {arn} ") and function (" f ") already exists.'
            f" Please update or delete the existing mapping with UUID {uuid}"
        ),
    )


async def test_closing_does_not_wait_for_a_long_poll(
    endpoint: str, account: Account, tmp_path: Path
) -> None:
    """A poll of twenty seconds holds nobody up."""
    _, arn = account.queue()
    settings: dict[str, Any] = {**QUICK, "aws_endpoint": endpoint, "poll_seconds": 20}
    clock: Callable[[], float] = asyncio.get_running_loop().time
    async with Desk(tmp_path, **settings) as desk:
        made = MappingDesk(tmp_path, desk, Config(**settings))
        uuid = await made.create(arn)
        await until(lambda: made.is_in(uuid, "Enabled"))
        await asyncio.sleep(0.3)
        before = clock()
        await made.mappings.close()
        made.registry.close()

    assert clock() - before < 10
