"""Answers as they are on the wire, before a client parses them: statuses, headers, keys, pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests import emulated
from tests.e2e.aws import kit, recorded
from tests.e2e.serving import Server

QUEUES = ("one", "two", "three")
NEW: dict[str, Any] = {
    "Role": kit.ROLE, "Runtime": "python3.11", "Handler": "app.handler",
    "Code": {"ZipFile": kit.zipped(kit.HELLO)},
}  # fmt: skip
MODIFIED = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000"
WAIT = "wait"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that reaches an SQS with some queues."""
    with emulated.endpoint(tmp_path_factory.mktemp("moto") / "log") as address:
        sqs = boto3.client(
            "sqs", endpoint_url=address, region_name=kit.REGION,
            aws_access_key_id="t", aws_secret_access_key="t",
        )  # fmt: skip
        for name in QUEUES:
            sqs.create_queue(QueueName=name)
        sqs.close()
        data = tmp_path_factory.mktemp("wire") / "data"
        made = Server(data, (), {"DYNIMO_BACKLOG_AWS_ENDPOINT": address}).start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def aws(server: Server) -> Any:
    return kit.client(server, validating=False)


@pytest.fixture(scope="module")
def seen(aws: Any) -> list[recorded.Wire]:
    return recorded.watched(aws)


def queue(name: str) -> str:
    return f"arn:aws:sqs:{kit.REGION}:123456789012:{name}"


# The success codes of the API, in the life of one function.

F = {"FunctionName": "life"}
ALIAS = {**F, "Name": "live"}
LIVE = {**F, "Qualifier": "live"}
ARN = {"Resource": kit.ARN + "life"}
LAYER = {"LayerName": "layer"}
ONE = {**LAYER, "VersionNumber": 1}
LAYER_ARN = kit.ARN.replace("function:", "layer:") + "layer:1"
PERMIT = {"StatementId": "s", "Principal": "*"}
STEPS: list[tuple[str, dict[str, Any], int]] = [
    ("create_function", {**F, **NEW}, 201),
    (WAIT, F, 0),
    ("get_function", F, 200),
    ("get_function_configuration", F, 200),
    ("list_functions", {}, 200),
    ("update_function_configuration", {**F, "Timeout": 9}, 200),
    (WAIT, F, 0),
    ("update_function_code", {**F, **NEW["Code"]}, 200),
    (WAIT, F, 0),
    ("publish_version", F, 201),
    ("list_versions_by_function", F, 200),
    ("create_alias", {**ALIAS, "FunctionVersion": "1"}, 201),
    ("get_alias", ALIAS, 200),
    ("update_alias", {**ALIAS, "Description": "d"}, 200),
    ("list_aliases", F, 200),
    ("invoke", F, 200),
    ("invoke", {**F, "InvocationType": "Event"}, 202),
    ("invoke", {**F, "InvocationType": "DryRun"}, 204),
    ("invoke_async", {**F, "InvokeArgs": b"{}"}, 202),
    ("invoke_with_response_stream", F, 200),
    ("add_permission", {**F, **PERMIT, "Action": "lambda:InvokeFunction"}, 201),
    ("get_policy", F, 200),
    ("remove_permission", {**F, "StatementId": "s"}, 204),
    ("create_function_url_config", {**F, "AuthType": "NONE"}, 201),
    ("get_function_url_config", F, 200),
    ("update_function_url_config", {**F, "AuthType": "AWS_IAM"}, 200),
    ("list_function_url_configs", F, 200),
    ("delete_function_url_config", F, 204),
    ("put_function_concurrency", {**F, "ReservedConcurrentExecutions": 5}, 200),
    ("get_function_concurrency", F, 200),
    ("delete_function_concurrency", F, 204),
    ("put_provisioned_concurrency_config", {**LIVE, "ProvisionedConcurrentExecutions": 1}, 202),
    ("get_provisioned_concurrency_config", LIVE, 200),
    ("list_provisioned_concurrency_configs", F, 200),
    ("delete_provisioned_concurrency_config", LIVE, 204),
    ("put_function_event_invoke_config", {**F, "MaximumRetryAttempts": 0}, 200),
    ("update_function_event_invoke_config", {**F, "MaximumEventAgeInSeconds": 60}, 200),
    ("get_function_event_invoke_config", F, 200),
    ("list_function_event_invoke_configs", F, 200),
    ("delete_function_event_invoke_config", F, 204),
    ("tag_resource", {**ARN, "Tags": {"a": "b"}}, 204),
    ("list_tags", ARN, 200),
    ("untag_resource", {**ARN, "TagKeys": ["a"]}, 204),
    ("put_function_recursion_config", {**F, "RecursiveLoop": "Allow"}, 200),
    ("get_function_recursion_config", F, 200),
    ("put_runtime_management_config", {**F, "UpdateRuntimeOn": "Auto"}, 200),
    ("get_runtime_management_config", F, 200),
    ("get_function_code_signing_config", F, 200),
    ("delete_function_code_signing_config", F, 204),
    ("get_account_settings", {}, 200),
    ("publish_layer_version", {**LAYER, "Content": NEW["Code"]}, 201),
    ("get_layer_version", ONE, 200),
    ("get_layer_version_by_arn", {"Arn": LAYER_ARN}, 200),
    ("list_layers", {}, 200),
    ("list_layer_versions", LAYER, 200),
    ("add_layer_version_permission", {**ONE, **PERMIT, "Action": "lambda:GetLayerVersion"}, 201),
    ("get_layer_version_policy", ONE, 200),
    ("remove_layer_version_permission", {**ONE, "StatementId": "s"}, 204),
    ("delete_layer_version", ONE, 204),
    ("delete_layer_version", ONE, 204),
    ("delete_alias", ALIAS, 204),
    ("delete_alias", ALIAS, 204),
    ("delete_function", {**F, "Qualifier": "1"}, 204),
    ("delete_function", F, 204),
]


