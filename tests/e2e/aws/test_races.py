"""Changes at once: each is done whole or refused, and what runs is not disturbed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

WAITS = """
import socket
NUMBER = {n}
def handler(e, c):
    if "port" in e:
        with socket.create_connection(("127.0.0.1", e["port"])) as meeting: meeting.recv(1)
    return NUMBER
"""
SLOW = "import time\ntime.sleep(0.3)\n"


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def attempts(count: int, attempt: Callable[[int], Any]) -> list[Any]:
    """What each of ``count`` attempts at the same moment answered, or its refusal."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        try:
            return attempt(number)
        except ClientError as error:
            return kit.refused(error)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_one_of_many_creates_it(aws: Any) -> None:
    """The same name at once: one makes it, all others are told that it is there."""
    answers = attempts(8, lambda n: aws.create_function(
        FunctionName="once", Runtime="python3.11", Role=kit.ROLE, Handler="app.handler",
        Code={"ZipFile": kit.zipped(WAITS.format(n=n))},
    ))  # fmt: skip
    made = [n for n, each in enumerate(answers) if isinstance(each, dict)]
    kit.active(aws, "once")

    assert len(made) == 1
    assert {each for each in answers if isinstance(each, tuple)} == {
        (409, "ResourceConflictException", "Function already exist: once")
    }
    assert kit.call(aws, "once")[0] == made[0]


def test_updates_at_once_are_whole_or_refused(aws: Any) -> None:
    """What is left is one of them as a whole; a refusal is a 409."""
    kit.create(aws, "updated", WAITS.format(n=-1))
    answers = attempts(6, lambda n: aws.update_function_code(
        FunctionName="updated", ZipFile=kit.zipped(SLOW + WAITS.format(n=n))
    ))  # fmt: skip
    kit.updated(aws, "updated")
    done = [n for n, each in enumerate(answers) if isinstance(each, dict)]

    assert {each[:2] for each in answers if isinstance(each, tuple)} <= {
        (409, "ResourceConflictException")
    }
    assert kit.call(aws, "updated")[0] in done


def test_an_old_revision_loses(aws: Any) -> None:
    """Of many updates that name the same revision one is done; the others hear 412 or 409."""
    kit.create(aws, "revised", WAITS.format(n=0))
    revision = aws.get_function(FunctionName="revised")["Configuration"]["RevisionId"]
    answers = attempts(6, lambda n: aws.update_function_configuration(
        FunctionName="revised", Description=str(n), RevisionId=revision
    ))  # fmt: skip
    done = [n for n, each in enumerate(answers) if isinstance(each, dict)]
    told = aws.get_function(FunctionName="revised")["Configuration"]["Description"]

    assert [str(n) for n in done] == [told]
    assert {each[0] for each in answers if isinstance(each, tuple)} <= {409, 412}


@pytest.mark.parametrize("change", ["update", "delete", "move"])
def test_what_runs_is_not_disturbed(aws: Any, change: str) -> None:
    """An invocation ends on the code that it began with, whatever happens to its function."""
    name = f"changed-{change}"
    kit.create(aws, name, WAITS.format(n=1), Publish=True, Timeout=30)
    aws.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    qualifier = {"Qualifier": "live"} if change == "move" else {}
    with socket.create_server(("127.0.0.1", 0)) as meeting, ThreadPoolExecutor(1) as thread:
        event = {"port": meeting.getsockname()[1]}
        running = thread.submit(kit.call, aws, name, event, **qualifier)
        meeting.settimeout(20)
        with meeting.accept()[0]:  # it has begun, and ends when this is closed
            CHANGES[change](aws, name)
            after = answered(aws, name, **qualifier)
        value, answer = running.result()

    assert (value, answer["StatusCode"], answer.get("FunctionError")) == (1, 200, None)
    assert after == (404 if change == "delete" else 2)


def test_an_alias_moves_under_load(aws: Any) -> None:
    """Every call has one version or the other, and none the old one once the move was answered."""
    kit.create(aws, "moved", WAITS.format(n=1), Publish=True)
    aws.create_alias(FunctionName="moved", Name="live", FunctionVersion="1")
    moved = threading.Event()

    def calls(_: int) -> list[tuple[bool, Any]]:
        answers = []
        while not answers or not answers[-1][0]:
            after = moved.is_set()
            answers.append((after, kit.call(aws, "moved", Qualifier="live")[0]))
        return answers

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(calls, number) for number in range(4)]
        move(aws, "moved")
        moved.set()
        answers = [each for one in running for each in one.result()]

    assert {value for _, value in answers} <= {1, 2}
    assert {value for after, value in answers if after} == {2}


def update(aws: Any, name: str) -> None:
    aws.update_function_code(FunctionName=name, ZipFile=kit.zipped(WAITS.format(n=2)))
    kit.updated(aws, name)


def delete(aws: Any, name: str) -> None:
    aws.delete_function(FunctionName=name)


def move(aws: Any, name: str) -> None:
    update(aws, name)
    version = aws.publish_version(FunctionName=name)["Version"]
    aws.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


CHANGES = {"update": update, "delete": delete, "move": move}


def answered(aws: Any, name: str, **asked: Any) -> Any:
    """What the function says now, or the status of the refusal."""
    try:
        return kit.call(aws, name, **asked)[0]
    except ClientError as error:
        return kit.refused(error)[0]
