"""Killed at any moment of a change: what was acknowledged is there, and nothing is half done."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

ROUNDS = 4
CODE = "def handler(e, c): return {n}"


def change_until_killed(server: Server, change: Callable[[Any, int], None], first: int) -> int:
    """Change and change again while a SIGKILL is on its way; how many were acknowledged."""
    aws = kit.client(server)
    assert server.process is not None
    timer = threading.Timer(random.uniform(0.05, 0.6), server.process.kill)
    timer.start()
    done = first
    with contextlib.suppress(BotoCoreError, ClientError, ConnectionError):
        while True:
            change(aws, done + 1)
            done += 1
    timer.join()
    server.process.wait(10)
    server.log.close()
    return done


def create(aws: Any, number: int) -> None:
    kit.create(aws, f"made-{number}", CODE.format(n=number))


def update(aws: Any, number: int) -> None:
    aws.update_function_code(FunctionName="base", ZipFile=kit.zipped(CODE.format(n=number)))
    aws.get_waiter("function_updated_v2").wait(
        FunctionName="base", WaiterConfig={"Delay": 0.01, "MaxAttempts": 500}
    )


def publish(aws: Any, number: int) -> None:
    aws.update_function_configuration(FunctionName="base", Description=str(number))
    aws.get_waiter("function_updated_v2").wait(
        FunctionName="base", WaiterConfig={"Delay": 0.01, "MaxAttempts": 500}
    )
    assert aws.publish_version(FunctionName="base")["Description"] == str(number)


def move(aws: Any, number: int) -> None:
    aws.update_alias(FunctionName="base", Name="live", Description=str(number))


@pytest.mark.parametrize("change", [create, update, publish, move])
def test_a_kill_leaves_before_or_after(
    tmp_path: Path, serve: Callable[..., Server], change: Callable[[Any, int], None]
) -> None:
    """After each kill: every acknowledged change holds, at most one more, and it all runs."""
    server = serve()
    aws = kit.client(server)
    kit.create(aws, "base", CODE.format(n=0), Publish=True)
    aws.create_alias(FunctionName="base", Name="live", FunctionVersion="1")
    done = 0
    for _ in range(ROUNDS):
        done = change_until_killed(server, change, done)
        server = serve()
        aws = kit.client(server)
        state = seen(aws, change)
        assert done <= state <= done + 1
        done = state
        assert kit.call(aws, "base", Qualifier="live")[1]["StatusCode"] == 200
    assert done > 0
    assert server.stop(signal.SIGTERM) == 0


def seen(aws: Any, change: Callable[[Any, int], None]) -> int:
    """The number of the last change that is there; everything about it must be whole."""
    if change is create:
        functions = [
            each["FunctionName"]
            for page in aws.get_paginator("list_functions").paginate()
            for each in page["Functions"]
            if each["FunctionName"].startswith("made-")
        ]
        for name in functions:
            assert kit.call(aws, name)[0] == int(name.removeprefix("made-"))
        return len(functions)
    if change is update:
        deadline = time.monotonic() + 10
        while aws.get_function(FunctionName="base")["Configuration"]["State"] != "Active":
            assert time.monotonic() < deadline
        return int(kit.call(aws, "base")[0])
    if change is publish:
        versions = aws.list_versions_by_function(FunctionName="base")["Versions"][1:]
        assert [each["Version"] for each in versions] == [
            str(n) for n in range(1, len(versions) + 1)
        ]
        return int(versions[-1]["Description"] or 0)
    return int(aws.get_alias(FunctionName="base", Name="live")["Description"] or 0)
