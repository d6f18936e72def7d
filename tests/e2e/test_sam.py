"""A SAM template with all that is served, deployed for real, changed, and deployed again.

How each property is read is tests/unit/deploying/test_sam.py's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from dynimo.deploying.plain import runtime_here
from tests import emulated
from tests.e2e.aws import kit
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

SECONDS_MAX = 60.0
WAIT_SECONDS = 60.0
STACK = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test, AllowedValues: [test, prod]}
  Jobs: {Type: String}
  Size: {Type: Number, Default: 192}
Mappings:
  ByStage:
    test: {Timeout: 5}
    prod: {Timeout: 9}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: RUNTIME
    MemorySize: !Ref Size
    Timeout: !FindInMap [ByStage, !Ref Stage, Timeout]
    Environment: {Variables: {STAGE: !Ref Stage}}
Resources:
  Words:
    Type: AWS::Serverless::LayerVersion
    Properties: {LayerName: words, ContentUri: layer, CompatibleRuntimes: [RUNTIME]}
  Api:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "api-${Stage}"
      CodeUri: api
      Handler: app.handler
      AutoPublishAlias: live
      Layers: [!Ref Words]
      Tracing: Active
      EphemeralStorage: {Size: 600}
      LoggingConfig: {LogFormat: JSON}
      Tags: {team: blue}
      Environment:
        Variables:
          PORT: 8080
          WORKER: !GetAtt Worker.Arn
          JOINED: !Join ["-", [!Ref "AWS::Region", !If [Prod, p, t]]]
      FunctionUrlConfig: {AuthType: NONE}
      ReservedConcurrentExecutions: 5
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: worker
      CodeUri: worker
      Handler: work.handler
      DeadLetterQueue: {Type: SQS, TargetArn: !Ref Jobs}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig:
          OnSuccess: {Type: Lambda, Destination: !GetAtt Last.Arn}
          OnFailure:
            Type: SQS
            Destination: !Sub "arn:aws:dynimo:${AWS::Region}:${AWS::AccountId}:queue/failed"
      Events:
        Feed: {Type: SQS, Properties: {Queue: !Ref Jobs, BatchSize: 2}}
  Last:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: last
      Handler: index.handler
      InlineCode: "def handler(event, context): print('heard', event['responsePayload'])"
  OnlyProd:
    Type: AWS::Serverless::Function
    Condition: Prod
    Properties: {FunctionName: only-prod, CodeUri: worker, Handler: work.handler}
Outputs:
  Address: {Value: !GetAtt ApiUrl.FunctionUrl}
  Worker: {Value: !GetAtt Worker.Arn}
"""
UNSERVED = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Table:
    Type: AWS::DynamoDB::Table
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: unserved
      Handler: index.handler
      Runtime: RUNTIME
      InlineCode: |
        import os
        def handler(event, context):
            return [os.environ.get("KEPT"), os.environ.get("TABLE")]
      VpcConfig: {SubnetIds: [a]}
      Environment: {Variables: {KEPT: kept, TABLE: !Ref Table}}
      Events:
        Http: {Type: Api, Properties: {Path: /, Method: get}}
        Cron: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
"""
API = """\
import os, words
def handler(event, context):
    names = ("STAGE", "PORT", "WORKER", "JOINED")
    return {"word": words.WORD, "version": context.function_version,
            **{name: os.environ[name] for name in names}}
"""
WORKER = """\
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    print("worked", [each["body"] for each in event.get("Records", [])])
    return "well done"
