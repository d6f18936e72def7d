"""Events for later, against the real program: retries, destinations, dead letters, SQS, kill -9."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests import emulated
from tests.e2e.aws import kit
from tests.e2e.serving import Server

QUEUE = f"arn:aws:dynimo:{kit.REGION}:000000000000:queue/"
QUICK = {
    "DYNIMO_BACKLOG_FIRST_RETRY_SECONDS": "0.05",
    "DYNIMO_BACKLOG_SECOND_RETRY_SECONDS": "0.05",
    "DYNIMO_BACKLOG_BACKOFF_SECONDS_MIN": "0.02",
    "DYNIMO_BACKLOG_POLL_SECONDS": "1",
}
KILLS = 3
PICKY = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"did": event.get("n"), "request": context.aws_request_id}
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an SQS and an SNS."""
    with emulated.endpoint(tmp_path_factory.mktemp("moto") / "log") as address:
        yield address


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Iterator[Server]:
    """A server that tries again soon, and reaches that endpoint."""
    data = tmp_path_factory.mktemp("later") / "data"
    environment = {**QUICK, "DYNIMO_BACKLOG_AWS_ENDPOINT": endpoint}
    made = Server(data, (), environment).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def aws(server: Server) -> Any:
    made = kit.client(server)
    kit.create(made, "picky", PICKY)
    return made


def sqs(endpoint: str) -> Any:
    made = boto3.client(
        "sqs", endpoint_url=endpoint, region_name=kit.REGION,
        aws_access_key_id="t", aws_secret_access_key="t",
    )  # fmt: skip
    kit.OPEN.append(made)
    return made


def queue(at: Any, name: str) -> tuple[str, str]:
    """(address, ARN) of a new SQS queue."""
    url = at.create_queue(QueueName=name)["QueueUrl"]
    asked = at.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, asked["Attributes"]["QueueArn"]


def held(server: Server, *asked: str) -> Any:
    """What ``dynimo queue`` says."""
    command = [sys.executable, "-m", "dynimo", "queue", *asked, "--json", "--data"]
    told = subprocess.run([*command, str(server.data)], capture_output=True, text=True, timeout=60)
    return json.loads(told.stdout) if told.returncode == 0 else {"messages": [], "queues": []}


def messages(server: Server, name: str) -> list[dict[str, Any]]:
    """What a built-in queue holds."""
    found: list[dict[str, Any]] = held(server, "show", name, "--limit", "1000")["messages"]
    return found


def later(aws: Any, name: str, event: Any) -> str:
    """Send one event; the id of its request."""
    answer = aws.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    request: str = answer["ResponseMetadata"]["RequestId"]
    return request


def test_an_event_that_fails_is_tried_three_times_and_told(
    aws: Any, server: Server, wait_until: Callable[..., None]
) -> None:
    """The same request id in each try; the record and the dead letter say how it ended."""
    aws.update_function_configuration(
        FunctionName="picky", DeadLetterConfig={"TargetArn": QUEUE + "letters"}
    )
    kit.updated(aws, "picky")
    aws.put_function_event_invoke_config(
        FunctionName="picky",
        DestinationConfig={"OnFailure": {"Destination": QUEUE + "failed"}},
    )
    request = later(aws, "picky", {"fail": "no luck"})
    wait_until(lambda: messages(server, "failed") and messages(server, "letters"))

    (record,) = [json.loads(each["body"]) for each in messages(server, "failed")]
    (letter,) = messages(server, "letters")
    logs = kit.client(server, "logs")
    wait_until(lambda: len(_starts(logs, request)) == 3)
    assert record["requestContext"] == {
        "requestId": request,
        "functionArn": f"{kit.ARN}picky:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["responsePayload"]["errorMessage"] == "no luck"
    assert (letter["body"], letter["attributes"]) == (
        '{"fail": "no luck"}',
        {"RequestID": request, "ErrorCode": "200", "ErrorMessage": "no luck"},
    )


def _starts(logs: Any, request: str) -> list[str]:
    """The START lines of a request."""
    found = logs.filter_log_events(logGroupName="/aws/lambda/picky", filterPattern=f'"{request}"')
    return [each["message"] for each in found["events"] if each["message"].startswith("START")]


def test_a_result_goes_to_a_function_and_to_sqs(
    aws: Any, server: Server, endpoint: str, wait_until: Callable[..., None]
) -> None:
    """A chain: the first function's record is the second's event; its own record is in SQS."""
    at = sqs(endpoint)
    url, arn = queue(at, "chain-end")
    kit.create(aws, "first", PICKY)
    kit.create(aws, "second", "def handler(e, c): return e['responsePayload']['did'] * 2")
    for name, to in (("first", f"{kit.ARN}second"), ("second", arn)):
        aws.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": to}}
        )
    later(aws, "first", {"n": 21})
    got: list[Any] = []

    def received() -> bool:
        got.extend(at.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []))
        return bool(got)

    wait_until(received)
    body = json.loads(got[0]["Body"])
    assert body["responsePayload"] == 42
    assert body["requestContext"]["condition"] == "Success"


