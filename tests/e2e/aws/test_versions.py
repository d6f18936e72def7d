"""Versions and weighted aliases, through an unmodified boto3."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

FIRST, SECOND = "def handler(e, c): return 'first'", "def handler(e, c): return 'second'"


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def two_versions(aws: Any, name: str) -> None:
    """Make a function with versions 1 and 2."""
    kit.create(aws, name, FIRST, Publish=True)
    aws.update_function_code(FunctionName=name, ZipFile=kit.zipped(SECOND), Publish=True)
    kit.updated(aws, name)


def test_publishing_twice_without_a_change_is_one_version(aws: Any) -> None:
    """PublishVersion is idempotent; a change makes the next number."""
    kit.create(aws, "publish", FIRST)
    first = aws.publish_version(FunctionName="publish", Description="d")
    again = aws.publish_version(FunctionName="publish")
    aws.update_function_configuration(FunctionName="publish", Timeout=5)
    kit.updated(aws, "publish")
    second = aws.publish_version(FunctionName="publish")
    listed = aws.list_versions_by_function(FunctionName="publish")["Versions"]

    assert first["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (first["Version"], again["Version"], second["Version"]) == ("1", "1", "2")
    assert first["FunctionArn"] == kit.ARN + "publish:1"
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]
    assert listed[1]["Timeout"] == 3, "a version does not change"


def test_guards_of_publishing(aws: Any) -> None:
    """Another sha or revision than the present one is refused."""
    kit.create(aws, "guards", FIRST)

    with pytest.raises(ClientError) as sha:
        aws.publish_version(FunctionName="guards", CodeSha256="x" * 44)
    with pytest.raises(ClientError) as revision:
        aws.publish_version(FunctionName="guards", RevisionId="old")

    assert kit.refused(sha.value)[2].startswith("CodeSHA256 (" + "x" * 44 + ") is different from")
    assert kit.refused(revision.value)[:2] == (412, "PreconditionFailedException")


def test_a_version_runs_what_it_was(aws: Any) -> None:
    """Each qualifier runs its own code and says which."""
    two_versions(aws, "numbered")

    for qualifier, expected in (("1", "first"), ("2", "second"), ("$LATEST", "second")):
        value, answer = kit.call(aws, "numbered", Qualifier=qualifier)
        assert (value, answer["ExecutedVersion"]) == (expected, qualifier)


@pytest.mark.parametrize(("weight", "calls", "expected"), [(0.1, 50, 5), (0.5, 4, 2), (0.25, 8, 2)])
def test_a_weight_is_exact_over_a_short_run(
    aws: Any, weight: float, calls: int, expected: int
) -> None:
    """10 % of 50 calls is 5, evenly spread."""
    name = f"weighted-{calls}"
    two_versions(aws, name)
    aws.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": weight}},
    )  # fmt: skip

    ran = [kit.call(aws, name, Qualifier="live")[1]["ExecutedVersion"] for _ in range(calls)]

    assert Counter(ran) == {"1": calls - expected, "2": expected}
    gaps = [at for at, version in enumerate(ran) if version == "2"]
    spread = {later - earlier for earlier, later in pairwise(gaps)}
    assert spread <= {round(1 / weight)}


def test_the_same_key_gets_the_same_version(aws: Any, shared: Server) -> None:
    """With the sticky header a caller stays with the version it had."""
    two_versions(aws, "sticky")
    aws.create_alias(
        FunctionName="sticky", Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )  # fmt: skip
    sticky = kit.client(shared)
    key = {"text": ""}
    sticky.meta.events.register(
        "before-sign.lambda.Invoke",
        lambda request, **_: request.headers.add_header("x-dynimo-sticky", key["text"]),
    )

    seen = {}
    for number in range(20):
        key["text"] = f"user-{number}"
        ran = {kit.call(sticky, "sticky", Qualifier="live")[1]["ExecutedVersion"] for _ in range(3)}
        assert len(ran) == 1
        seen[number] = ran.pop()

    assert set(seen.values()) == {"1", "2"}


def test_an_alias_moves_at_once_for_everybody(aws: Any, shared: Server) -> None:
    """Under load each call runs the one version or the other, and none after the move the old."""
    two_versions(aws, "moving")
    aws.create_alias(FunctionName="moving", Name="live", FunctionVersion="1")

    def ask(_: int) -> str:
        version: str = kit.call(aws, "moving", Qualifier="live")[1]["ExecutedVersion"]
        return version

    with ThreadPoolExecutor(4) as pool:
        before = list(pool.map(ask, range(20)))
        during = pool.map(ask, range(40))
        aws.update_alias(FunctionName="moving", Name="live", FunctionVersion="2")
        mixed = list(during)
        after = list(pool.map(ask, range(20)))

    assert set(before) == {"1"}
    assert set(mixed) <= {"1", "2"}
    assert set(after) == {"2"}


BAD_ALIASES: list[tuple[dict[str, Any], int, str]] = [
    ({"Name": "2024"}, 400, "1 validation error detected: Value '2024' at 'name' failed"),
    ({"FunctionVersion": "9"}, 404, "Function not found: " + kit.ARN + "aliased:9"),
    (
        {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "1": 0.1}}},
        400,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    ),
    (
        {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
        400,
        "Invalid function version 1. Function version 1 is already included in routing",
    ),
    (
        {"RoutingConfig": {"AdditionalVersionWeights": {"2": 2.0}}},
        400,
        "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights'",
    ),
    (
        {"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}},
        400,
        "$LATEST is not supported for an alias pointing to more than 1 version",
    ),
    (
        {"RoutingConfig": {"AdditionalVersionWeights": {"10": 0.5}}},
        404,
        "Function not found: " + kit.ARN + "aliased:10",
    ),
    ({"Name": "taken"}, 409, "Alias already exists: " + kit.ARN + "aliased:taken"),
    ({"FunctionName": "nobody"}, 404, "Function not found: " + kit.ARN + "nobody:1"),
]


@pytest.fixture(scope="module")
def aliased(aws: Any) -> Any:
    two_versions(aws, "aliased")
    aws.create_alias(FunctionName="aliased", Name="taken", FunctionVersion="1")
    return aws


@pytest.mark.parametrize(("given", "status", "message"), BAD_ALIASES)
def test_what_an_alias_cannot_be(
    aliased: Any, given: dict[str, Any], status: int, message: str
) -> None:
    """Recorded refusals of CreateAlias."""
    wanted = {"FunctionName": "aliased", "Name": "new", "FunctionVersion": "1", **given}

    with pytest.raises(ClientError) as error:
        aliased.create_alias(**wanted)

    assert kit.refused(error.value)[0] == status
    assert kit.refused(error.value)[2].startswith(message), kit.refused(error.value)


def test_the_rest_of_an_aliass_life(aliased: Any) -> None:
    """Get, list by version, update by revision, delete twice, and what is missing."""
    got = aliased.get_alias(FunctionName="aliased", Name="taken")
    listed = aliased.list_aliases(FunctionName="aliased", FunctionVersion="1")["Aliases"]
    with pytest.raises(ClientError) as missing:
        aliased.get_alias(FunctionName="aliased", Name="none")
    with pytest.raises(ClientError) as absent:
        aliased.update_alias(FunctionName="aliased", Name="none")
    with pytest.raises(ClientError) as stale:
        aliased.update_alias(FunctionName="aliased", Name="taken", RevisionId="old")
    aliased.create_alias(FunctionName="aliased", Name="brief", FunctionVersion="$LATEST")
    value, answer = kit.call(aliased, "aliased", Qualifier="brief")
    with pytest.raises(ClientError) as used:
        aliased.delete_function(FunctionName="aliased", Qualifier="1")
    deleted = [aliased.delete_alias(FunctionName="aliased", Name="brief") for _ in range(2)]

    assert (got["AliasArn"], got["Description"]) == (kit.ARN + "aliased:taken", "")
    assert "taken" in [each["Name"] for each in listed]
    assert kit.refused(missing.value)[2] == f"Cannot find alias arn: {kit.ARN}aliased:none"
    assert kit.refused(absent.value)[2] == f"Alias not found: {kit.ARN}aliased:none"
    assert kit.refused(stale.value)[0] == 412
    assert (value, answer["ExecutedVersion"]) == ("second", "$LATEST")
    assert kit.refused(used.value)[0] == 409
    assert [each["ResponseMetadata"]["HTTPStatusCode"] for each in deleted] == [204, 204]
