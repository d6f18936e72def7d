"""What every test of the project shares: a clean environment, free ports, waiting with a limit.

Also how they are divided between processes: whole files (pyproject.toml says so), since the tests
of a file may share a server; what may take long begins first, so that no core is idle at the end.

And the rule about skips: on a laptop a test whose tool is missing skips and names it; under
``CI=true`` (or ``DYNIMO_REQUIRE_ALL=1``) a skip is a failure, since `.ci/run` installs every tool
and a suite that silently tests less would still be green. Nothing about one part belongs here.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test measures time: not by Hypothesis's own limits either, which a busy machine breaks.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.01
PROCESSES_MAX = 4
"""More would meet at the same disk and at the same cores as the servers that they start."""
ADDRESS = " at 0x"
"""What a test's name has in it where a value has no word for itself."""
STRICT = "skip_is_failure"
"""What a process that divides the tests tells the processes that run them."""


def require_all(environment: dict[str, str]) -> bool:
    """Whether a skip counts as a failure here."""
    on = {"1", "true", "yes"}
    return any(environment.get(name, "").lower() in on for name in ("CI", "DYNIMO_REQUIRE_ALL"))


class SkipIsFailure:
    """A plugin that turns each skip, of a test or of a whole file, into a failure."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        """Turn the skip of one test."""
        report: Any = yield
        return self._turned(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, Any, Any]:
        """Turn the skip of a file (``importorskip``)."""
        report: Any = yield
        return self._turned(report)

    @staticmethod
    def _turned(report: Any) -> Any:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            report.outcome = "failed"
            report.longrepr = f"{reason}\nCI must skip nothing: let .ci/run install what is missing"
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Read the switch for skips, then clear the environment of settings meant for other runs."""
    strict = getattr(config, "workerinput", {}).get(STRICT, require_all(dict(os.environ)))
    if strict:
        config.pluginmanager.register(SkipIsFailure(), STRICT)
    for name in list(os.environ):
        if name.startswith(("DYNIMO_", "AWS_")):
            del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the switch on: the environment that it stood in is clean by now."""
    node.workerinput[STRICT] = node.config.pluginmanager.hasplugin(STRICT)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core; none for a single file, which would not be divided."""
    files = {each.partition("::")[0] for each in config.args}
    if len(files) == 1 and files.pop().endswith(".py"):
        return 0
    return min(len(os.sched_getaffinity(0)), PROCESSES_MAX)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests have more time than others come first; else the order stays.

    A name that each process makes anew would end every divided run, so one process refuses it too.
    """
    anew = next((item.nodeid for item in items if ADDRESS in item.nodeid), "")
    if anew:
        raise pytest.UsageError(f"{anew}: an address in memory is no part of a test's name")
    allowed: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = float(marker.args[0]) if marker else 0.0
        allowed[item.path] = max(seconds, allowed.get(item.path, 0.0))
    items.sort(key=lambda item: -allowed[item.path])


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody held a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """``wait_until(condition, seconds=60)``: polls; AssertionError once the time is up.

    For things outside this process that send no event: another process's port, file or death.
    """

    def wait(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
            time.sleep(POLL_SECONDS)

    return wait
