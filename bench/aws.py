"""boto3 against a server on loopback: a client, a function's zip, and a function that is active.

Keys are given; nothing is read from the user's own AWS settings.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import boto3
from botocore.config import Config

from bench.signed import REGION, Keys

ROLE = "arn:aws:iam::000000000000:role/bench"
RUNTIME = "python3.11"
ACTIVE_POLL_SECONDS, ACTIVE_POLLS_MAX = 0.02, 1500

HELLO = """\
import os
import time

calls = 0
began = 0


def handler(event, context):
    global began, calls
    began = began or time.monotonic_ns()
    calls += 1
    if "hold_seconds" in event:
        time.sleep(event["hold_seconds"])
    return {
        "hello": "world",
        "calls": calls,
        "began": began,
        "environment": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
    }
"""
"""``calls`` is 1 in the first invocation of an environment, ``began`` is when that began."""
EXPECTED = b'"world"'


def client(port: int, keys: Keys) -> Any:
    """A boto3 client for functions that never retries."""
    return boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret,
        config=Config(retries={"max_attempts": 0}, read_timeout=120),
    )


def create(made_by: Any, name: str, code: str = HELLO, **settings: Any) -> None:
    """Make a function of one file and wait until it is active."""
    given = {"Role": ROLE, "Runtime": RUNTIME, "Handler": "app.handler", "Timeout": 60, **settings}
    made_by.create_function(FunctionName=name, Code={"ZipFile": _zipped(code)}, **given)
    waiting = {"Delay": ACTIVE_POLL_SECONDS, "MaxAttempts": ACTIVE_POLLS_MAX}
    made_by.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=waiting)


def _zipped(code: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("app.py", code)
    return written.getvalue()
