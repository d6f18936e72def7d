"""Asynchronous invocation as clients see it: boto3 and ``dynimo queue``, over a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest
import pytest_asyncio
from botocore.exceptions import ClientError

from dynimo.api.aws.door import Door, Open
from dynimo.api.aws.lambda_event_invoke import EventInvoke
from dynimo.api.aws.lambda_invoke import Invoking
from dynimo.api.aws.lambda_mappings import MappingOperations
from dynimo.api.queues import QueueDesk
from dynimo.backends.clocks import SystemClock
from dynimo.backlog.backlog import Backlog
from dynimo.backlog.config import Config
from dynimo.backlog.mappings import Mappings
from dynimo.datafolder import ADDRESS_FILE, KEY_FILE
from dynimo.model.function import Configuration
from dynimo.model.names import Place
from dynimo.registry.config import Config as RegistryConfig
from dynimo.registry.records import AliasRecord, Code
from dynimo.registry.registry import Registry
from dynimo.web.message import Request, Response
from dynimo.web.server import Server
from tests.unit.backlog.kit import ARN, QUEUE, QUICK, Functions, until

KEY = "a-key-of-this-folder"
ERROR = {"errorMessage": "no luck", "errorType": "ValueError"}
SQS = "arn:aws:sqs:us-east-1:000000000000:q"


class Rig:
    """Function ``f`` (version 1, alias ``live``) and ``g`` behind a server, and its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.functions = Functions()
        self.registry = Registry(folder, RegistryConfig())
        code = Code(sha256="0" * 64, size=1)
        for name in ("f", "g"):
            record = self.registry.create(Place(), name, Configuration(handler="f.h"), code)
            self.registry.publish(record)
            self.registry.put_alias(record, AliasRecord(name="live", version=1, revision=""))
        config = Config(**QUICK)
        self.backlog = Backlog(
            folder, SystemClock(), config, invoke=self.functions.invoke,
            resolve=self.registry.resolve, documents=self.registry.documents,
        )  # fmt: skip
        self.mappings = Mappings(
            self.registry.documents, self.backlog.aws, self.backlog.deliveries.urls, SystemClock(),
            config, invoke=self.functions.invoke,
        )  # fmt: skip
        self.client: Any = None

    def handler(self) -> QueueDesk:
        """The whole, from the door to the operator's path."""
        invoking = Invoking(
            self.functions.invoke, self.backlog.accept, self.registry.resolve,
            request_bytes_max=6_000_000, event_bytes_max=1_000_000,
        )  # fmt: skip
        parts = (EventInvoke(self.registry), MappingOperations(self.registry, self.mappings))
        operations = [each for part in (*parts, invoking) for each in part.operations()]

        async def nobody(_: Request) -> Response:
            return Response(status=404)

        door = Door({"lambda": operations}, Open("000000000000"), nobody, region="us-east-1")
        return QueueDesk(door, lambda asked: self.backlog.queues.ask(asked, Place()), KEY)

    async def ask(self, operation: str, **asked: Any) -> Any:
        """One call, in a thread: boto3 waits. Gives the answer without its metadata."""
        answer = await asyncio.to_thread(getattr(self.client, operation), **asked)
        self.status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        return answer

    async def refused(self, operation: str, **asked: Any) -> tuple[str, str]:
        """One call that fails: its code and message."""
        with pytest.raises(ClientError) as caught:
            await self.ask(operation, **asked)
        error: Any = caught.value.response["Error"]
        return error["Code"], error["Message"]

    async def queue(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``dynimo queue …``."""
        command = [sys.executable, "-m", "dynimo", "queue", *arguments, "--data", str(self.folder)]
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60
        )

    def idle(self) -> bool:
        """Whether every event is over."""
        return self.backlog.statistics()["events_kept"] == 0


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig of its own for each test."""
    made = Rig(tmp_path)
    await made.backlog.start()
    server = Server(made.handler())
    address = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    (tmp_path / ADDRESS_FILE).write_text(address)
    (tmp_path / KEY_FILE).write_text(KEY)
    made.client = boto3.client(
        "lambda", endpoint_url=address, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    yield made
    await server.stop(1)
    await made.mappings.close()
    await made.backlog.close()
    made.registry.close()


async def test_an_event_is_accepted_and_runs(rig: Rig) -> None:
    """202, with nothing in the body; the function gets the payload and the request's id."""
    answer = await rig.ask("invoke", FunctionName="f", InvocationType="Event", Payload=b'{"a":1}')
    await until(rig.idle)

    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    (ran,) = rig.functions.ran
    assert (ran.event, ran.function) == (b'{"a":1}', "f")


async def test_a_configuration_lives_as_on_the_service(rig: Rig) -> None:
    """Put replaces, update changes, list shows every qualifier, delete removes."""
    name = "function_event_invoke_config"
    put = await rig.ask(f"put_{name}", FunctionName="f", MaximumRetryAttempts=1)
    updated = await rig.ask(
        f"update_{name}", FunctionName="f", MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnSuccess": {"Destination": ARN + "g"}},
    )  # fmt: skip
    got = await rig.ask(f"get_{name}", FunctionName="f")
    await rig.ask(f"put_{name}", FunctionName="f:live", MaximumRetryAttempts=0)
    await rig.ask(f"put_{name}", FunctionName="f", Qualifier="1", MaximumRetryAttempts=2)
    listed = await rig.ask(f"list_{name}s", FunctionName="f")
    first = await rig.ask(f"list_{name}s", FunctionName="f", MaxItems=2)
    rest = await rig.ask(f"list_{name}s", FunctionName="f", Marker=first["NextMarker"])
    await rig.ask(f"delete_{name}", FunctionName="f", Qualifier="1")

    assert rig.status == 204
    assert put.pop("LastModified").timestamp() > 1.7e9
    assert put == {
        "FunctionArn": ARN + "f:$LATEST", "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }  # fmt: skip
    assert updated == got
    assert (got["MaximumRetryAttempts"], got["MaximumEventAgeInSeconds"]) == (1, 60)
    assert got["DestinationConfig"] == {"OnSuccess": {"Destination": ARN + "g"}, "OnFailure": {}}
    arns = [each["FunctionArn"] for each in listed["FunctionEventInvokeConfigs"]]
    assert arns == [ARN + "f:$LATEST", ARN + "f:1", ARN + "f:live"]
    assert len(first["FunctionEventInvokeConfigs"]) == 2
    assert len(rest["FunctionEventInvokeConfigs"]) == 1
    assert await rig.refused(f"get_{name}", FunctionName="f", Qualifier="1") == (
        "ResourceNotFoundException",
        f"The function {ARN}f:1 doesn't have an EventInvokeConfig",
    )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "You must specify at least one of error handling or destination setting."),
        ({"to": ARN + "f"}, "You can't specify the function as a destination for itself."),
        ({"to": ARN + "none"}, f"The destination ARN {ARN}none is invalid."),
        (
            {"to": "arn:aws:iam:us-east-1:000000000000:function:f"},
            (
                "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination="
                "arn:aws:iam:us-east-1:000000000000:function:f), onFailure=null) is invalid."
            ),
        ),
        (
            {"to": "arn:aws:events:us-east-1:000000000000:event-bus/default"},
            (
                "Dynimo has no event bus yet, so an event bus cannot be a destination; name a"
                " function, an SQS queue, an SNS topic, or a built-in queue"
                " (arn:aws:dynimo:REGION:ACCOUNT:queue/NAME)."
            ),
        ),
    ],
)
async def test_a_configuration_that_cannot_be_is_refused(
    rig: Rig, wanted: dict[str, Any], message: str
) -> None:
    """In the service's words."""
    given = {"DestinationConfig": {"OnSuccess": {"Destination": wanted["to"]}}} if wanted else {}
    refused = await rig.refused("put_function_event_invoke_config", FunctionName="f", **given)

    assert refused == ("InvalidParameterValueException", message)