def test_every_operation_has_its_success_code(aws: Any, seen: list[recorded.Wire]) -> None:
    """Each by the service's model or record; no content means no body; each has a request id."""
    statuses = []
    for operation, asked, _ in STEPS:
        if operation == WAIT:
            kit.updated(aws, asked["FunctionName"])
            statuses.append((operation, 0))
            continue
        answer = getattr(aws, operation)(**asked)
        for stream in ("Payload", "EventStream"):
            if stream in answer:
                list(answer[stream])
        wire = seen[-1]
        statuses.append((operation, wire.status))
        assert re.fullmatch(r"[0-9a-f-]{36}", wire.headers["x-amzn-requestid"])
        if wire.status == 204 and isinstance(wire.body, bytes):
            assert wire.body == b""

    assert [(operation, status) for operation, _, status in STEPS] == statuses


def test_a_mapping_is_accepted_each_time(aws: Any, seen: list[recorded.Wire]) -> None:
    """Create, update and delete of a mapping are 202: it is done later."""
    kit.create(aws, "mapped")
    made = aws.create_event_source_mapping(FunctionName="mapped", EventSourceArn=queue("one"))
    asked = {"UUID": made["UUID"]}
    statuses = [seen[-1].status]
    for operation, more in (("get", {}), ("update", {"BatchSize": 5}), ("delete", {})):
        getattr(aws, f"{operation}_event_source_mapping")(**asked, **more)
        statuses.append(seen[-1].status)

    assert statuses == [202, 200, 202, 202]
    assert made["State"] == "Creating"


# What documents hold.

CREATED = {
    "Architectures", "CodeSha256", "CodeSize", "Description", "EphemeralStorage", "FunctionArn",
    "FunctionName", "Handler", "LastModified", "LoggingConfig", "MemorySize", "PackageType",
    "RevisionId", "Role", "Runtime", "RuntimeVersionConfig", "SnapStart", "State", "StateReason",
    "StateReasonCode", "Timeout", "TracingConfig", "Version",
}  # fmt: skip
ACTIVE = (CREATED - {"StateReason", "StateReasonCode"}) | {"LastUpdateStatus"}
LISTED = ACTIVE - {"State", "LastUpdateStatus", "RuntimeVersionConfig"}
UPDATED = ACTIVE | {"LastUpdateStatusReason", "LastUpdateStatusReasonCode"}


