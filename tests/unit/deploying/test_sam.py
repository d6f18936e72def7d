"""SAM templates: what is wanted, and that nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.deploying import sam
from dynimo.deploying.wanted import Wanted
from dynimo.model.errors import DeployError
from dynimo.model.names import Place

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
  Size: {Type: Number}
Globals:
  Function:
    Runtime: python3.11
    Timeout: 7
    Environment:
      Variables:
        STAGE: !Ref Stage
  Api:
    Cors: "'*'"
Conditions:
  Never: !Equals [a, b]
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties: {QueueName: orders}
  Libraries:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.11]}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "worker-${Stage}"
      CodeUri: worker
      Handler: worker.handler
      MemorySize: !Ref Size
      AutoPublishAlias: live
      Layers: [!Ref Libraries, !Sub "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:layer:x:1"]
      Policies: [AWSLambdaBasicExecutionRole]
      Environment:
        Variables:
          OTHER: !GetAtt Reader.Arn
          LITERAL: !Sub "${!Stage} ${Other}"
      Events:
        Queue:
          Type: SQS
          Properties: {Queue: !GetAtt Orders.Arn, BatchSize: 3}
        Http:
          Type: HttpApi
  Reader:
    Type: AWS::Serverless::Function
    Condition: Never
    Properties:
      InlineCode: |
        def handler(event, context): return 1
      Handler: index.handler
      FunctionUrlConfig: {AuthType: NONE}
"""


def _read(folder: Path, text: str, **parameters: str) -> Wanted:
    path = folder / "template.yaml"
    path.write_text(text)
    return sam.read(path, Place("111122223333", "eu-west-1"), parameters)


def test_a_template_becomes_functions(tmp_path: Path) -> None:
    text = TEMPLATE.replace('"${!Stage} ${Other}"', '"${!Stage} ${Stage}"')
    wanted = _read(tmp_path, text, Size="256")
    worker, reader = wanted.functions

    assert worker.name == "worker-test"
    assert worker.settings["MemorySize"] == 256
    assert worker.settings["Timeout"] == 7
    assert worker.settings["Runtime"] == "python3.11"
    assert worker.settings["Role"] == "arn:aws:iam::111122223333:role/worker-test"
    assert worker.settings["Environment"]["Variables"] == {
        "STAGE": "test",
        "OTHER": "arn:aws:lambda:eu-west-1:111122223333:function:Reader",
        "LITERAL": "${Stage} test",
    }
    assert worker.layers_here == ("Libraries",)
    assert worker.settings["Layers"] == ["arn:aws:lambda:eu-west-1:111122223333:layer:x:1"]
    assert worker.alias == "live"
    assert worker.code == tmp_path / "worker"
    assert worker.mappings == (
        {"EventSourceArn": "arn:aws:sqs:eu-west-1:111122223333:orders", "BatchSize": 3},
    )
    assert reader.inline.startswith("def handler")
    assert reader.url == {"AuthType": "NONE"}
    assert wanted.layers[0].content == tmp_path / "layer"


def test_everything_ignored_is_named_with_its_line(tmp_path: Path) -> None:
    wanted = _read(tmp_path, TEMPLATE, Size="128")
    lines = TEMPLATE.splitlines()
    told = {each.what: lines[each.line - 1].strip() for each in wanted.ignored}

    assert told["Conditions"] == "Conditions:"
    assert told["Globals.Api"] == "Api:"
    assert told["Orders (AWS::SQS::Queue)"] == "Orders:"
    assert told["Worker.Policies"] == "Policies: [AWSLambdaBasicExecutionRole]"
    assert told["Worker.Events.Http"] == "Http:"
    assert told["Reader.Condition"] == "Condition: Never"
    # ${Other} is nothing that this template knows.
    assert told["Worker.Environment"].startswith("Environment:")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no template"),
        ("Resources: [", "line"),
        ("Resources: {}", "holds no function"),
        ("a: 1\nb: !Ref {", "line"),
        ("Resources: {Q: {Type: 'AWS::SQS::Queue'}}", "holds no function"),
        ("&a [" + "[" * 200 + "]" * 200 + "]", "deep"),
    ],
)
def test_what_is_no_template_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DeployError, match=why):
        _read(tmp_path, text)


def test_a_parameter_without_a_value_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="--parameter Size=VALUE"):
        _read(tmp_path, TEMPLATE)


def test_the_code_is_beside_the_template_when_it_names_none(tmp_path: Path) -> None:
    text = "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {Handler: a.b}}}"
    assert _read(tmp_path, text).functions[0].code == tmp_path
