"""Layers, tags, policies and the small settings, through an unmodified boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def publish(aws: Any, name: str, files: dict[str, str | bytes], **asked: Any) -> dict[str, Any]:
    """Publish a layer version."""
    published: dict[str, Any] = aws.publish_layer_version(
        LayerName=name, Content={"ZipFile": kit.zipped(files)}, **asked
    )
    return published


def test_layers_are_laid_over_each_other_under_opt(aws: Any) -> None:
    """Later layers win; their Python packages can be imported; their files are there."""
    one = publish(
        aws, "one", {"data.txt": "one", "own.txt": "1", "python/helper.py": "NAME = 'one'"}
    )
    two = publish(aws, "two", {"data.txt": "two"}, CompatibleRuntimes=["python3.11"])
    kit.create(
        aws,
        "layered",
        "import helper\n"
        "def handler(e, c):\n"
        "    return [open('/opt/data.txt').read(), open('/opt/own.txt').read(), helper.NAME]",
        Layers=[one["LayerVersionArn"], two["LayerVersionArn"]],
    )

    value, _ = kit.call(aws, "layered")
    shown = aws.get_function_configuration(FunctionName="layered")["Layers"]

    assert one["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert value == ["two", "1", "one"]
    assert [each["Arn"] for each in shown] == [one["LayerVersionArn"], two["LayerVersionArn"]]


def test_the_life_of_a_layer(aws: Any) -> None:
    """Publish twice, get by number and ARN, list with filters, delete; the number goes on."""
    first = publish(aws, "living", {"a": "1"}, Description="d", CompatibleRuntimes=["python3.12"])
    second = publish(aws, "living", {"a": "2"})
    got = aws.get_layer_version(LayerName="living", VersionNumber=1)
    by_arn = aws.get_layer_version_by_arn(Arn=second["LayerVersionArn"])
    listed = aws.list_layer_versions(LayerName="living")["LayerVersions"]
    matching = aws.list_layers(CompatibleRuntime="python3.12")["Layers"]
    for number in (1, 2, 2):
        aws.delete_layer_version(LayerName="living", VersionNumber=number)
    third = publish(aws, "living", {"a": "3"})
    with pytest.raises(ClientError) as gone:
        aws.get_layer_version(LayerName="living", VersionNumber=1)
    with pytest.raises(ClientError) as zero:
        aws.get_layer_version(LayerName="living", VersionNumber=0)

    assert (first["Version"], second["Version"], third["Version"]) == (1, 2, 3)
    assert (got["Description"], got["CompatibleRuntimes"]) == ("d", ["python3.12"])
    assert by_arn["Version"] == 2
    assert [each["Version"] for each in listed] == [2, 1]
    row = next(each for each in matching if each["LayerName"] == "living")
    assert row["LatestMatchingVersion"]["Version"] == 1
    assert kit.refused(gone.value)[2] == "The resource you requested does not exist."
    assert kit.refused(zero.value)[2] == "Layer Version Cannot be less than 1"


def test_a_layers_policy(aws: Any) -> None:
    """Who else may use it: added once, read, removed, and nothing left."""
    publish(aws, "shared", {"a": "1"})
    asked = {"LayerName": "shared", "VersionNumber": 1}
    aws.add_layer_version_permission(
        **asked, StatementId="s1", Action="lambda:GetLayerVersion", Principal="*"
    )
    with pytest.raises(ClientError) as twice:
        aws.add_layer_version_permission(
            **asked, StatementId="s1", Action="lambda:GetLayerVersion", Principal="*"
        )
    policy = json.loads(aws.get_layer_version_policy(**asked)["Policy"])
    aws.remove_layer_version_permission(**asked, StatementId="s1")
    with pytest.raises(ClientError) as none:
        aws.get_layer_version_policy(**asked)

    assert kit.refused(twice.value)[0] == 409
    assert policy["Statement"][0]["Sid"] == "s1"
    assert kit.refused(none.value)[2] == "No policy is associated with the given resource."


def test_tags_come_and_go(aws: Any) -> None:
    """On functions only, fifty at most."""
    kit.create(aws, "tagged", Tags={"a": "1"}, Publish=True)
    arn = kit.ARN + "tagged"
    aws.tag_resource(Resource=arn, Tags={"b": "2"})
    both = aws.list_tags(Resource=arn)["Tags"]
    aws.untag_resource(Resource=arn, TagKeys=["a"])
    one = aws.list_tags(Resource=arn)["Tags"]
    with pytest.raises(ClientError) as version:
        aws.tag_resource(Resource=arn + ":1", Tags={"c": "3"})
    with pytest.raises(ClientError) as many:
        aws.tag_resource(Resource=arn, Tags={f"k{n}": "v" for n in range(50)})

    assert (both, one) == ({"a": "1", "b": "2"}, {"b": "2"})
    assert kit.refused(version.value)[2].startswith("Tags on function aliases and versions are not")
    assert kit.refused(many.value)[2] == "Number of tags exceeds resource tag limit."


def test_the_network_tag_must_be_a_switch(aws: Any) -> None:
    """``dynimo:network`` means something, and says what it may be."""
    kit.create(aws, "switched", Tags={"dynimo:network": "none"})

    with pytest.raises(ClientError) as error:
        aws.tag_resource(Resource=kit.ARN + "switched", Tags={"dynimo:network": "some"})

    assert "must be one of none, loopback, internet" in kit.refused(error.value)[2]


def test_a_functions_policy_as_recorded(aws: Any) -> None:
    """AddPermission, GetPolicy, RemovePermission."""
    kit.create(aws, "policed")
    added = aws.add_permission(
        FunctionName="policed",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="000000000000",
    )
    policy = json.loads(aws.get_policy(FunctionName="policed")["Policy"])
    removed = aws.remove_permission(FunctionName="policed", StatementId="s3")
    with pytest.raises(ClientError) as none:
        aws.get_policy(FunctionName="policed")

    assert json.loads(added["Statement"]) == policy["Statement"][0]
    assert policy["Statement"][0]["Principal"] == {"Service": "s3.amazonaws.com"}
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert kit.refused(none.value)[:2] == (404, "ResourceNotFoundException")


def test_small_settings_and_the_account(aws: Any) -> None:
    """Recursion, runtime management, code signing, and what the account may."""
    kit.create(aws, "small")
    recursion = aws.get_function_recursion_config(FunctionName="small")
    changed = aws.put_function_recursion_config(FunctionName="small", RecursiveLoop="Allow")
    runtime = aws.get_runtime_management_config(FunctionName="small")
    signing = aws.get_function_code_signing_config(FunctionName="small")
    account = aws.get_account_settings()

    assert recursion["RecursiveLoop"] == "Terminate"
    assert changed["RecursiveLoop"] == "Allow"
    assert runtime["UpdateRuntimeOn"] == "Auto"
    assert signing["FunctionName"] == "small"
    assert account["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert account["AccountUsage"]["FunctionCount"] > 0
