"""What callers are told by a fleet, over both ways to run a Python function: time, size, ends."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports, testing
from dynimo.backends.clocks import SystemClock
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.functions import outcomes
from dynimo.functions.fleet import Fleet
from dynimo.functions.pool import Limits
from dynimo.model.errors import DynimoError, InitError
from dynimo.model.invocation import Invocation, Outcome
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import code

OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.executable).resolve()
RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100


class Caller:
    """Calls one function, each time by a new invocation."""

    def __init__(self, sandbox: ProcessSandbox, folder: Path, way: str) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._way = way
        self._ids = itertools.count(1)

    async def call(self, source: str, *events: Any) -> list[Outcome]:
        """Put ``source`` into app.py and invoke with each of ``events``, one after the other."""
        folder = code(self._folder, source)
        spec = ports.SandboxSpec(
            function="f", version="1", code=folder, handler="app.handler", memory_mib=128,
            runtime=OWN,
        )  # fmt: skip
        if self._way == "client":
            packages = next(path for path in sys.path if path.endswith("site-packages"))
            (folder / "bootstrap").write_text(
                f"#!/bin/sh\nexec {PYTHON} -m awslambdaric app.handler\n"
            )
            (folder / "bootstrap").chmod(0o755)
            own = {"PYTHONPATH": packages}
            readable = (Path(packages),)
            spec = replace(spec, runtime="provided.al2023", variables=own, readable=readable)
        version = replace(testing.version(timeout_seconds=1), code=folder)
        around = testing.surroundings(version, self._sandbox, SystemClock())
        around = replace(around, response_bytes_max=RESPONSE_BYTES_MAX)
        fleet = Fleet(version, spec, Limits(environments=1), around)
        invocations = [
            Invocation(id=f"r-{next(self._ids)}", function="f", event=json.dumps(event).encode(),
                       arrived_ns=0)
            for event in events
        ]  # fmt: skip
        try:
            await fleet.open()
        except InitError as error:
            return [outcomes.never_began(each, version, error.error) for each in invocations]
        try:
            return [await self._outcome(fleet, each) for each in invocations]
        finally:
            await fleet.close(0)

    async def _outcome(self, fleet: Fleet, invocation: Invocation) -> Outcome:
        heard: asyncio.Future[Outcome | DynimoError] = asyncio.get_running_loop().create_future()
        fleet.run(invocation, heard.set_result)
        async with asyncio.timeout(60):
            outcome = await heard
        assert isinstance(outcome, Outcome)
        return outcome


@pytest.fixture(params=["forked", "client"])
async def caller(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Caller]:
    if request.param == "client":
        pytest.importorskip("awslambdaric")
    sandbox = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch"))
    yield Caller(sandbox, tmp_path / "code", request.param)
    await sandbox.close()


async def test_a_timeout(caller: Caller) -> None:
    """Sandbox.Timedout; the next invocation has a new process."""
    source = """
        import time
        seen = []
        def handler(event, context):
            seen.append(event)
            if event == 2: time.sleep(60)
            return seen
    """
    first, second, third = await caller.call(source, 1, 2, 3)
    assert first.value == b"[1]"
    assert second.error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-2 Error: Task timed out after 1.00 seconds",
    }
    assert second.killed == "time"
    assert third.value == b"[3]"


@pytest.mark.parametrize("where", ["import", "handler"])
async def test_exits_name_the_request(caller: Caller, where: str) -> None:
    """Runtime.ExitError, with the members in AWS's order."""
    at_import = "import sys; sys.exit(2)\n" if where == "import" else ""
    source = f"{at_import}import sys\ndef handler(event, context): sys.exit(2)\n"
    (outcome,) = await caller.call(source, {})
    assert outcome.error is not None
    assert list(outcome.error.items()) == [
        ("errorType", "Runtime.ExitError"),
        ("errorMessage", "RequestId: r-1 Error: Runtime exited with error: exit status 2"),
    ]


async def test_a_response_that_is_too_large(caller: Caller) -> None:
    """AWS's words; one that just fits goes through."""
    source = "def handler(event, context): return 'x' * event\n"
    fits, over = await caller.call(source, RESPONSE_BYTES_MAX - 2, RESPONSE_BYTES_MAX - 1)
    assert len(fits.value or b"") == RESPONSE_BYTES_MAX
    assert over.error == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size"
        " (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


async def test_times_and_memory_are_told(caller: Caller) -> None:
    """A start for the first only; the handler's time; a peak of memory."""
    source = "import time\ndef handler(event, context): time.sleep(0.05)\n"
    first, second = await caller.call(source, 1, 2)
    assert first.init_ms > 0
    assert second.init_ms == 0
    assert 50 <= second.duration_ms < 1_000
    assert 5_000 < second.max_rss_kib < 500_000