"""


class Stack:
    """The folder of a template, and the platform that it goes to."""

    def __init__(self, folder: Path, server: Server, jobs: str) -> None:
        self.folder = folder
        self.server = server
        self.jobs = jobs
        self.aws = kit.client(server)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One verb in the folder."""
        return subprocess.run(
            [sys.executable, "-m", "dynimo", *arguments, "--data", str(self.server.data)],
            cwd=self.folder, capture_output=True, text=True, timeout=SECONDS_MAX,
        )  # fmt: skip

    def deploy(self, *arguments: str) -> Any:
        """Deploy the template strictly; what is told in JSON."""
        done = self.run(
            "deploy", "template.yaml", "--strict", "--parameter", f"Jobs={self.jobs}", "--json",
            *arguments,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write(self, **changes: str) -> None:
        """Write the template with texts exchanged."""
        text = STACK.replace("RUNTIME", runtime_here())
        for before, after in changes.items():
            assert before.replace("_", " ") in text
            text = text.replace(before.replace("_", " "), after)
        (self.folder / "template.yaml").write_text(text)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An SQS."""
    with emulated.endpoint(tmp_path_factory.mktemp("moto") / "log") as address:
        client = boto3.client(
            "sqs", endpoint_url=address, region_name=kit.REGION,
            aws_access_key_id="t", aws_secret_access_key="t",
        )  # fmt: skip
        yield client
        client.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, at: Any) -> Iterator[Stack]:
    """The stack, deployed once."""
    folder = tmp_path_factory.mktemp("stack")
    url = at.create_queue(QueueName="jobs")["QueueUrl"]
    asked = at.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    environment = {"DYNIMO_BACKLOG_AWS_ENDPOINT": at.meta.endpoint_url}
    server = Server(folder / "data", environment=environment).start()
    for name, text in (("api/app.py", API), ("worker/work.py", WORKER),
                       ("layer/python/words.py", 'WORD = "from the layer"\n')):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    made = Stack(folder, server, asked["Attributes"]["QueueArn"])
    made.write()
    told = made.deploy("--dry-run")
    assert made.run("versions", "api-test").returncode == 3, "a dry run makes nothing"
    assert {each["function"] for each in told["functions"]} == {"api-test", "worker", "last"}
    made.deploy()
    yield made
    made.aws.close()
    server.stop()


def _waited(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + WAIT_SECONDS
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def test_the_second_time_nothing_changes(stack: Stack) -> None:
    """Nor is a version published or a permission added."""
    stack.write()
    stack.deploy()
    before = stack.run("versions", "api-test").stdout
    told = stack.deploy()

    assert [each["changes"] + each["done"] for each in told["functions"]] == [[], [], []]
    assert stack.run("versions", "api-test").stdout == before


def test_the_url_leads_to_the_alias_with_layer_and_variables(stack: Stack) -> None:
    """As SAM has it: with AutoPublishAlias the URL is the alias's."""
    outputs = stack.deploy()["outputs"]
    path = outputs["Address"].partition(str(stack.server.port))[2]
    version = stack.aws.get_alias(FunctionName="api-test", Name="live")["FunctionVersion"]

    assert outputs["Worker"] == f"{kit.ARN}worker"
    assert stack.server.get(path).json == {
        "word": "from the layer", "version": version, "STAGE": "test", "PORT": "8080",
        "WORKER": f"{kit.ARN}worker", "JOINED": "us-east-1-t",
    }  # fmt: skip


def test_what_is_beside_a_function_is_there(stack: Stack) -> None:
    """Asked with boto3."""
    aws = stack.aws
    reserved = aws.get_function_concurrency(FunctionName="api-test")
    provisioned = aws.get_provisioned_concurrency_config(FunctionName="api-test", Qualifier="live")
    worker = aws.get_function_configuration(FunctionName="worker")

    assert reserved["ReservedConcurrentExecutions"] == 5
    assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
    assert aws.list_tags(Resource=f"{kit.ARN}api-test")["Tags"]["team"] in {"blue", "red"}
    assert worker["DeadLetterConfig"] == {"TargetArn": stack.jobs}
    assert (worker["MemorySize"], worker["Timeout"]) == (192, 5)


def test_messages_of_the_queue_are_worked_on(stack: Stack, at: Any) -> None:
    at.send_message(QueueUrl=at.get_queue_url(QueueName="jobs")["QueueUrl"], MessageBody="job 7")
    assert _waited(lambda: "worked ['job 7']" in stack.run("logs", "worker").stdout)


def test_results_go_where_the_template_says(stack: Stack) -> None:
    """A success to another function, a failure to a built-in queue."""
    stack.write()
    stack.deploy()
    stack.run("invoke", "worker", "--event", "{}", "--async")
    stack.run("invoke", "worker", "--event", '{"fail": "no luck"}', "--async")

    assert _waited(lambda: "heard well done" in stack.run("logs", "last").stdout)
    assert _waited(lambda: "no luck" in stack.run("queue", "show", "failed").stdout)


def test_a_change_beside_the_code_is_shown_and_made(stack: Stack) -> None:
    stack.write(**{"BatchSize:_2": "BatchSize: 3", "RetryAttempts:_0": "RetryAttempts: 1",
                   "team:_blue": "team: red"})  # fmt: skip
    told = {each["function"]: each for each in stack.deploy()["functions"]}
    aws = stack.aws
    (mapping,) = aws.list_event_source_mappings(FunctionName="worker")["EventSourceMappings"]
    config = aws.get_function_event_invoke_config(FunctionName="worker")

    assert told["api-test"]["changes"] == ['~ tags: {"team": "blue"} → {"team": "red"}']
    assert told["worker"]["done"] == ["asynchronous events", f"fed from {stack.jobs}"]
    assert mapping["BatchSize"] == 3
    assert config["MaximumRetryAttempts"] == 1
    stack.write()
    stack.deploy()


def test_a_condition_decides_what_is_made(stack: Stack) -> None:
    """For another stage, beside the first; nothing of it is called ignored."""
    told = stack.deploy("--parameter", "Stage=prod", "--dry-run")
    assert [each["function"] for each in told["functions"]] == [
        "api-prod", "worker", "last", "only-prod",
    ]  # fmt: skip
    assert told["ignored"] == []


def test_what_is_not_served_is_named_with_its_line(stack: Stack) -> None:
    """And refused with --strict; what can be known of a structure is kept."""
    text = UNSERVED.replace("RUNTIME", runtime_here())
    (stack.folder / "unserved.yaml").write_text(text)
    lines = {name: number for number, line in enumerate(text.splitlines(), 1)
             for name in ("Table:", "VpcConfig:", "Environment:", "Http:", "Cron:")
             if line.strip().startswith(name)}  # fmt: skip
    strict = stack.run("deploy", "unserved.yaml", "--strict")
    first, second = (stack.run("deploy", "unserved.yaml") for _ in range(2))

    for said in (strict, first):
        for name, line in lines.items():
            assert f"ignored  line {line}: " in said.stderr, name
    assert (strict.returncode, "5 things would be ignored" in strict.stderr) == (1, True)
    assert first.returncode == 0
    assert "  unchanged\n" in second.stdout
    assert json.loads(stack.run("invoke", "unserved").stdout) == ["kept", None]


def test_what_the_platform_refuses_is_told_with_whom_it_is_about(stack: Stack) -> None:
    stack.write(**{"BatchSize:_2": "BatchSize: 50"})
    done = stack.run("deploy", "template.yaml", "--parameter", f"Jobs={stack.jobs}")
    stack.write()
    assert done.returncode == 1
    assert f"dynimo: worker, fed from {stack.jobs}: InvalidParameterValueException" in done.stderr