def test_what_failed_can_be_sent_again(
    aws: Any, server: Server, wait_until: Callable[..., None]
) -> None:
    """``dynimo queue redrive`` runs the event anew; when it succeeds the queue stays empty."""
    kit.create(aws, "mended", "def handler(e, c): raise RuntimeError('broken')")
    aws.put_function_event_invoke_config(
        FunctionName="mended",
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnFailure": {"Destination": QUEUE + "broken"},
            "OnSuccess": {"Destination": QUEUE + "whole"},
        },
    )
    later(aws, "mended", {"n": 1})
    wait_until(lambda: messages(server, "broken"))
    aws.update_function_code(
        FunctionName="mended", ZipFile=kit.zipped("def handler(e, c): return e")
    )
    kit.updated(aws, "mended")

    redriven = held(server, "redrive", "broken")
    wait_until(lambda: messages(server, "whole"))

    assert redriven == {"redriven": 1}
    assert messages(server, "broken") == []
    assert json.loads(messages(server, "whole")[0]["body"])["responsePayload"] == {"n": 1}


def test_a_queue_feeds_a_function_while_its_mapping_is_enabled(
    aws: Any, server: Server, endpoint: str, wait_until: Callable[..., None]
) -> None:
    """Batches come; what is reported as failed comes again; a disabled mapping polls no more."""
    at = sqs(endpoint)
    url, arn = queue(at, "feeding")
    done, _ = queue(at, "feeding-done")
    at.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "3"})
    kit.create(aws, "fed", FED.format(endpoint=endpoint, url=done), Timeout=3)
    mapping = aws.create_event_source_mapping(
        FunctionName="fed", EventSourceArn=arn, BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )["UUID"]  # fmt: skip
    for number in range(4):
        at.send_message(QueueUrl=url, MessageBody=str(number))
    got: list[str] = []

    def collected(count: int) -> bool:
        answer = at.receive_message(QueueUrl=done, MaxNumberOfMessages=10)
        for each in answer.get("Messages", []):
            got.append(each["Body"])
            at.delete_message(QueueUrl=done, ReceiptHandle=each["ReceiptHandle"])
        return len(got) >= count

    wait_until(lambda: collected(4))
    assert sorted(got) == ["0", "1", "2", "3"]  # 3 was refused once, and came again alone

    aws.update_event_source_mapping(UUID=mapping, Enabled=False)
    wait_until(lambda: aws.get_event_source_mapping(UUID=mapping)["State"] == "Disabled")
    at.send_message(QueueUrl=url, MessageBody="4")
    counted = at.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]  # fmt: skip
    assert counted["ApproximateNumberOfMessages"] == "1"
    aws.update_event_source_mapping(UUID=mapping, Enabled=True)
    wait_until(lambda: collected(5))
    assert got[-1] == "4"
    aws.delete_event_source_mapping(UUID=mapping)


FED = """
import boto3
queue = boto3.client("sqs", endpoint_url="{endpoint}", region_name="us-east-1",
                     aws_access_key_id="t", aws_secret_access_key="t")

def handler(event, context):
    failed = []
    for each in event["Records"]:
        if each["body"] == "3" and each["attributes"]["ApproximateReceiveCount"] == "1":
            failed.append({{"itemIdentifier": each["messageId"]}})
        else:
            queue.send_message(QueueUrl="{url}", MessageBody=each["body"])
    return {{"batchItemFailures": failed}}
"""


def test_nothing_that_was_acknowledged_is_lost_by_a_kill(
    tmp_path: Path, serve: Callable[..., Server], wait_until: Callable[..., None]
) -> None:
    """SIGKILL at any moment: after the restart every event that got its 202 comes to its end."""
    server = serve(**QUICK)
    aws = kit.client(server)
    kit.create(aws, "kept", "def handler(e, c): return e")
    aws.put_function_event_invoke_config(
        FunctionName="kept", DestinationConfig={"OnSuccess": {"Destination": QUEUE + "kept"}}
    )
    acknowledged: set[int] = set()
    for _ in range(KILLS):
        _send_until_killed(server, acknowledged)
        server = serve(**QUICK)
    assert acknowledged

    def ended() -> set[int]:
        return {
            json.loads(each["body"])["responsePayload"]["n"] for each in messages(server, "kept")
        }

    wait_until(lambda: acknowledged <= ended())


def _send_until_killed(server: Server, acknowledged: set[int]) -> None:
    aws = kit.client(server)
    assert server.process is not None
    timer = threading.Timer(random.uniform(0.1, 0.7), server.process.kill)
    timer.start()
    number = max(acknowledged, default=0)
    with contextlib.suppress(BotoCoreError, ClientError, ConnectionError):
        while True:
            number += 1
            later(aws, "kept", {"n": number})
            acknowledged.add(number)
    timer.join()
    server.process.wait(10)
    server.log.close()