def test_a_functions_documents_have_awss_keys(aws: Any, seen: list[recorded.Wire]) -> None:
    """Made, read, changed, published and listed: no key more or less than AWS was recorded with."""
    aws.create_function(FunctionName="keys", **NEW)
    made = json.loads(seen[-1].body)
    kit.active(aws, "keys")
    read = json.loads(seen[-1].body)
    aws.update_function_configuration(FunctionName="keys", Environment={"Variables": {}})
    changed = json.loads(seen[-1].body)
    kit.updated(aws, "keys")
    aws.publish_version(FunctionName="keys")
    published = json.loads(seen[-1].body)
    aws.list_versions_by_function(FunctionName="keys")
    listed = json.loads(seen[-1].body)["Versions"]

    assert set(made) == CREATED
    assert {
        "Architectures": ["x86_64"], "Description": "", "EphemeralStorage": {"Size": 512},
        "FunctionArn": kit.ARN + "keys", "MemorySize": 128, "PackageType": "Zip",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/keys"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}, "State": "Pending",
        "StateReason": "The function is being created.", "StateReasonCode": "Creating",
        "Timeout": 3, "TracingConfig": {"Mode": "PassThrough"}, "Version": "$LATEST",
    }.items() <= made.items()  # fmt: skip
    assert re.fullmatch(MODIFIED, made["LastModified"])
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
                        made["RuntimeVersionConfig"]["RuntimeVersionArn"])  # fmt: skip
    assert set(read) == {"Code", "Configuration"}
    assert set(read["Code"]) == {"RepositoryType", "Location"}
    assert set(read["Configuration"]) == ACTIVE
    assert set(changed) == UPDATED | {"Environment"}
    assert (changed["State"], changed["LastUpdateStatus"], changed["Environment"]) == (
        "Active", "InProgress", {"Variables": {}},
    )  # fmt: skip
    assert set(published) == ACTIVE | {"Environment"}
    assert published["FunctionArn"] == kit.ARN + "keys:1"
    assert [set(each) for each in listed] == [LISTED | {"Environment"}] * 2
    assert [each["FunctionArn"] for each in listed] == [
        kit.ARN + "keys:$LATEST", kit.ARN + "keys:1",
    ]  # fmt: skip


def test_a_first_version_comes_with_the_function(aws: Any) -> None:
    """Publish answers version 1 under the function's own ARN, as recorded."""
    made = kit.create(aws, "published", Publish=True)

    assert (made["Version"], made["FunctionArn"]) == ("1", kit.ARN + "published")


