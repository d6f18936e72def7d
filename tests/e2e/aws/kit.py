"""What tests with AWS's own clients need: clients, zips, and how an error looks. No asserts."""

from __future__ import annotations

import base64
import functools
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.serving import Server

ROLE = "arn:aws:iam::000000000000:role/runner"
REGION = "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:000000000000:function:"

OFTEN = {"Delay": 0.02, "MaxAttempts": 2000}
"""How AWS's waiters ask here: their own second between two questions is long for a test."""

OPEN: list[Any] = []
"""Clients to close when the tests of a file are done (conftest)."""

HELLO = """
def handler(event, context):
    print("seen", event)
    if event.get("raise"):
        raise ValueError(event["raise"])
    return {"event": event, "arn": context.invoked_function_arn, "v": context.function_version}
"""


def client(server: Server, service: str = "lambda", *, validating: bool = True, **keys: Any) -> Any:
    """An unmodified boto3 client that does not retry, with the development key unless told.

    One that is not ``validating`` sends what its own model would refuse.
    """
    key, secret = development_key(server.data)
    given = {"aws_access_key_id": key, "aws_secret_access_key": secret, **keys}
    made = boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name=REGION,
        config=Config(
            retries={"max_attempts": 0},
            read_timeout=120,
            max_pool_connections=64,
            parameter_validation=validating,
        ),
        **given,
    )
    OPEN.append(made)
    return made


@functools.cache
def development_key(data: Path) -> tuple[str, str]:
    """What ``dynimo env`` says for a data folder."""
    told = subprocess.run(
        [sys.executable, "-m", "dynimo", "env", "--json", "--data", str(data)],
        check=True,
        capture_output=True,
    )
    said = json.loads(told.stdout)
    return said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"]


def zipped(files: dict[str, str | bytes] | str, *, executable: tuple[str, ...] = ()) -> bytes:
    """A zip with these files; a text alone is ``app.py``."""
    if isinstance(files, str):
        files = {"app.py": files}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
    return written.getvalue()


def create(aws: Any, name: str, code: str | bytes = HELLO, **settings: Any) -> dict[str, Any]:
    """Make a function and wait until it is active."""
    data = zipped(code) if isinstance(code, str) else code
    made: dict[str, Any] = aws.create_function(
        FunctionName=name,
        Code={"ZipFile": data},
        **{"Role": ROLE, "Runtime": "python3.11", "Handler": "app.handler", **settings},
    )
    active(aws, name)
    return made


def active(aws: Any, name: str) -> None:
    """Wait until a function that was just made can be called."""
    aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)


def updated(aws: Any, name: str) -> None:
    """Wait until the last change of a function is done."""
    aws.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=OFTEN)


def call(aws: Any, name: str, event: Any = None, **asked: Any) -> tuple[Any, dict[str, Any]]:
    """(what the function returned, the whole answer) of one invocation; bytes are sent as such."""
    payload = event if isinstance(event, bytes) else json.dumps(event or {})
    answer = aws.invoke(FunctionName=name, Payload=payload, **asked)
    body = answer["Payload"].read()
    return (json.loads(body) if body else None), answer


def tail(answer: dict[str, Any]) -> str:
    """The log that came with an answer."""
    return base64.b64decode(answer["LogResult"]).decode()


def refused(error: ClientError) -> tuple[int, str, str]:
    """(status, code, message) of a refusal."""
    response = error.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )
