"""What an app that the operator chose is trusted with: who calls it, a state, rights of its own."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import kit
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

KEEPER = """
name = "keeper"
[functions.who]
handler = "keeper.who"
[functions.writer]
handler = "keeper.note"
packages = ["boto3"]
timeout_seconds = 30
memory_mib = 256
on_demand = true
state = "write"
[[functions.writer.permissions]]
actions = ["kms:CreateKey", "kms:Sign"]
resources = ["*"]
[functions.reader]
handler = "keeper.note"
state = "read"
[functions.none]
handler = "keeper.note"
[functions.spare]
handler = "keeper.note"
on_demand = true
state = "write"
[[functions.spare.permissions]]
actions = ["kms:CreateKey"]
resources = ["*"]
[[routes]]
path = "/who"
function = "who"
"""

KEEPER_CODE = """
import dataclasses, json, os, pathlib

def who(event, context):
    return dataclasses.asdict(context.caller) if context.caller else None

def note(event, context):
    folder = pathlib.Path(os.environ.get("DYNIMO_STATE", "/var/state"))
    try:
        if "note" in event:
            (folder / "note").write_text(event["note"])
        if "run" in event:
            (folder / "program").write_text("#!/bin/sh\\n")
            (folder / "program").chmod(0o755)
            os.execv(folder / "program", ["program"])
        if "link" in event:
            os.symlink("/etc/shadow", folder / "link")
        if "keys" in event:
            return [name for name in os.environ if name.startswith("AWS_ACCESS")]
        if "sign" in event:
            return sign()
        told = (folder / "note").read_text()
    except Exception as error:
        return {"refused": type(error).__name__, "text": str(error)}
    return {"note": told, "uid": os.getuid()}

def sign():
    import boto3
    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    signed = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    try:
        kms.get_public_key(KeyId=key)
    except Exception as error:
        return {"signed": len(signed["Signature"]) > 0, "key": key, "refused": str(error)}
"""

THIEF = """
import boto3

def handler(event, context):
    try:
        boto3.client("kms").create_key()
    except Exception as error:
        return str(error)
"""

OTHER = """
name = "NAME"
[functions.writer]
handler = "keeper.note"
on_demand = true
state = "write"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder; beside it are two others."""
    apps = tmp_path_factory.mktemp("apps")
    manifests = {"keeper": KEEPER} | {
        name: OTHER.replace("NAME", name) for name in ("other", "linked")
    }
    for name, manifest in manifests.items():
        (apps / name).mkdir()
        (apps / name / "app.toml").write_text(manifest)
        (apps / name / "keeper.py").write_text(KEEPER_CODE)
    return apps / "keeper"


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was started with the apps."""
    data = tmp_path_factory.mktemp("trust") / "data"
    flags = [("--app", str(each)) for each in sorted(folder.parent.iterdir())]
    started = Server(data, tuple(word for flag in flags for word in flag)).start()
    yield started
    started.stop()


def _ask(aws: Any, function: str, event: object = None, **given: Any) -> Any:
    told = aws.invoke(FunctionName=function, Payload=json.dumps(event).encode(), **given)
    assert "FunctionError" not in told, told["Payload"].read()
    return json.loads(told["Payload"].read())


def test_a_function_sees_the_user_who_signed(server: Server) -> None:
    """The ARN and address that were proved; what the client says of itself changes nothing."""
    claim = {"custom": {"caller": "x"}, "caller": {"arn": "arn:aws:iam::000000000000:user/root"}}
    context = base64.b64encode(json.dumps(claim).encode()).decode()
    seen = _ask(kit.client(server), "keeper-who", {"caller": claim}, ClientContext=context)
    arn = "arn:aws:iam::000000000000:user/development"
    assert seen == {
        "arn": arn, "principal": arn, "account": "000000000000", "function": "",
        "address": "127.0.0.1",
    }  # fmt: skip


