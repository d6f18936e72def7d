"""What one warm invocation costs: an in-process caller, a handler that returns its event.

The whole call is counted, from making the Invocation to holding the Outcome, REPORT line included;
the handler itself does nothing. Beside it, in turns, the floor: the same bytes to a bare process
and back through a socket pair.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time

from bench import figures, in_process
from bench.figures import Report
from bench.setting import Setting

NAME = "warm"
ABOUT = "overhead of a warm invocation, in-process caller, echo handler"
GOAL_MS = 0.2
CALLS_A_ROUND = 1_000
EVENT = b'{"key":"value"}'
_ECHO = """\
import socket, sys
peer = socket.socket(fileno=int(sys.argv[1]))
while data := peer.recv(65536):
    peer.sendall(data)
"""


def run(setting: Setting) -> Report:
    """Measure the platform's calls and the floor in turns."""
    return in_process.run(lambda: _measure(setting))


async def _measure(setting: Setting) -> Report:
    report = Report(bench=NAME)
    platform_ms: list[float] = []
    floor_ms: list[float] = []
    ours, theirs = socket.socketpair()
    echo = subprocess.Popen(  # noqa: ASYNC220 - before anything is measured
        [sys.executable, "-c", _ECHO, str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    try:
        async with in_process.platform(setting, (in_process.SAMPLE_APP,), {}) as platform:
            caller = in_process.Caller(platform)
            for _ in range(CALLS_A_ROUND // 10):
                await caller.call("bench-echo", EVENT)
            _floor(ours, CALLS_A_ROUND // 10)
            for _ in range(setting.rounds(10)):
                for _ in range(CALLS_A_ROUND):
                    _, before, after = await caller.call("bench-echo", EVENT)
                    platform_ms.append((after - before) / 1e6)
                floor_ms.extend(_floor(ours, CALLS_A_ROUND))
    finally:
        ours.close()
        echo.wait(5)
    report.add("warm invocation, median", figures.median(platform_ms), "ms", at_most=GOAL_MS)
    p99 = figures.percentile(platform_ms, 99)
    report.add("warm invocation, p99", p99, "ms", note=f"{len(platform_ms)} calls")
    report.add("bare socket pair to a process and back, median", figures.median(floor_ms), "ms")
    return report


def _floor(peer: socket.socket, calls: int) -> list[float]:
    samples = []
    for _ in range(calls):
        before = time.monotonic_ns()
        peer.sendall(EVENT)
        peer.recv(65_536)
        samples.append((time.monotonic_ns() - before) / 1e6)
    return samples
