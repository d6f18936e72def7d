"""What AWS was recorded to refuse about functions, versions, aliases and names: word for word."""

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
    ONE_ERROR,
    STALE,
    Case,
)
from tests.e2e.serving import Server

CODE = {"ZipFile": kit.zipped(kit.HELLO)}
NEW = {
    "FunctionName": "new", "Role": kit.ROLE, "Runtime": "python3.11", "Handler": "app.handler",
    "Code": CODE,
}  # fmt: skip
DERIVED = "The derived qualifier from the function name does not match the specified qualifier."
ELSEWHERE = "Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')"
ALIAS = {"FunctionName": "{fn}", "Name": "custom", "FunctionVersion": "1"}
REVISION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias"
    " API to retrieve the latest Revision Id"
)
AT_WEIGHTS = " at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map "
BOUNDS = (
    "value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must"
    " have value greater than or equal to 0.0, Member must not be null]"
)
KEYS = (
    "keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must"
    " have length greater than or equal to 1, Member must satisfy regular expression pattern:"
    " [0-9]+, Member must not be null]"
)
NAME_PATTERN = (
    "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?"
    "[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
)
RUNTIMES = (
    " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x,"
    " python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25,"
    " python3.10, python3.11, java21, "
)
RETIRED = (
    "java8", "go1.x", "provided", "ruby2.7", "nodejs14.x", "python3.7", "dotnetcore3.1",
    "nodejs12.x",
)  # fmt: skip


def routed(**weights: float) -> dict[str, Any]:
    return {**ALIAS, "RoutingConfig": {"AdditionalVersionWeights": weights}}


FUNCTIONS = [
    *(
        Case(operation, {"FunctionName": MISSING}, NOT_FOUND, f"Function not found:"
          f" {kit.ARN}{MISSING}")
        for operation in (
            "get_function", "get_function_configuration", "delete_function",
            "get_function_concurrency",
            "get_function_code_signing_config", "invoke", "list_versions_by_function",
            "list_aliases", "publish_version", "get_policy", "get_function_recursion_config",
            "list_provisioned_concurrency_configs",
        )
    ),
    *(
        Case(operation, {"FunctionName": "{fn}:1", "Qualifier": "$LATEST"}, BAD, DERIVED)
        for operation in ("get_function", "get_function_configuration", "delete_function", "invoke")
    ),
    *(
        Case(
            operation, {"FunctionName": "{arn}some:$LATEST", "Qualifier": "$LATEST"}, NOT_FOUND,
            "Function not found: {arn}some:$LATEST",
        )
        for operation in ("get_function", "get_function_configuration", "delete_function")
    ),
    *(
        Case(operation, {"FunctionName": "{fn}", "Qualifier": "1221"}, NOT_FOUND,
          "Function not found: {arn}{fn}:1221")
        for operation in ("get_function", "get_function_configuration", "invoke")
    ),
    *(
        Case(operation, {"FunctionName": kit.ARN.replace("us-east-1", "ap-southeast-1") + "x"},
          NOT_FOUND, ELSEWHERE)
        for operation in ("get_function", "delete_function", "invoke", "get_policy")
    ),
    Case("delete_function", {"FunctionName": "{fn}", "Qualifier": "$LATEST"}, BAD,
      "$LATEST version cannot be deleted without deleting the function."),
    Case("delete_function", {"FunctionName": "{fn}", "Qualifier": "live"}, BAD,
      "Deletion of aliases is not currently supported."),
    Case("list_functions", {"FunctionVersion": "invalid"}, INVALID,
      ONE_ERROR + "'invalid' at 'functionVersion' failed to satisfy constraint: Member must satisfy"
      " enum value set: [ALL]"),
    Case("invoke", {"FunctionName": "arn:aws:lambda:us-east-1:123400000000@function:myfn"}, INVALID,
      ONE_ERROR + "'arn:aws:lambda:us-east-1:123400000000@function:myfn' at 'functionName' failed"
        " to"
      " satisfy constraint: " + NAME_PATTERN[:110], cut=True),
    Case("publish_version", {"FunctionName": "{fn}", "RevisionId": "wrong"}, STALE, REVISION),
    Case("publish_version", {"FunctionName": "{fn}", "CodeSha256": "somenonexistentsha256"}, BAD,
      "CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST"
      " (", cut=True),
    Case("publish_version", {"FunctionName": "{fn}", "CodeSha256": "a" * 64}, BAD,
      f"CodeSHA256 ({'a' * 64}) is different from current CodeSHA256 in $LATEST (", cut=True),
    Case("update_function_configuration", {"FunctionName": "{fn}", "RevisionId": "wrong"}, STALE,
      REVISION),
    Case("update_function_code", {"FunctionName": "{fn}", "RevisionId": "wrong", **CODE}, STALE,
      REVISION),
    Case("update_function_configuration", {"FunctionName": "{fn}", "Role": "r1"}, INVALID,
      ONE_ERROR + "'r1' at 'role' failed to satisfy constraint: Member must satisfy regular"
      r" expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    Case("update_function_configuration", {"FunctionName": "{fn}", "Runtime": "PYTHON3.9"}, BAD,
      "Value PYTHON3.9" + RUNTIMES, cut=True),
    Case("update_function_configuration",
      {"FunctionName": "{fn}", "SnapStart": {"ApplyOn": "invalidOption"}}, INVALID,
      ONE_ERROR + "'invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: Member must"
      " satisfy enum value set: [PublishedVersions, None]"),
    Case("update_function_configuration",
         {"FunctionName": "{fn}", "Role": "r1", "Timeout": 0}, INVALID,
      "2 validation errors detected: Value 'r1' at 'role' failed", cut=True),
    Case("put_function_recursion_config", {"FunctionName": "{fn}", "RecursiveLoop": "InvalidValue"},
      INVALID, ONE_ERROR + "'InvalidValue' at 'recursiveLoop' failed to satisfy constraint: Member"
      " must satisfy enum value set: [Terminate, Allow]"),
]  # fmt: skip

