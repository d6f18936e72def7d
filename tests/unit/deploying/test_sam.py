"""SAM templates: what is wanted, and that nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.deploying import sam
from dynimo.deploying.wanted import Wanted, url_mark
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
  Always: !Equals [a, a]
  Never: !Not [!Condition Always]
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
    Condition: Always
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

    assert told["Globals.Api"] == "Api:"
    assert told["Orders (AWS::SQS::Queue)"] == "Orders:"
    assert told["Worker.Policies"] == "Policies: [AWSLambdaBasicExecutionRole]"
    assert told["Worker.Events.Http"] == "Http:"
    # ${Other} is nothing that this template knows; the other variables are there.
    assert told["Worker.Environment.Variables.LITERAL"].startswith("LITERAL:")
    variables = wanted.functions[0].settings["Environment"]["Variables"]
    assert sorted(variables) == ["OTHER", "STAGE"]


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


CONDITIONAL = """\
Parameters:
  Stage: {Type: String, Default: test, AllowedValues: [test, prod]}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Both: !And [!Condition Prod, !Not [!Equals [a, b]]]
  Either: !Or [!Condition Prod, !Equals [a, b]]
  Round: !Not [!Condition Round]
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      AutoPublishAlias: !If [Prod, live, test]
      Timeout: !If [Both, 9, 5]
      Description: !If [Either, set, !Ref AWS::NoValue]
      Environment: {Variables: {PORT: 80, ON: true, ZONES: !Join ["+", !Ref Zones]}}
      EventInvokeConfig:
        MaximumRetryAttempts: 1
        DestinationConfig: {OnFailure: {Type: SQS}}
      FunctionUrlConfig: {AuthType: NONE}
  Only:
    Type: AWS::Serverless::Function
    Condition: Prod
    Properties: {Handler: index.handler, InlineCode: "def handler(e, c): pass"}
Outputs:
  Url: {Value: !Sub "see ${FUrl.FunctionUrl}", Description: where}
  Alias: {Value: !Ref F.Alias}
  Only: {Condition: Prod, Value: !GetAtt Only.Arn}
"""


def test_conditions_choose_resources_and_values(tmp_path: Path) -> None:
    """What a false condition leaves out is the template's own wish, and not told as ignored."""
    (test,) = _read(tmp_path, CONDITIONAL).functions
    prod, only = _read(tmp_path, CONDITIONAL, Stage="prod").functions

    assert (test.alias, test.settings["Timeout"], test.settings.get("Description")) == (
        "test", 5, None,
    )  # fmt: skip
    assert (prod.alias, prod.settings["Timeout"], prod.settings["Description"]) == (
        "live", 9, "set",
    )  # fmt: skip
    assert only.inline == "def handler(e, c): pass"
    assert only.code is None


def test_variables_are_texts_as_cloudformation_makes_them(tmp_path: Path) -> None:
    (function,) = _read(tmp_path, CONDITIONAL).functions
    variables = function.settings["Environment"]["Variables"]
    assert variables == {"PORT": "80", "ON": "true", "ZONES": "a+b"}


def test_a_destination_that_nobody_names_is_told(tmp_path: Path) -> None:
    """SAM would make a queue for it; here it would be lost in silence."""
    wanted = _read(tmp_path, CONDITIONAL)
    told = {each.what: each.line for each in wanted.ignored}
    line = next(
        number for number, text in enumerate(CONDITIONAL.splitlines(), 1) if "OnFailure" in text
    )
    assert told == {"F.EventInvokeConfig.DestinationConfig.OnFailure": line}
    assert wanted.functions[0].asynchronous == {"MaximumRetryAttempts": 1}


def test_outputs_know_the_url_once_it_is_there(tmp_path: Path) -> None:
    test, prod = _read(tmp_path, CONDITIONAL), _read(tmp_path, CONDITIONAL, Stage="prod")
    told = {each.name: each.value for each in test.outputs}

    assert told["Url"] == f"see {url_mark('F')}"
    assert told["Alias"] == "arn:aws:lambda:eu-west-1:111122223333:function:F:test"
    assert sorted(told) == ["Alias", "Url"]
    assert prod.outputs[-1].value == "arn:aws:lambda:eu-west-1:111122223333:function:Only"


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"Stage": "other"}, "must be one of test, prod"),
        ({"Stag": "prod"}, "no parameter Stag; it has Stage, Zones"),
    ],
)
def test_a_wrong_parameter_is_refused(tmp_path: Path, parameters: dict[str, str], why: str) -> None:
    with pytest.raises(DeployError, match=why):
        _read(tmp_path, CONDITIONAL, **parameters)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ("Code: {S3Bucket: b, S3Key: k}", "line 4: F.Code: only a path"),
        ("CodeUri: s3://b/k", "only a path"),
        ("PackageType: Image, ImageUri: x", "PackageType is not Zip"),
    ],
)
def test_code_that_is_not_here_is_refused(tmp_path: Path, properties: str, why: str) -> None:
    """Not replaced by whatever lies beside the template."""
    text = (
        "Resources:\n  F:\n    Type: AWS::Lambda::Function\n"
        f"    Properties: {{Handler: a.b, {properties}}}\n"
    )
    with pytest.raises(DeployError, match=why):
        _read(tmp_path, text)


def test_code_in_the_template_itself_is_taken(tmp_path: Path) -> None:
    text = (
        "Resources: {F: {Type: 'AWS::Lambda::Function', Properties:"
        " {Handler: index.handler, Code: {ZipFile: 'x = 1'}}}}"
    )
    assert _read(tmp_path, text).functions[0].inline == "x = 1"


def test_a_condition_that_asks_for_itself_is_told(tmp_path: Path) -> None:
    text = CONDITIONAL.replace(
        "Condition: Prod\n    Properties", "Condition: Round\n    Properties"
    )
    told = {each.what: each.why for each in _read(tmp_path, text).ignored}
    assert told["Only.Condition"] == "condition Round depends on itself"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Parameters: 3", "line 1: Parameters must be a mapping"),
        ("Globals: 3", "line 1: Globals must be a mapping"),
        ("Outputs: [a]", "line 1: Outputs must be a mapping"),
        ("Properties: [a]", "line 4: F.Properties must be a mapping"),
        ("Tags: [a]", "line 5: F.Tags must be a mapping, or a list"),
        ("Events: 3", "line 5: F.Events must be a mapping"),
        ("Layers: x", "line 5: F.Layers must be a list"),
        ("MemorySize: lots", "F.MemorySize must be a whole number, not 'lots'"),
        ("Environment: !Ref AWS::Region", "F.Environment must be a mapping"),
        ("ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: x}", "a whole number"),
    ],
)
def test_what_has_not_the_shape_is_refused_with_its_line(
    tmp_path: Path, text: str, why: str
) -> None:
    function = "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
    good = "    Properties: {Handler: a.b}\n"
    if text.partition(":")[0] in {"Parameters", "Globals", "Outputs"}:
        whole = f"{text}\n{function}{good}"
    elif text.startswith("Properties"):
        whole = f"{function}    {text}\n"
    else:
        whole = f"{function}    Properties:\n      {text}\n      Handler: a.b\n"
    with pytest.raises(DeployError, match=why):
        _read(tmp_path, whole)


def test_layers_may_depend_on_a_condition(tmp_path: Path) -> None:
    text = CONDITIONAL.replace(
        "      Handler: a.b\n", "      Handler: a.b\n      Layers: !If [Prod, [one], [two]]\n"
    )
    (function,) = _read(tmp_path, text).functions
    assert function.settings["Layers"] == ["two"]
