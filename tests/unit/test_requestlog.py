"""One line and one count for each request, in batches, within a bound."""

from __future__ import annotations

import io
import json

from dynimo import requestlog, testing
from dynimo.requestlog import RequestLog
from dynimo.telemetry import Metrics
from dynimo.web.message import Headers, Request, Response


def _log(*, plain: bool = True) -> tuple[RequestLog, Metrics, testing.VirtualClock, io.StringIO]:
    metrics, clock, stream = Metrics(), testing.VirtualClock(), io.StringIO()
    return (
        RequestLog(metrics, clock, lines=True, plain=plain, stream=stream),
        metrics,
        clock,
        stream,
    )


HIT = Response(
    headers=Headers([("content-type", "a/b; c"), ("cache-status", "Dynimo; hit; ttl=1")]),
    body=b"x" * 2500,
)
REQUEST = Request(method="GET", path="/a", query="b=1")


def test_nothing_is_written_until_a_moment_later() -> None:
    """The request itself does not wait for its line."""
    log, _, clock, stream = _log()
    log.add(REQUEST, HIT, 0.0015)
    assert stream.getvalue() == ""

    clock.run(clock.now() + 1)

    assert stream.getvalue().endswith(" GET /a?b=1 200 a/b 2kB HIT 1.5ms\n")


def test_a_line_for_machines_is_json() -> None:
    """With what a person would look for."""
    log, _, _, stream = _log(plain=False)
    log.add(REQUEST, HIT, 0.5)
    log.flush()

    line = json.loads(stream.getvalue())
    assert (line["target"], line["status"], line["seconds"]) == ("/a?b=1", 200, 0.5)


def test_requests_are_counted_by_status() -> None:
    """The metrics know as many as the server answered."""
    log, metrics, _, _ = _log()
    for status in (200, 200, 404):
        log.add(REQUEST, Response(status=status), 0.1)
    log.flush()

    told = metrics.render().decode()
    assert "dynimo_requests_total 3.0" in told
    assert 'dynimo_status_codes_total{status="404"} 1.0' in told


def test_a_flood_is_bounded_and_said() -> None:
    """What does not fit is counted, not kept."""
    log, _, _, stream = _log()
    for _ in range(requestlog.PENDING_MAX + 5):
        log.add(REQUEST, HIT, 0.1)
    log.flush()

    assert "(5 more requests, too many to list)" in stream.getvalue()


class _Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError


def test_a_log_that_cannot_be_written_stops_no_request() -> None:
    """The disk is full, or the reader left: served on."""
    metrics, clock = Metrics(), testing.VirtualClock()
    log = RequestLog(metrics, clock, lines=True, plain=True, stream=_Gone())
    for _ in range(2):
        log.add(REQUEST, HIT, 0.1)
        log.flush()

    assert "dynimo_requests_total 2.0" in metrics.render().decode()
