"""What AWS was recorded to refuse about limits, policies, URLs, tags and layers: word for word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.aws import kit, recorded
from tests.e2e.aws.recorded import (
    BAD,
    CONFLICT,
    INVALID,
    MISSING,
    NOT_FOUND,
    NOT_PROVISIONED,
    ONE_ERROR,
    STALE,
    Case,
)
from tests.e2e.serving import Server

NO_SUCH = "The resource you requested does not exist."
UNQUALIFIED = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this"
    " operation. Please specify either a function name or an unqualified function ARN."
)
PUT, GET, DROP = (f"{verb}_provisioned_concurrency_config" for verb in ("put", "get", "delete"))
ONE = {"ProvisionedConcurrentExecutions": 1}
OVER = "Specified ConcurrentExecutions for function "
BELOW = "decreases account's UnreservedConcurrentExecution below its minimum value of [100]."


def at(function: str, qualifier: str, **more: Any) -> dict[str, Any]:
    return {"FunctionName": function, "Qualifier": qualifier, **more}


CONCURRENCY = [
    Case("put_function_concurrency", {"FunctionName": MISSING, "ReservedConcurrentExecutions": 1},
      NOT_FOUND, f"Function not found: {kit.ARN}{MISSING}:$LATEST"),
    *(
        Case("put_function_concurrency",
             {"FunctionName": name, "ReservedConcurrentExecutions": 0}, BAD,
          UNQUALIFIED)
        for name in ("{arn}{fn}:$LATEST", "{fn}:1", "{fn}:live")
    ),
    *(
        Case("put_function_concurrency",
             {"FunctionName": "{fn}", "ReservedConcurrentExecutions": number},
          BAD, "Specified ReservedConcurrentExecutions for function " + BELOW)
        for number in (1001, 1000)
    ),
    Case("put_function_concurrency",
         {"FunctionName": "warm", "ReservedConcurrentExecutions": 1}, BAD,
      " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned"
      " concurrency [2]."),
    Case(GET, at("{fn}", "1"), NOT_PROVISIONED,
      "No Provisioned Concurrency Config found for this function"),
    *(
        Case(operation, at(MISSING, "noalias", **more), NOT_FOUND,
          f"Cannot find alias arn: {kit.ARN}{MISSING}:noalias")
        for operation, more in ((GET, {}), (PUT, ONE))
    ),
    *(
        Case(operation, at("{fn}", "noalias", **more), NOT_FOUND,
          "Cannot find alias arn: {arn}{fn}:noalias")
        for operation, more in ((GET, {}), (DROP, {}), (PUT, ONE))
    ),
    *(
        Case(operation, at("{fn}", "10", **more), NOT_FOUND, "Function not found: {arn}{fn}:10")
        for operation, more in ((GET, {}), (DROP, {}), (PUT, ONE))
    ),
    *(
        Case(operation, at(MISSING, "1", **more), NOT_FOUND, f"Function not found:"
          f" {kit.ARN}{MISSING}:1")
        for operation, more in ((DROP, {}), (PUT, ONE))
    ),
    *(
        Case(operation, at("{fn}", "$LATEST"), BAD,
          "The function resource provided must be an alias or a published version.")
        for operation in (GET, DROP)
    ),
    Case(PUT, at("{fn}", "$LATEST", **ONE), BAD,
      "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
    Case(PUT, at("{fn}", "1", ProvisionedConcurrentExecutions=0), INVALID,
      ONE_ERROR + "'0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member"
        " must"
      " have value greater than or equal to 1"),
    Case(PUT, at("{fn}", "1", ProvisionedConcurrentExecutions=1001), BAD,
      OVER + "is greater than account's unreserved concurrency [", cut=True),
    Case(PUT, at("{fn}", "1", ProvisionedConcurrentExecutions=950), BAD, OVER + BELOW),
    Case(PUT, at("narrow", "1", ProvisionedConcurrentExecutions=2), BAD,
      "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution"
      " for function"),
    Case(PUT, at("warm", "live", **ONE), CONFLICT, "Alias can't be used for Provisioned Concurrency"
      " configuration on an already Provisioned version"),
    Case(PUT, at("aliased", "1", **ONE), CONFLICT,
      "Version is pointed by a Provisioned Concurrency alias"),
]  # fmt: skip

S3 = {
    "FunctionName": "{fn}", "StatementId": "s3", "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::test-bucket",
}  # fmt: skip
FOR_POLICY = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to"
    " retrieve the latest Revision Id"
)
PERMISSIONS = [
    Case("add_permission", {**S3, "StatementId": "example.com"}, INVALID,
      ONE_ERROR + "'example.com' at 'statementId' failed to satisfy constraint: Member must satisfy"
      " regular expression pattern: ([a-zA-Z0-9-_]+)"),
    Case("add_permission", {**S3, "FunctionName": "{fn}:alias-not-42", "Qualifier": "42"}, BAD,
      "The derived qualifier from the function name does not match the specified qualifier."),
    Case("add_permission", {**S3, "FunctionName": "{fn}:$LATEST", "Qualifier": "$LATEST"}, BAD,
      "We currently do not support adding policies for $LATEST."),
    Case("add_permission", {**S3, "Principal": "invalid.nonaws.com"}, BAD,
      "The provided principal was invalid. Please check the principal and try again."),
    Case("get_policy", {"FunctionName": MISSING}, NOT_FOUND,
      f"Function not found: {kit.ARN}{MISSING}"),
    Case("get_policy", {"FunctionName": "{fn}"}, NOT_FOUND, NO_SUCH),
    Case("add_permission", {**S3, "FunctionName": MISSING}, NOT_FOUND,
      f"Function not found: {kit.ARN}{MISSING}"),
    Case("remove_permission", {"FunctionName": "{fn}", "StatementId": "s3"}, NOT_FOUND,
      "No policy is associated with the given resource."),
    Case("add_permission", {**S3, "FunctionName": "{fn}:alias-doesnotexist"}, NOT_FOUND,
      "Cannot find alias arn: {arn}{fn}:alias-doesnotexist"),
    Case("add_permission", {**S3, "Qualifier": "42"}, NOT_FOUND, "Function not found:"
      " {arn}{fn}:42"),
    Case("add_permission", {**S3, "Qualifier": "invalid-qualifier-with-?-char"}, INVALID,
      ONE_ERROR + "'invalid-qualifier-with-?-char' at 'qualifier' failed to satisfy constraint:"
        " Member"
      r" must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"),
    Case("add_permission", {**S3, "Qualifier": "valid-with-$-but-doesnotexist"}, NOT_FOUND,
      "Function not found: {arn}{fn}:valid-with-$-but-doesnotexist"),
    Case("add_permission", {**S3, "FunctionName": "open"}, CONFLICT,
      "The statement id (s3) provided already exists. Please provide a new statement id, or remove"
      " the existing statement."),
    Case("remove_permission", {"FunctionName": MISSING, "StatementId": "s3"}, NOT_FOUND,
      f"No policy found for: {kit.ARN}{MISSING}"),
    Case("remove_permission", at("open", "alias-doesnotexist", StatementId="s3"), NOT_FOUND,
      f"Cannot find alias arn: {kit.ARN}open:alias-doesnotexist"),
    Case("remove_permission", {"FunctionName": "open", "StatementId": "non-existent"}, NOT_FOUND,
      "Statement non-existent is not found in resource policy."),
    Case("add_permission",
         {**S3, "StatementId": "other", "FunctionName": "open", "RevisionId": "wrong"},
      STALE, FOR_POLICY),
    Case("remove_permission",
         {"FunctionName": "open", "StatementId": "s3", "RevisionId": "wrong"}, STALE,
      FOR_POLICY),
]  # fmt: skip

URL = {
    "create_function_url_config": {"AuthType": "NONE"}, "get_function_url_config": {},
    "delete_function_url_config": {}, "update_function_url_config": {"AuthType": "AWS_IAM"},
}  # fmt: skip
NO_FUNCTION = "Function does not exist"
URLS = [
    *(
        Case(operation, {"FunctionName": name, **more}, NOT_FOUND,
          NO_FUNCTION if operation[:6] in {"create", "update"} else NO_SUCH)
        for operation, more in URL.items()
        for name in (MISSING, kit.ARN + MISSING)
    ),
    *(
        Case(operation, at("{fn}", qualifier, **more), INVALID,
          ONE_ERROR + f"'{qualifier}' at 'qualifier' failed to satisfy constraint: Member must"
            " satisfy"
          r" regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)")
        for operation, more in URL.items()
        for qualifier in ("1", "2", "$LATEST")
    ),
    *(
        Case(operation, at("{fn}", "v1", **more), NOT_FOUND,
          NO_FUNCTION if operation[:6] in {"create", "update"} else NO_SUCH)
        for operation, more in URL.items()
    ),
    *(
        Case(operation, at("{fn}:live-doesnotmatch", "live", **more), BAD,
          "The derived qualifier from the function name does not match the specified qualifier.")
        for operation, more in URL.items()
    ),
    *(
        Case(operation, {"FunctionName": "{fn}", **more}, NOT_FOUND, NO_SUCH)
        for operation, more in URL.items() if not operation.startswith("create")
    ),
    Case("create_function_url_config", {"FunctionName": "open", "AuthType": "NONE"}, CONFLICT,
      f"Failed to create function url config for [functionArn = {kit.ARN}open]. Error message: "
      " FunctionUrlConfig exists for this Lambda function"),
    Case("create_function_url_config",
      {"FunctionName": "{fn}", "AuthType": "NONE", "InvokeMode": "UNKNOWN"}, INVALID,
      ONE_ERROR + "'UNKNOWN' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum"
      " value set: [RESPONSE_STREAM, BUFFERED]"),
    Case("list_function_url_configs", {"FunctionName": MISSING}, NOT_FOUND, NO_FUNCTION),
]  # fmt: skip

NOT_ON_VERSIONS = (
    "Tags on function aliases and versions are not supported. Please specify a function ARN."
)
MAPPING = (
    kit.ARN.replace("function:", "event-source-mapping:") + "0" * 8 + "-0000" * 3 + "-" + "0" * 12
)
TAGS = [
    Case("tag_resource", {"Resource": "arn:aws:something", "Tags": {"a": "b"}}, INVALID,
      ONE_ERROR + "'arn:aws:something' at 'resource' failed to satisfy constraint: Member must"
        " satisfy"
      " regular expression pattern: arn:(aws[a-zA-Z-]*)", cut=True),
    *(
        Case(operation, {"Resource": kit.ARN + MISSING, **more}, NOT_FOUND,
          f"Function not found: {kit.ARN}{MISSING}")
        for operation, more in (
            ("tag_resource", {"Tags": {"a": "b"}}), ("untag_resource", {"TagKeys": ["a"]}),
            ("list_tags", {}),
        )
    ),
    *(
        Case("tag_resource", {"Resource": "{arn}{fn}:" + qualifier, "Tags": {"a": "b"}}, BAD,
          NOT_ON_VERSIONS)
        for qualifier in ("v1", "1", "$LATEST")
    ),
    Case("untag_resource", {"Resource": "{arn}{fn}", "TagKeys": []}, INVALID,
      ONE_ERROR + "null at 'tagKeys' failed to satisfy constraint: Member must not be null"),
    Case("tag_resource", {"Resource": "{arn}{fn}", "Tags": {}}, BAD,
      "An error occurred and the request cannot be processed."),
    Case("tag_resource",
         {"Resource": "{arn}{fn}", "Tags": {f"{n}_key": "v" for n in range(51)}}, BAD,
      "Number of tags exceeds resource tag limit."),
    Case("tag_resource", {"Resource": "{arn}open", "Tags": {"one_more": "v"}}, BAD,
      "Number of tags exceeds resource tag limit."),
    Case("tag_resource", {"Resource": MAPPING, "Tags": {"a": "b"}}, NOT_FOUND,
      f"Event source mapping not found: {MAPPING}"),
]  # fmt: skip

LAYER = kit.ARN.replace("function:", "layer:") + "tools"
NEW_LAYER = {"LayerName": "new", "Content": {"ZipFile": kit.zipped({"a": "1"})}}
ENUM = (
    " at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set:"
    " [nodejs20.x, python3.14, provided.al2023, python3.12, python3"
)
FOR_LAYER = FOR_POLICY.replace("GetPolicy", "GetLayerPolicy")
PERMIT = {
    "LayerName": "tools", "VersionNumber": 1, "StatementId": "s9",
    "Action": "lambda:GetLayerVersion", "Principal": "*",
}  # fmt: skip


def of_layer(**asked: Any) -> dict[str, Any]:
    return {"LayerName": "tools", "VersionNumber": 1, **asked}


def with_layers(*layers: str) -> dict[str, Any]:
    return {"FunctionName": "{fn}", "Layers": list(layers)}


def twice(one: int, other: int) -> str:
    return (
        "Two different versions of the same layer are not allowed to be referenced in the same"
        f" function. {LAYER}:{one} and {LAYER}:{other} are versions of the same layer."
    )


LAYERS = [
    Case("list_layers", {"CompatibleRuntime": "runtimedoesnotexist"}, INVALID,
      ONE_ERROR + "'runtimedoesnotexist' at 'compatibleRuntime' failed to satisfy constraint:"
        " Member"
      " must satisfy enum value set: [ruby3.5, ruby2.6, dotnetcore1.0, python3.7, nodejs8.10, nasa,"
      " ruby2.7, python2.7-greengrass, dotne", cut=True),
    Case("list_layers", {"CompatibleArchitecture": "archdoesnotexist"}, INVALID,
      ONE_ERROR + "'archdoesnotexist' at 'compatibleArchitecture' failed to satisfy constraint:"
        " Member"
      " must satisfy enum value set: [x86_64, arm64]"),
    Case("get_layer_version", {"LayerName": MISSING, "VersionNumber": 1}, NOT_FOUND, NO_SUCH),
    Case("get_layer_version", of_layer(VersionNumber=9), NOT_FOUND, NO_SUCH),
    *(
        Case(operation, of_layer(VersionNumber=number), BAD, "Layer Version Cannot be less than 1")
        for operation, number in (
            ("get_layer_version", -1), ("get_layer_version", 0), ("delete_layer_version", -1),
        )
    ),
    Case("get_layer_version_by_arn", {"Arn": LAYER}, INVALID,
      ONE_ERROR + f"'{LAYER}' at 'arn' failed to satisfy constraint: Member must satisfy regular"
      " expression pattern: ", cut=True),
    Case("get_layer_version_by_arn", {"Arn": LAYER + ":9"}, NOT_FOUND, NO_SUCH),
    Case("publish_layer_version",
      {**NEW_LAYER, "CompatibleRuntimes": ["invalidruntime"], "CompatibleArchitectures": ["no"]},
      INVALID, "2 validation errors detected: Value '[invalidruntime]'" + ENUM, cut=True),
    Case("publish_layer_version",
      {**NEW_LAYER, "CompatibleRuntimes": ["invalidruntime", "invalidruntime2", "nodejs20.x"],
       "CompatibleArchitectures": ["no", "x86_64"]}, INVALID,
      "2 validation errors detected: Value '[invalidruntime, invalidruntime2, nodejs20.x]'" + ENUM,
      cut=True),
    Case("update_function_configuration",
         with_layers(f"{LAYER}:1", f"{LAYER}:2"), BAD, twice(1, 2)),
    Case("update_function_configuration",
         with_layers(f"{LAYER}:1", f"{LAYER}:2", f"{LAYER}:3"), BAD,
      twice(1, 2)),
    Case("update_function_configuration",
         with_layers(f"{LAYER}:1", f"{LAYER}:1"), BAD, twice(1, 1)),
    Case("update_function_configuration", with_layers(f"{LAYER}:9"), BAD,
      f"Layer version {LAYER}:9 does not exist."),
    Case("update_function_configuration", with_layers(LAYER.replace("tools", MISSING) + ":1"), BAD,
      f"Layer version {LAYER.replace('tools', MISSING)}:1 does not exist."),
    Case("update_function_configuration", with_layers(LAYER), INVALID,
      ONE_ERROR + f"'[{LAYER}]' at 'layers' failed to satisfy constraint: Member must satisfy"
      " constraint: [Member must have length less than or equal to ", cut=True),
    Case("update_function_configuration",
         with_layers(LAYER.replace("us-east-1", "eu-west-1") + ":1"),
      BAD, "Layers are not in the same region as the function. Layers are expected to be in region"
      " us-east-1."),
    Case("update_function_configuration", with_layers(*(f"{LAYER}{n}:1" for n in range(6))), BAD,
      "Cannot reference more than 5 layers."),
    Case("get_layer_version_policy", of_layer(VersionNumber=2), NOT_FOUND,
      "No policy is associated with the given resource."),
    Case("add_layer_version_permission", {**PERMIT, "Action": "*"}, INVALID,
      ONE_ERROR + "'*' at 'action' failed to satisfy constraint: Member must satisfy regular"
      " expression pattern: lambda:GetLayerVersion"),
    Case("add_layer_version_permission", {**PERMIT, "StatementId": "s1"}, CONFLICT,
      "The statement id (s1) provided already exists. Please provide a new statement id, or remove"
      " the existing statement."),
    Case("add_layer_version_permission", {**PERMIT, "RevisionId": "wrong"}, STALE, FOR_LAYER),
    Case("remove_layer_version_permission", of_layer(StatementId="s1", RevisionId="wrong"), STALE,
      FOR_LAYER),
    Case("remove_layer_version_permission", of_layer(StatementId=MISSING), NOT_FOUND,
      f"Statement {MISSING} is not found in resource policy."),
    *(
        Case(operation, {**asked, "LayerName": name, "VersionNumber": number}, NOT_FOUND,
          f"Layer version {LAYER.replace('tools', name)}:{number} does not exist.")
        for operation, asked in (
            ("add_layer_version_permission", PERMIT), ("get_layer_version_policy", {}),
            ("remove_layer_version_permission", {"StatementId": "s1"}),
        )
        for name, number in ((MISSING, 1), ("tools", 9))
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    """A client of a server where all is that the cases run into; no case changes anything."""
    made = kit.client(shared, validating=False)
    recorded.two_versions(made)
    for name in ("warm", "narrow", "aliased"):
        kit.create(made, name, Publish=True)
    made.create_alias(FunctionName="warm", Name="live", FunctionVersion="1")
    made.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    made.put_provisioned_concurrency_config(**at("warm", "1", ProvisionedConcurrentExecutions=2))
    made.put_provisioned_concurrency_config(**at("aliased", "live", **ONE))
    made.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=1)
    kit.create(made, "open", Tags={f"{number}_key": "v" for number in range(50)})
    made.add_permission(**recorded.filled({**S3, "FunctionName": "open"}))
    made.create_function_url_config(FunctionName="open", AuthType="NONE")
    for _ in range(3):
        made.publish_layer_version(**{**NEW_LAYER, "LayerName": "tools"})
    made.add_layer_version_permission(**{**PERMIT, "StatementId": "s1"})
    return made


@pytest.fixture(scope="module")
def seen(aws: Any) -> list[recorded.Wire]:
    return recorded.watched(aws)


@pytest.mark.parametrize("case", [*CONCURRENCY, *PERMISSIONS, *URLS, *TAGS, *LAYERS], ids=str)
def test_it_is_refused_as_aws_does(aws: Any, seen: list[recorded.Wire], case: Case) -> None:
    """Status, header, key case, type and text are those of the record."""
    expected, got = recorded.told(case, aws, seen)

    assert expected == got