def test_moments_are_written_as_each_operation_writes_them(
    aws: Any, seen: list[recorded.Wire]
) -> None:
    """Functions and provisioned concurrency in text; asynchronous settings in seconds."""
    recorded.two_versions(aws, "moments")
    asked = {"FunctionName": "moments"}

    def raw(operation: str, **more: Any) -> Any:
        getattr(aws, operation)(**asked, **more)
        return json.loads(seen[-1].body)

    event = raw("put_function_event_invoke_config", MaximumRetryAttempts=0)
    provisioned = raw(
        "put_provisioned_concurrency_config", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    mapping = raw("create_event_source_mapping", EventSourceArn=queue("two"))
    aws.delete_event_source_mapping(UUID=mapping["UUID"])

    assert isinstance(event["LastModified"], float)
    assert isinstance(mapping["LastModified"], int | float)
    assert re.fullmatch(MODIFIED, provisioned["LastModified"])
    assert event == {
        "FunctionArn": kit.ARN + "moments:$LATEST", "LastModified": event["LastModified"],
        "MaximumRetryAttempts": 0, "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }  # fmt: skip
    assert {key: provisioned[key] for key in provisioned if key != "LastModified"} == {
        "RequestedProvisionedConcurrentExecutions": 1,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }


def test_an_alias_is_shown_with_its_weights(aws: Any, seen: list[recorded.Wire]) -> None:
    """The weights are there when there are some, and the description always."""
    recorded.two_versions(aws, "shown")
    asked = {"FunctionName": "shown", "Name": "split"}
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    aws.create_alias(**asked, FunctionVersion="1", RoutingConfig=weights)
    made = json.loads(seen[-1].body)
    aws.update_alias(**asked, RoutingConfig={"AdditionalVersionWeights": {}})
    changed = json.loads(seen[-1].body)

    expected = {
        "AliasArn": kit.ARN + "shown:split", "Name": "split", "FunctionVersion": "1",
        "Description": "",
    }  # fmt: skip
    assert made == {**expected, "RevisionId": made["RevisionId"], "RoutingConfig": weights}
    assert changed == {**expected, "RevisionId": changed["RevisionId"]}
    assert made["RevisionId"] != changed["RevisionId"]


def test_revisions_follow_what_changes(aws: Any) -> None:
    """Publishing and permissions give ``$LATEST`` a new revision, which the policy has too."""
    kit.create(aws, "revisions")
    asked = {"FunctionName": "revisions"}

    def revision(**more: str) -> str:
        found: str = aws.get_function_configuration(**asked, **more)["RevisionId"]
        return found

    active = revision()
    published = aws.publish_version(**asked, RevisionId=active)["RevisionId"]
    after = revision()
    aws.create_alias(**asked, Name="live", FunctionVersion="1")
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
    assert after == revision()
    aws.add_permission(**asked, **permission, RevisionId=after)
    permitted = revision()
    policy = aws.get_policy(**asked)["RevisionId"]
    aws.remove_permission(**asked, StatementId="s", RevisionId=policy)

    assert len({active, published, after, permitted, revision()}) == 5
    assert published == revision(Qualifier="1")
    assert policy == permitted


def test_an_alias_takes_along_what_was_beside_it(aws: Any) -> None:
    """Provisioned concurrency, settings and policy of an alias go with it; one anew has none."""
    recorded.two_versions(aws, "beside")
    at = {"FunctionName": "beside", "Qualifier": "live"}
    alias = {"FunctionName": "beside", "Name": "live"}
    aws.put_provisioned_concurrency_config(**at, ProvisionedConcurrentExecutions=1)
    aws.put_function_event_invoke_config(**at, MaximumRetryAttempts=0)
    aws.delete_alias(**alias)

    with pytest.raises(ClientError) as gone:
        aws.get_provisioned_concurrency_config(**at)
    listed = aws.list_provisioned_concurrency_configs(FunctionName="beside")
    aws.create_alias(**alias, FunctionVersion="2")
    with pytest.raises(ClientError) as provisioned:
        aws.get_provisioned_concurrency_config(**at)
    with pytest.raises(ClientError) as settings:
        aws.get_function_event_invoke_config(**at)

    assert kit.refused(gone.value)[2] == f"Cannot find alias arn: {kit.ARN}beside:live"
    assert listed["ProvisionedConcurrencyConfigs"] == []
    assert kit.refused(provisioned.value)[1] == recorded.NOT_PROVISIONED
    assert kit.refused(settings.value)[:2] == (404, recorded.NOT_FOUND)


# Pages.

PAGED: list[tuple[str, dict[str, Any], str, str]] = [
    ("list_functions", {}, "Functions", "FunctionArn"),
    ("list_functions", {"FunctionVersion": "ALL"}, "Functions", "FunctionArn"),
    ("list_versions_by_function", {"FunctionName": "paged"}, "Versions", "Version"),
    ("list_aliases", {"FunctionName": "paged"}, "Aliases", "Name"),
    ("list_layers", {}, "Layers", "LayerName"),
    ("list_layer_versions", {"LayerName": "paged-1"}, "LayerVersions", "Version"),
    ("list_provisioned_concurrency_configs", {"FunctionName": "paged"},
     "ProvisionedConcurrencyConfigs", "FunctionArn"),
    ("list_function_event_invoke_configs", {"FunctionName": "paged"},
     "FunctionEventInvokeConfigs", "FunctionArn"),
    ("list_function_url_configs", {"FunctionName": "paged"}, "FunctionUrlConfigs", "FunctionArn"),
    ("list_event_source_mappings", {"FunctionName": "paged"}, "EventSourceMappings", "UUID"),
]  # fmt: skip


@pytest.fixture(scope="module")
def paged(aws: Any) -> Any:
    """A client of a server with three and more of everything that is listed."""
    recorded.two_versions(aws, "paged")
    asked = {"FunctionName": "paged"}
    for number, name in enumerate(("blue", "green"), 1):
        aws.create_alias(**asked, Name=name, FunctionVersion=str(number))
    for name in ("live", "blue", "green"):
        at = {**asked, "Qualifier": name}
        aws.put_provisioned_concurrency_config(**at, ProvisionedConcurrentExecutions=1)
        aws.put_function_event_invoke_config(**at, MaximumRetryAttempts=0)
        aws.create_function_url_config(**at, AuthType="NONE")
    for name in QUEUES:
        aws.create_event_source_mapping(**asked, EventSourceArn=queue(name))
    for number in (1, 2, 3):
        for layer in ("paged-1", f"paged-{number}"):
            aws.publish_layer_version(LayerName=layer, Content=NEW["Code"])
    return aws


@pytest.mark.parametrize(("operation", "asked", "member", "key"), PAGED)
def test_every_list_comes_in_pages(
    paged: Any, operation: str, asked: dict[str, Any], member: str, key: str
) -> None:
    """MaxItems bounds a page; NextMarker leads on, and is not there at the end."""
    ask = getattr(paged, operation)
    whole = ask(**asked, MaxItems=50)
    found: list[Any] = []
    marker: dict[str, str] = {}
    pages = 0
    while pages < 60:
        answer = ask(**asked, **marker, MaxItems=2)
        pages += 1
        assert 1 <= len(answer[member]) <= 2
        found += [each[key] for each in answer[member]]
        if "NextMarker" not in answer:
            break
        marker = {"Marker": answer["NextMarker"]}

    assert "NextMarker" not in whole
    assert len(found) >= 3
    assert [each[key] for each in whole[member]] == found


# Names.

FORMS = ("{name}", "function:{name}", "000000000000:function:{name}", kit.ARN + "{name}")


@pytest.mark.parametrize("form", FORMS)
def test_every_operation_takes_every_form_of_a_name(paged: Any, form: str) -> None:
    """With and without a qualifier of the name's own, alone or beside the same one."""
    name = form.format(name="paged")

    plain = paged.get_function(FunctionName=name)["Configuration"]
    own = paged.get_function(FunctionName=name + ":live")["Configuration"]
    both = paged.get_function_configuration(FunctionName=name + ":1", Qualifier="1")
    latest = paged.get_function_configuration(FunctionName=name, Qualifier="$LATEST")
    alias = paged.get_alias(FunctionName=name, Name="live")
    url = paged.get_function_url_config(FunctionName=name, Qualifier="live")
    event = paged.get_function_event_invoke_config(FunctionName=name + ":live")
    provisioned = paged.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    versions = paged.list_versions_by_function(FunctionName=name)["Versions"]

    at = kit.ARN + "paged"
    assert [plain["FunctionArn"], plain["Version"]] == [at, "$LATEST"]
    assert [own["FunctionArn"], own["Version"]] == [at + ":live", "1"]
    assert [both["FunctionArn"], latest["FunctionArn"]] == [at + ":1", at + ":$LATEST"]
    assert [alias["AliasArn"], url["FunctionArn"], event["FunctionArn"]] == [at + ":live"] * 3
    assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
    assert [each["Version"] for each in versions] == ["$LATEST", "1", "2"]


# Invocations.


def test_what_an_invocation_answers_beside_its_payload(aws: Any, seen: list[recorded.Wire]) -> None:
    """Version, trace and failure are headers; an event's answer names no version."""
    kit.create(aws, "headers", Publish=True)

    def asked(**more: Any) -> recorded.Wire:
        aws.invoke(FunctionName="headers", **more)["Payload"].read()
        return seen[-1]

    ran = asked(Qualifier="1", LogType="Tail")
    failed = asked(Payload='{"raise": "no"}')
    event = asked(InvocationType="Event")
    dry = asked(InvocationType="DryRun")

    assert [each.status for each in (ran, failed, event, dry)] == [200, 200, 202, 204]
    assert ran.headers["x-amz-executed-version"] == "1"
    assert "x-amz-function-error" not in ran.headers
    assert ran.headers["x-amz-log-result"]
    assert ran.headers["x-amzn-trace-id"].startswith("Root=1-")
    assert ran.headers["content-type"] == "application/json"
    assert failed.headers["x-amz-function-error"] == "Unhandled"
    assert failed.headers["x-amz-executed-version"] == "$LATEST"
    for quiet in (event, dry):
        assert "x-amz-executed-version" not in quiet.headers
        assert quiet.headers.get("content-length", "0") == "0"