async def test_what_is_not_there_is_told_as_the_service_tells_it(rig: Rig) -> None:
    """A missing function, version and configuration."""
    name = "function_event_invoke_config"
    gone = ("ResourceNotFoundException", "The function doesn't exist.")
    bare = f"The function {ARN}none:$LATEST doesn't have an EventInvokeConfig"

    put = {"MaximumRetryAttempts": 1}
    assert await rig.refused(f"put_{name}", FunctionName="none", **put) == gone
    assert await rig.refused(f"put_{name}", FunctionName="f", Qualifier="9", **put) == gone
    assert await rig.refused(f"list_{name}s", FunctionName="none") == gone
    for verb in ("get", "delete"):
        assert (await rig.refused(f"{verb}_{name}", FunctionName="none"))[1] == bare
    assert await rig.refused(f"update_{name}", FunctionName="none", **put) == gone
    out = await rig.refused(f"put_{name}", FunctionName="f", MaximumEventAgeInSeconds=60000)
    assert out == (
        "ValidationException",
        (
            "1 validation error detected: Value '60000' at 'maximumEventAgeInSeconds' failed to"
            " satisfy constraint: Member must have value less than or equal to 21600"
        ),
    )


async def test_a_mapping_without_an_endpoint_says_what_to_set(rig: Rig) -> None:
    """And what is not there is not found."""
    refused = await rig.refused("create_event_source_mapping", FunctionName="f", EventSourceArn=SQS)
    missing = await rig.refused("get_event_source_mapping", UUID="0" * 36)
    listed = await rig.ask("list_event_source_mappings")

    assert "backlog.aws_endpoint" in refused[1]
    assert missing == (
        "ResourceNotFoundException", "The resource you requested does not exist.",
    )  # fmt: skip
    assert listed == {"EventSourceMappings": []}


async def test_the_command_line_lists_shows_redrives_and_purges(rig: Rig) -> None:
    """What failed goes again when asked for; in words and in JSON."""
    rig.functions.script["f"] = lambda _: ERROR
    await rig.ask(
        "put_function_event_invoke_config", FunctionName="f", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": QUEUE + "failed"}},
    )  # fmt: skip
    await rig.ask("invoke", FunctionName="f", InvocationType="Event", Payload=b'{"n":7}')
    await until(rig.idle)
    listed = await rig.queue("list", "--json")
    shown = await rig.queue("show", "failed")
    rig.functions.script["f"] = lambda _: b"1"
    redriven = await rig.queue("redrive", "failed")
    await until(rig.idle)
    purged = await rig.queue("purge", "failed")
    unknown = await rig.queue("show", "none")
    (rig.folder / KEY_FILE).write_text("wrong")
    denied = await rig.queue("list")

    assert json.loads(listed.stdout) == {
        "queues": [{"name": "failed", "messages": 1, "arn": QUEUE + "failed"}]
    }
    assert ARN + "f:$LATEST" in shown.stdout
    assert '"condition":"RetriesExhausted"' in shown.stdout
    assert redriven.stdout == "1 redriven\n"
    assert [each.event for each in rig.functions.ran] == [b'{"n":7}', b'{"n":7}']
    assert purged.stdout == "0 dropped\n"
    assert (unknown.returncode, denied.returncode) == (3, 4)
    assert "There is no queue 'none'" in unknown.stderr
