"""Several front processes on one port: the same platform, seen through any of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.aws import kit
from tests.e2e.serving import Server, name_of

PICTURE = "/img/sample/boats.jpg?w=240"
APP = """
name = "talk"
[functions.slow]
handler = "talk.slow"
timeout_seconds = 30
[[routes]]
path = "/slow"
function = "slow"
"""
PIECES = """
def handler(event, context):
    for number in range(event["count"]):
        yield str(number % 10) * 50_000
"""
CODE = """
import time
def handler(event, context):
    for number in range(3):
        yield f"piece {number}\\n"
def slow(event, context):
    time.sleep(1.0)
    return "slept"
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform behind two fronts."""
    folder = tmp_path_factory.mktemp("several")
    app = folder / "talk"
    app.mkdir()
    (app / "app.toml").write_text(APP)
    (app / "talk.py").write_text(CODE)
    server = Server(folder / "data", ("--workers", "2", "--app", str(app))).start()
    yield server
    server.stop()


def fronts(server: Server) -> list[int]:
    """Pids of the front processes."""
    assert server.process is not None
    found = []
    for pid in server.family():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"dynimo.fronts" in command:
                found.append(pid)
    return found


def test_there_are_as_many_as_were_asked_for(several: Server) -> None:
    """And the core does not listen itself."""
    assert len(fronts(several)) == several.statistics()["server"]["fronts"] == 2


def test_pictures_and_refusals_pass(several: Server) -> None:
    """First from the core, then from a shelf."""
    first = several.get(PICTURE)
    again = [several.get(PICTURE) for _ in range(8)]

    assert first.status == 200
    assert {each.body for each in again} == {first.body}
    assert all("; hit" in each.headers["cache-status"] for each in again)
    assert several.get("/img/sample/none.jpg").status == 404
    assert several.get("/img/sample/boats.jpg?nonsense=1").status == 400
    assert several.get("/livez").status == 200


def test_what_was_purged_is_never_given_again(several: Server) -> None:
    """Not by any front: a purge is done when all of them have forgotten."""
    for width in range(300, 310):
        target = f"/img/sample/boats.jpg?w={width}"
        several.get(target)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: several.get(target), range(8)))  # noqa: B023 - at once
        purged = several.purge(url=target)
        assert purged.status == 200
        assert "; hit" not in several.get(target).headers["cache-status"]


def test_boto3_works_and_a_wrong_secret_does_not(several: Server) -> None:
    """A signature is proved in a front; what is wrong with one is said by the core."""
    client = kit.client(several)
    kit.create(client, "echo", "def handler(event, context): return event")
    answered = client.invoke(FunctionName="echo", Payload=json.dumps({"a": 1}).encode())

    assert json.loads(answered["Payload"].read()) == {"a": 1}
    wrong = kit.client(several, aws_secret_access_key="wrong" * 8)
    with pytest.raises(wrong.exceptions.ClientError, match="InvalidSignatureException"):
        wrong.list_functions()


def test_an_answer_in_pieces_passes_whole(several: Server) -> None:
    """More of it than a front is given at once; and a client that leaves ends it."""
    client = kit.client(several)
    kit.create(client, "pieces", PIECES)
    answer = client.invoke_with_response_stream(FunctionName="pieces", Payload=b'{"count": 40}')
    pieces = [
        each["PayloadChunk"]["Payload"] for each in answer["EventStream"] if "PayloadChunk" in each
    ]

    assert b"".join(pieces) == b"".join(b"%d" % (number % 10) * 50_000 for number in range(40))
    left = client.invoke_with_response_stream(FunctionName="pieces", Payload=b'{"count": 40}')
    left["EventStream"].close()
    assert several.get("/livez").status == 200


def test_a_front_that_is_killed_is_replaced(
    several: Server, wait_until: Callable[..., None]
) -> None:
    """The other one serves meanwhile."""
    before = fronts(several)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(fronts(several)) == 2 and before[0] not in fronts(several))

    assert several.get("/livez").status == 200
    wait_until(lambda: several.statistics()["server"]["fronts"] == 2)


def test_a_reload_loses_no_request(several: Server, wait_until: Callable[..., None]) -> None:
    """Every front is another one afterwards; connections end between two requests, announced."""
    before = fronts(several)
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", several.port, timeout=30)
            for _ in range(50):
                connection.request("GET", PICTURE)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
                if answer.headers["connection"] == "close" or stop.is_set():
                    break
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        slow = pool.submit(several.get, "/slow")
        assert several.process is not None
        several.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(fronts(several)) & set(before))
        stop.set()
        for each in asking:
            each.result()

    assert slow.result().body == b"slept"
    assert set(statuses) == {200}
    assert len(fronts(several)) == 2


def test_asked_to_stop_all_of_them_end(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    """No process is left, and the exit status is 0."""
    server = Server(tmp_path / "data", ("--workers", "3")).start()
    server.get("/livez")
    family = server.family()

    assert len(fronts(server)) == 3
    assert server.stop() == 0
    wait_until(lambda: not any(name_of(pid) for pid in family))


def test_without_the_core_no_front_stays(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    """What is killed at once takes them along."""
    server = Server(tmp_path / "data", ("--workers", "2")).start()
    pids = fronts(server)
    server.stop(signal.SIGKILL)

    wait_until(lambda: not any(name_of(pid) for pid in pids))
