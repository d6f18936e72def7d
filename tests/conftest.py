"""What every test of the project shares: a clean environment, free ports, waiting with a limit.

Also the rule about skips: on a laptop a test whose tool is missing skips and names it; under
``CI=true`` (or ``DYNIMO_REQUIRE_ALL=1``) a skip is a failure, since `.ci/run` installs every tool
and a suite that silently tests less would still be green. Nothing about one part belongs here.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test measures time: not by Hypothesis's own limits either, which a busy machine breaks.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.01


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
    if require_all(dict(os.environ)):
        config.pluginmanager.register(SkipIsFailure(), "skip-is-failure")
    for name in list(os.environ):
        if name.startswith(("DYNIMO_", "AWS_")):
            del os.environ[name]


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody held a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """``wait_until(condition, seconds=10)``: polls; AssertionError once the time is up.

    For things outside this process that send no event: another process's port, file or death.
    """

    def wait(condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
            time.sleep(POLL_SECONDS)

    return wait