CREATING = [
    Case("create_function", {**NEW, "Runtime": "non-existent-runtime"}, BAD,
      "Value non-existent-runtime" + RUNTIMES, cut=True),
    Case("create_function",
         {**NEW, "Runtime": "PYTHON3.9"}, BAD, "Value PYTHON3.9" + RUNTIMES + "ruby3.3, r",
      cut=True),
    *(
        Case("create_function", {**NEW, "Runtime": runtime}, BAD,
          f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS"
          " Lambda functions. We recommend you use a supported runtime while creating or updating"
          " functions.")
        for runtime in RETIRED
    ),
    Case("create_function", {**NEW, "Role": "r1"}, INVALID,
      ONE_ERROR + "'r1' at 'role' failed to satisfy constraint: Member must satisfy regular"
      r" expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    Case("create_function", {**NEW, "Architectures": ["x86_64", "arm64"]}, INVALID,
      ONE_ERROR + "'[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must"
      " have length less than or equal to 1"),
    Case("create_function", {**NEW, "Architectures": ["X86_64"]}, INVALID,
      ONE_ERROR + "'[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy"
      " constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be"
      " null]"),
    Case("create_function", {**NEW, "SnapStart": {"ApplyOn": "invalidOption"}}, INVALID,
      ONE_ERROR + "'invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: Member must"
      " satisfy enum value set: [PublishedVersions, None]"),
    Case("create_function", {**NEW, "FunctionName": "invalid:function:name"}, INVALID,
      ONE_ERROR + "'invalid:function:name' at 'functionName' failed to satisfy constraint: "
      f"{NAME_PATTERN}", cut=True),
    Case("create_function", {**NEW, "FunctionName": "a" * 65}, BAD,
      ONE_ERROR + f"'{'a' * 65}' at 'functionName' failed to satisfy constraint: Member must have"
      " length less than or equal to 64"),
    Case("create_function", {**NEW, "FunctionName": kit.ARN + "a" * (141 - len(kit.ARN))}, INVALID,
      ONE_ERROR + "'" + kit.ARN + "a" * (141 - len(kit.ARN)) + "' at 'functionName' failed to"
        " satisfy"
      " constraint: Member must have length less than or equal to 140"),
    Case("create_function",
      {**NEW, "FunctionName": kit.ARN.replace("us-east-1", "ap-southeast-1") + "x"}, NOT_FOUND,
      ELSEWHERE),
    Case("create_function", {**NEW, "Code": {"ZipFile": b"this is not a zipfile"}}, BAD,
      "Could not unzip uploaded file. Please check your file, then try to upload again."),
    Case("create_function", {**NEW, "Code": {"S3Bucket": "none", "S3Key": "k"}}, BAD,
      "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified"
      " bucket does not exist"),
    Case("create_function", {**NEW, "Environment": {"Variables": {"LARGE_VAR": "x" * 4081}}}, BAD,
      "Lambda was unable to configure your environment variables because the environment variables"
      " you have provided exceeded the 4KB limit. String measured: "
       '{"LARGE_VAR":"' + "x" * 4081 + '"}'),
    Case("create_function", {**NEW, "FunctionName": "{fn}"}, CONFLICT, "Function already exist:"
      " {fn}"),
]  # fmt: skip

