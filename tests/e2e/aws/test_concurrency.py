"""Reserved and provisioned concurrency, throttling, and many at once, through boto3."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.meeting import SECONDS_MAX, WAITS, Meeting
from tests.e2e.serving import Server

MEETS = f"""{WAITS}
import os
def handler(e, c):
    if "port" in e: waits(e["port"])
    return os.getpid()
"""
PROVISIONED = "import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def test_reserved_zero_blocks_everybody(aws: Any) -> None:
    """A function with no place of its own is never run, and the refusal names the limit."""
    kit.create(aws, "blocked", MEETS)
    put = aws.put_function_concurrency(FunctionName="blocked", ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError) as error:
        aws.invoke(FunctionName="blocked")
    got = aws.get_function(FunctionName="blocked")["Concurrency"]
    aws.delete_function_concurrency(FunctionName="blocked")
    _, after = kit.call(aws, "blocked")

    assert put["ReservedConcurrentExecutions"] == 0
    status, code, message = kit.refused(error.value)
    assert (status, code, message) == (429, "TooManyRequestsException", "Rate Exceeded.")
    assert error.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]
    assert got == {"ReservedConcurrentExecutions": 0}
    assert after["StatusCode"] == 200


def test_more_than_reserved_is_throttled_and_the_rest_runs(aws: Any) -> None:
    """Two places: of six at once two run, each in an environment of its own."""
    kit.create(aws, "two", MEETS, Timeout=20)
    aws.put_function_concurrency(FunctionName="two", ReservedConcurrentExecutions=2)

    def ask(port: int) -> str:
        try:
            return str(kit.call(aws, "two", {"port": port})[0])
        except ClientError as error:
            return str(kit.refused(error)[0])

    with ThreadPoolExecutor(6) as pool, Meeting() as meeting:
        asked = [pool.submit(ask, meeting.port) for _ in range(6)]
        answered = as_completed(asked, SECONDS_MAX)
        refused = [each.result() for each in itertools.islice(answered, 4)]
        meeting.open()
        served = [each.result() for each in answered]

    assert refused == ["429"] * 4
    assert len(set(served) - {"429"}) == 2


def test_what_cannot_be_reserved(aws: Any) -> None:
    """The account keeps a hundred for everybody; versions and aliases have no reservation."""
    kit.create(aws, "greedy", MEETS, Publish=True)

    with pytest.raises(ClientError) as many:
        aws.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=950)
    with pytest.raises(ClientError) as qualified:
        aws.put_function_concurrency(FunctionName="greedy:1", ReservedConcurrentExecutions=1)

    assert kit.refused(many.value)[2] == (
        "Specified ReservedConcurrentExecutions for function decreases account's"
        " UnreservedConcurrentExecution below its minimum value of [100]."
    )
    assert kit.refused(qualified.value)[2].startswith(
        "This operation is permitted on Lambda functions only."
    )


def test_provisioned_environments_are_there_before_they_are_asked(aws: Any) -> None:
    """IN_PROGRESS, then READY; the code knows; deletion ends it."""
    kit.create(aws, "ready", PROVISIONED, Publish=True)
    asked = {"FunctionName": "ready", "Qualifier": "1"}
    put = aws.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=2)
    deadline = time.monotonic() + 20
    while (got := aws.get_provisioned_concurrency_config(**asked))["Status"] != "READY":
        assert time.monotonic() < deadline, got
        time.sleep(0.05)
    value, _ = kit.call(aws, "ready", Qualifier="1")
    plain, _ = kit.call(aws, "ready")
    listed = aws.list_provisioned_concurrency_configs(FunctionName="ready")
    aws.delete_provisioned_concurrency_config(**asked)
    with pytest.raises(ClientError) as gone:
        aws.get_provisioned_concurrency_config(**asked)

    assert (put["ResponseMetadata"]["HTTPStatusCode"], put["Status"]) == (202, "IN_PROGRESS")
    assert got["AvailableProvisionedConcurrentExecutions"] == 2
    assert (value, plain) == ("provisioned-concurrency", "on-demand")
    assert [each["Status"] for each in listed["ProvisionedConcurrencyConfigs"]] == ["READY"]
    assert kit.refused(gone.value)[:2] == (404, "ProvisionedConcurrencyConfigNotFoundException")


def test_provisioning_code_that_cannot_start_fails(aws: Any) -> None:
    """The status says why."""
    kit.create(aws, "unready", "raise ValueError('no')", Publish=True)
    asked = {"FunctionName": "unready", "Qualifier": "1"}
    aws.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=1)
    deadline = time.monotonic() + 20
    while (got := aws.get_provisioned_concurrency_config(**asked))["Status"] == "IN_PROGRESS":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert (got["Status"], got["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


BAD_PROVISIONS: list[tuple[str | None, int, int, str]] = [
    ("$LATEST", 1, 400, "Provisioned Concurrency Configs cannot be applied to unpublished"),
    ("7", 1, 404, f"Function not found: {kit.ARN}prov:7"),
    ("noalias", 1, 404, f"Cannot find alias arn: {kit.ARN}prov:noalias"),
    ("1", 990, 400, "Specified ConcurrentExecutions for function decreases account's"),
]


@pytest.fixture(scope="module")
def provable(aws: Any) -> Any:
    kit.create(aws, "prov", MEETS, Publish=True)
    return aws


@pytest.mark.parametrize(("qualifier", "count", "status", "message"), BAD_PROVISIONS)
def test_what_cannot_be_provisioned(
    provable: Any, qualifier: str, count: int, status: int, message: str
) -> None:
    """Recorded refusals of PutProvisionedConcurrencyConfig."""
    with pytest.raises(ClientError) as error:
        provable.put_provisioned_concurrency_config(
            FunctionName="prov", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
        )

    assert kit.refused(error.value)[0] == status
    assert kit.refused(error.value)[2].startswith(message), kit.refused(error.value)


def test_one_request_an_environment(aws: Any) -> None:
    """Ten at the same time have ten environments; one after the other have one."""
    kit.create(aws, "alone", MEETS, Timeout=20)

    with ThreadPoolExecutor(10) as pool, Meeting() as meeting:
        asked = [pool.submit(kit.call, aws, "alone", {"port": meeting.port}) for _ in range(10)]
        meeting.arrived(10)
        meeting.open()
        at_once = [each.result()[0] for each in asked]
    in_turn = {kit.call(aws, "alone")[0] for _ in range(5)}

    assert len(set(at_once)) == 10
    assert len(in_turn) == 1