def test_a_streamed_invoke_tells_the_caller_too(server: Server) -> None:
    """InvokeWithResponseStream is as direct as Invoke."""
    told = kit.client(server).invoke_with_response_stream(FunctionName="keeper-who")
    pieces = [
        each["PayloadChunk"]["Payload"] for each in told["EventStream"] if "PayloadChunk" in each
    ]
    assert json.loads(b"".join(pieces))["arn"].endswith(":user/development")


def test_a_request_over_http_has_no_caller(server: Server) -> None:
    """A route proves nobody, whatever it is sent."""
    assert server.get("/who", {"x-amz-client-context": "e30="}).json is None


def test_a_state_is_written_by_who_may_and_read_by_its_app_alone(
    server: Server, folder: Path
) -> None:
    """Over a restart and a new version; nothing of it can be run, and nobody else sees it."""
    aws = kit.client(server)
    assert _ask(aws, "keeper-writer", {"note": "kept"})["note"] == "kept"
    assert _ask(aws, "keeper-reader", {})["note"] == "kept"
    assert _ask(aws, "keeper-reader", {"note": "forged"})["refused"] in (
        "OSError",
        "PermissionError",
    )
    assert _ask(aws, "keeper-none", {})["refused"] in ("FileNotFoundError", "PermissionError")
    assert _ask(aws, "other-writer", {})["refused"] == "FileNotFoundError"
    assert _ask(aws, "keeper-writer", {"run": True})["refused"] == "PermissionError"

    server.stop()
    (folder / "keeper.py").write_text(KEEPER_CODE + "# a new version\n")
    server.start()
    aws = kit.client(server)
    told = _ask(aws, "keeper-writer", {})
    assert told["note"] == "kept"
    assert told["uid"] == _ask(aws, "keeper-reader", {})["uid"]
    kept = server.data / "state" / "keeper"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert kept.stat().st_uid == told["uid"]
    if os.geteuid() == 0:
        assert kept.stat().st_uid != (server.data / "state" / "other").stat().st_uid


def test_a_state_that_is_a_link_stops_the_function(server: Server, tmp_path: Path) -> None:
    """It does not run without its state, and not with another folder."""
    aws = kit.client(server)
    mine = server.data / "state" / "linked"
    mine.symlink_to(tmp_path)
    told = aws.invoke(FunctionName="linked-writer", Payload=b"{}")
    mine.unlink()
    assert told["FunctionError"]
    assert b"state" in told["Payload"].read()


def test_a_function_does_what_its_permissions_say_and_no_more(server: Server) -> None:
    """kms:Sign by its own role; another function of the app has no credentials at all."""
    aws = kit.client(server)
    done = _ask(aws, "keeper-writer", {"sign": True})
    assert done["signed"], done
    assert "assumed-role/keeper-writer/keeper-writer is not authorized" in done["refused"]
    assert "kms:GetPublicKey" in done["refused"]
    assert _ask(aws, "keeper-none", {"keys": True}) == []


def test_no_function_made_through_the_api_has_an_apps_role(server: Server) -> None:
    """Who may create functions must not become an app by naming its role."""
    aws = kit.client(server)
    code = THIEF
    role = "arn:aws:iam::000000000000:role/apps/keeper-writer"
    kit.create(aws, "thief", kit.zipped(code), Role=role, Timeout=30, MemorySize=256)
    assert "is not authorized to perform: kms:CreateKey" in _ask(aws, "thief", {})


def test_another_handler_of_the_same_code_is_trusted_with_nothing(server: Server) -> None:
    """Who may configure functions must not run code of their own with a state and a role."""
    aws = kit.client(server)
    assert _ask(aws, "keeper-spare", {"note": "kept"})["note"] == "kept"
    assert _ask(aws, "keeper-spare", {"keys": True}) == ["AWS_ACCESS_KEY_ID"]
    given = {"Variables": {"ELSE": "1"}}
    aws.update_function_configuration(FunctionName="keeper-spare", Environment=given)
    assert _ask(aws, "keeper-spare", {})["refused"] in ("FileNotFoundError", "PermissionError")
    assert _ask(aws, "keeper-spare", {"keys": True}) == []
