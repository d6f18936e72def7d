"""Starts what is compared, sends schedules to it, and watches its supply. No figures.

Everything listens on 127.0.0.1, is bounded by its schedule, and is stopped by its pid.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bench import programs
from bench.setting import ROOT, Setting, Unavailable
from bench.spike import scale
from bench.spike.shots import Shot, Volley, read_result, write_schedule
from dynimo.simulating.elasticity import Supply

LEAD_SECONDS = 2.5
"""From starting the senders to the first moment of their schedules."""
WATCH_SECONDS = 0.05
APP = ROOT / "bench" / "spike_app"
FUNCTION = "spike-work"
_SUPPLY = re.compile(rf'^dynimo_workers{{[^}}]*"{FUNCTION}"}} (\S+)$', re.MULTILINE)
_RUNS = re.compile(rf'^dynimo_invocations_total{{[^}}]*"{FUNCTION}"}} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One running contender. ``supply`` gives its supply so far, on the monotonic clock.

    ``parameters`` say to the simulator how it is made: see ``dynimo.simulating.validating.plan``.
    """

    name: str
    ports: Sequence[int]
    pid: int
    supply: Callable[[], list[Supply]] = list
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Watch:
    """Reads ``/metrics`` twenty times a second; a context manager. ``supply`` is what it saw."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.supply: list[Supply] = []

    def _watch(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        while not self._done.wait(WATCH_SECONDS):
            before = time.monotonic()
            try:
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            count = int(first_number(_SUPPLY, text))
            if not self.supply or self.supply[-1].environments != count:
                self.supply.append(Supply(before, count, count))
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def first_number(pattern: re.Pattern[str], text: str) -> float:
    """The number in the first match; 0 without one."""
    found = pattern.search(text)
    return float(found[1]) if found else 0.0


def get(port: int, path: str) -> bytes:
    """GET a page whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def runs_so_far(port: int) -> int:
    """How many invocations of the function have ended in a Dynimo."""
    return int(first_number(_RUNS, get(port, "/metrics").decode()))


@contextlib.contextmanager
def dynimo(setting: Setting) -> Iterator[Serving]:
    """``dynimo up`` as shipped, on fresh data, with the app that sleeps."""
    folder = setting.folder("spike", "dynimo")
    data, port = folder / "data", programs.free_port()
    shutil.rmtree(data, ignore_errors=True)
    command = [sys.executable, "-m", "dynimo", "up", "--port", str(port), "--data", str(data)]
    with programs.Program(
        "dynimo", [*command, "--app", str(APP)], log=folder / "log", folder=folder
    ) as program:
        program.wait_ready(port, "/readyz", accept=200)
        with Watch(port) as watch:
            yield Serving(
                name="Dynimo",
                ports=(port,),
                pid=program.pid,
                supply=lambda: list(watch.supply),
                parameters={"kind": "on-demand", "environments": 200, "idle_seconds": 10.0},
            )


@contextlib.contextmanager
def fleet(
    setting: Setting, name: str, environments: int, *, follows: bool = False
) -> Iterator[Serving]:
    """One of the baselines: ``bench.spike.fleet``, fixed or following its metric."""
    folder = setting.folder("spike", name.replace(" ", "-").replace(",", ""))
    port = programs.free_port()
    parameters: dict[str, Any] = {"kind": "fixed", "environments": environments}
    given = ["--environments", str(environments), "--service-seconds", str(scale.SERVICE_SECONDS)]
    if follows:
        parameters |= {
            "kind": "autoscaled",
            "metric_seconds": scale.METRIC_SECONDS,
            "start_seconds": scale.BOOT_SECONDS,
            "calm_windows": 5,
        }
        given += ["--metric-seconds", str(scale.METRIC_SECONDS)]
        given += ["--start-seconds", str(scale.BOOT_SECONDS)]
    command = [sys.executable, "-m", "bench.spike.fleet", "--port", str(port), *given]
    with programs.Program(name, command, log=folder / "log", folder=ROOT) as program:
        program.wait_ready(port, "/readyz", accept=200)
        yield Serving(
            name=name,
            ports=(port,),
            pid=program.pid,
            supply=lambda: [Supply(*each) for each in json.loads(get(port, "/supply"))],
            parameters=parameters,
        )


def send(
    setting: Setting,
    servers: Sequence[Serving],
    shots: Sequence[Shot],
    *,
    during: Callable[[float], None] | None = None,
    lines: int = 0,
) -> list[Volley]:
    """Send a schedule to each of these at the same time, from a process for each.

    ``lines`` connections are opened beforehand; others when they are needed.
    ``during`` is called once the senders are started, with their beginning (monotonic seconds).

    Raises:
        Unavailable: a sender failed.
    """
    folder = setting.folder("spike")
    schedule = folder / "schedule.json"
    write_schedule(schedule, shots)
    began = time.monotonic() + LEAD_SECONDS
    with contextlib.ExitStack() as stack:
        senders = []
        for number, serving in enumerate(servers):
            result = folder / f"result-{number}.json"
            result.unlink(missing_ok=True)
            command = [sys.executable, "-m", "bench.spike.sender", "--schedule", str(schedule)]
            command += ["--result", str(result), "--began", str(began)]
            command += ["--deadline", str(scale.DEADLINE_SECONDS), "--lines", str(lines)]
            program = programs.Program(
                f"the sender to {serving.name}",
                [*command, *(str(port) for port in serving.ports)],
                log=folder / f"sender-{number}.log",
                folder=ROOT,
            )
            senders.append((stack.enter_context(program), result))
        if during is not None:
            during(began)
        last = shots[-1].due if shots else 0.0
        until = began + last + 2 * scale.DEADLINE_SECONDS
        return [_result(program, path, shots, until) for program, path in senders]


def _result(program: programs.Program, path: Any, shots: Sequence[Shot], until: float) -> Volley:
    program.wait_ended(until - time.monotonic())
    if not path.is_file():
        raise Unavailable(f"{program.name} failed{program.tail()}")
    return read_result(path, shots)
