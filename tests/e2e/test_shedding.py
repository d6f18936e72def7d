"""Too much to do, against the real program: what matters less is turned away, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.serving import Answer, Server

pytestmark = pytest.mark.e2e

APP = """
name = "slow"

[functions.work]
handler = "work.handler"
limit = 1

[[routes]]
path = "/slow/"
function = "work"
cors_origins = ["*"]
"""
CODE = """
import time


def handler(event, context):
    time.sleep(0.1)
    return {"statusCode": 200, "headers": {"cache-control": "max-age=60"}, "body": "done"}
"""
LIVE, PREFETCH = 12, 24


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose one function takes a tenth of a second and runs once at a time."""
    folder = tmp_path_factory.mktemp("shedding")
    (folder / "slow").mkdir()
    (folder / "slow" / "app.toml").write_text(APP)
    (folder / "slow" / "work.py").write_text(CODE)
    server = Server(folder / "data", ("--app", str(folder / "slow"))).start()
    yield server
    server.stop()


def test_under_overload_live_requests_are_answered_and_prefetches_are_not(slow: Server) -> None:
    """Every live request has its answer; a prefetch hears no, with all that a refusal says."""
    assert slow.get("/slow/first").status == 200

    def ask(number: int) -> tuple[bool, Answer]:
        live = number % 3 == 0
        headers = {} if live else {"sec-purpose": "prefetch"}
        return live, slow.get(f"/slow/{number}", headers)

    with ThreadPoolExecutor(LIVE + PREFETCH) as pool:
        answers = list(pool.map(ask, range(LIVE + PREFETCH)))
        hits = [slow.get("/slow/first", {"purpose": "prefetch"}).status for _ in range(3)]
    refused = [answer for _, answer in answers if answer.status != 200]

    assert {answer.status for live, answer in answers if live} == {200}
    assert len(refused) >= PREFETCH // 2
    assert {answer.status for answer in refused} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.headers["cache-control"] for answer in refused} == {"no-store"}
    assert {answer.json["error"] for answer in refused} == {"Overloaded"}
    assert {answer.headers["access-control-allow-origin"] for answer in refused} == {"*"}
    assert hits == [200] * 3
    told = slow.get("/metrics").body.decode().splitlines()
    counted = [line for line in told if line.startswith("dynimo_shed_total{")]
    assert sum(float(line.rpartition(" ")[2]) for line in counted) == len(refused)
    assert all('priority="prefetch"' in line for line in counted)


def test_health_and_metrics_are_answered_while_work_waits(
    slow: Server, wait_until: Callable[..., None]
) -> None:
    """They never queue behind work: they answer while others still wait."""

    def waiting() -> float:
        lanes = slow.statistics()["shedding"]
        return float(sum(lane["waiting"] for lane in lanes.values()))

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(slow.get, f"/slow/live/{number}") for number in range(20)]
        wait_until(lambda: waiting() > 0)
        statuses = [slow.get(path).status for path in ("/livez", "/health", "/metrics")]
        still = waiting()
        answers = [each.result().status for each in asked]

    assert (statuses, still > 0) == ([200] * 3, True)
    assert answers == [200] * 20
