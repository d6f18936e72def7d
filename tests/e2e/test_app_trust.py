"""What an app that the operator chose is trusted with: who calls it, a state, rights of its own."""

from __future__ import annotations

import base64
import json
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
[[routes]]
path = "/who"
function = "who"
"""

KEEPER_CODE = """
import dataclasses

def who(event, context):
    return dataclasses.asdict(context.caller) if context.caller else None
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app's folder."""
    made = tmp_path_factory.mktemp("apps") / "keeper"
    made.mkdir()
    (made / "app.toml").write_text(KEEPER)
    (made / "keeper.py").write_text(KEEPER_CODE)
    return made


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was started with the app."""
    data = tmp_path_factory.mktemp("trust") / "data"
    started = Server(data, ("--app", str(folder))).start()
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
