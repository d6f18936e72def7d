"""Killed at any moment of a change: what was acknowledged is there, and nothing is half done."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

ROUNDS = 5
SECONDS_MAX, MORE_SECONDS_MAX = 30.0, 0.3
"""How long a first change of each kind may take, and how long they go on before the kill."""
CODE = "def handler(e, c): return {n}"
BASES = ("updated", "published", "moved")
"""Functions that are changed, each in its own way; others are made."""


def create(aws: Any, number: int) -> None:
    kit.create(aws, f"made-{number}", CODE.format(n=number))


def update(aws: Any, number: int) -> None:
    aws.update_function_code(FunctionName="updated", ZipFile=kit.zipped(CODE.format(n=number)))
    kit.updated(aws, "updated")


def publish(aws: Any, number: int) -> None:
    aws.update_function_configuration(FunctionName="published", Description=str(number))
    kit.updated(aws, "published")
    assert aws.publish_version(FunctionName="published")["Description"] == str(number)


def move(aws: Any, number: int) -> None:
    aws.update_alias(FunctionName="moved", Name="live", Description=str(number))


def created(aws: Any, before: int) -> int:
    """How many were made; those that were not there before run."""
    numbers = sorted(
        int(each["FunctionName"].removeprefix("made-"))
        for page in aws.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each["FunctionName"].startswith("made-")
    )
    assert numbers == list(range(1, len(numbers) + 1))
    for number in numbers[before:]:
        kit.active(aws, f"made-{number}")
        assert kit.call(aws, f"made-{number}")[0] == number
    return len(numbers)


def code_of_updated(aws: Any, _: int) -> int:
    """The number that the code says."""
    kit.updated(aws, "updated")
    return int(kit.call(aws, "updated")[0])


def last_published(aws: Any, _: int) -> int:
    """The description of the last version; none is left out before it."""
    versions = aws.list_versions_by_function(FunctionName="published")["Versions"][1:]
    assert [each["Version"] for each in versions] == [str(n) for n in range(1, len(versions) + 1)]
    return int(versions[-1]["Description"] or 0)


def description_of_moved(aws: Any, _: int) -> int:
    """What the alias says."""
    return int(aws.get_alias(FunctionName="moved", Name="live")["Description"] or 0)


Change, State = Callable[[Any, int], None], Callable[[Any, int], int]
CHANGES: dict[Change, State] = {
    create: created, update: code_of_updated, publish: last_published, move: description_of_moved,
}  # fmt: skip


def until_it_ends(server: Server, change: Change, done: int, first: Event) -> int:
    """Change and change again, ``first`` is the first; the number of the last acknowledged one."""
    aws = kit.client(server)
    with contextlib.suppress(BotoCoreError, ClientError, ConnectionError):
        while True:
            change(aws, done + 1)
            done += 1
            first.set()
    return done


def test_a_kill_leaves_before_or_after(serve: Callable[..., Server]) -> None:
    """After each kill: every acknowledged change holds, at most one more, and it all runs."""
    server = serve()
    aws = kit.client(server)
    for name in BASES:
        kit.create(aws, name, CODE.format(n=0), Publish=True)
        aws.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    done = dict.fromkeys(CHANGES, 0)
    for _ in range(ROUNDS):
        assert server.process is not None
        kit.development_key(server.data)  # else each change would begin by asking for it
        firsts = {each: Event() for each in CHANGES}
        with ThreadPoolExecutor(len(CHANGES)) as threads:
            changing = {
                each: threads.submit(until_it_ends, server, each, done[each], first)
                for each, first in firsts.items()
            }
            begun = [first.wait(SECONDS_MAX) for first in firsts.values()]
            Timer(random.uniform(0, MORE_SECONDS_MAX), server.process.kill).start()
        assert all(begun)
        acknowledged = {each: one.result() for each, one in changing.items()}
        server.stop()

        server = serve()
        aws = kit.client(server)
        done = {change: state(aws, done[change]) for change, state in CHANGES.items()}
        for change, number in acknowledged.items():
            assert number <= done[change] <= number + 1, change
        for name in BASES:
            assert kit.call(aws, name, Qualifier="live")[1]["StatusCode"] == 200
    assert min(done.values()) > 0
    assert server.stop(signal.SIGTERM) == 0