ALIASES = [
    *(
        Case(operation, {"FunctionName": "{fn}", "Qualifier": "aliasdoesnotexist"}, NOT_FOUND,
          "Function not found: {arn}{fn}:aliasdoesnotexist")
        for operation in ("get_function", "invoke")
    ),
    Case("get_function", {"FunctionName": "{arn}{fn}:aliasdoesnotexist"}, NOT_FOUND,
      "Function not found: {arn}{fn}:aliasdoesnotexist"),
    Case("create_alias", routed(**{"1": 0.8, "2": 0.2}), BAD,
      "Number of items in AdditionalVersionWeights cannot be greater than 1"),
    Case("create_alias",
         routed(**{"2": 2}), INVALID, ONE_ERROR + "'{2=2.0}'" + AT_WEIGHTS + BOUNDS),
    Case("create_alias",
         routed(**{"2": -1}), INVALID, ONE_ERROR + "'{2=-1.0}'" + AT_WEIGHTS + BOUNDS),
    Case("create_alias", routed(**{"1": 0.5}), BAD,
      "Invalid function version 1. Function version 1 is already included in routing"
      " configuration."),
    Case("create_alias", {**routed(**{"2": 0.5}), "FunctionVersion": "10"}, NOT_FOUND,
      "Function not found: {arn}{fn}:10"),
    Case("create_alias", routed(**{"10": 0.5}), NOT_FOUND, "Function not found: {arn}{fn}:10"),
    Case("create_alias", {**routed(**{"1": 0.5}), "FunctionVersion": "$LATEST"}, BAD,
      "$LATEST is not supported for an alias pointing to more than 1 version"),
    Case("create_alias", routed(**{"$LATEST": 0.5}), INVALID,
      ONE_ERROR + "'{$LATEST=0.5}'" + AT_WEIGHTS + KEYS),
    Case("create_alias", {**routed(**{"2": 0.5}), "FunctionName": "{fn}-unknown"}, NOT_FOUND,
      "Function not found: {arn}{fn}-unknown:1"),
    Case("create_alias", {**routed(**{"2": 0.5}), "Name": "live"}, CONFLICT,
      "Alias already exists: {arn}{fn}:live"),
    Case("create_alias", {**ALIAS, "Name": "2024"}, INVALID,
      ONE_ERROR + "'2024' at 'name' failed to satisfy constraint: Member must satisfy regular"
      " expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
    Case("get_alias", {"FunctionName": "{fn}", "Name": "non-existent"}, NOT_FOUND,
      "Cannot find alias arn: {arn}{fn}:non-existent"),
    Case("update_alias", {"FunctionName": "{fn}", "Name": "non-existent", "Description": "d"},
      NOT_FOUND, "Alias not found: {arn}{fn}:non-existent"),
    Case("update_alias", {"FunctionName": "{fn}", "Name": "live", "RevisionId": "wrong"}, STALE,
      REVISION),
]  # fmt: skip


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared, validating=False)
    recorded.two_versions(made)
    return made


@pytest.fixture(scope="module")
def seen(aws: Any) -> list[recorded.Wire]:
    return recorded.watched(aws)


@pytest.mark.parametrize("case", [*FUNCTIONS, *CREATING, *ALIASES], ids=str)
def test_it_is_refused_as_aws_does(aws: Any, seen: list[recorded.Wire], case: Case) -> None:
    """Status, header, key case, type and text are those of the record."""
    expected, got = recorded.told(case, aws, seen)

    assert expected == got
