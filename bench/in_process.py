"""The platform started inside the bench's own process, without HTTP: for timing calls to it.

The same assembly and event loop as ``dynimo up``; log lines are written, as they are there, but to
nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import uvloop

from bench import memory, processor
from bench.setting import ROOT, Setting, Unavailable
from dynimo import assembly, settings, telemetry
from dynimo.model.invocation import Invocation, Outcome

SAMPLE_APP = ROOT / "bench" / "sample_app"
START_SECONDS_MAX = 60.0
GONE_SECONDS_MAX = 10.0
POLL_SECONDS = 0.002

_Result = TypeVar("_Result")


def run(main: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run ``main`` on the event loop that the product uses."""

    async def whole() -> _Result:
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


@contextlib.asynccontextmanager
async def platform(
    setting: Setting, apps: tuple[Path, ...], sources: Mapping[str, Path]
) -> AsyncIterator[assembly.Platform]:
    """Start a platform with these apps besides the built-in ones, on fresh data."""
    data = setting.folder("in-process") / "data"
    shutil.rmtree(data, ignore_errors=True)
    chosen = settings.Settings(
        data=str(data),
        app_folders=tuple(str(app) for app in apps),
        sources={name: str(folder) for name, folder in sources.items()},
    )
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230, PTH123 - opening it cannot block
        telemetry.set_up_logging(nowhere)
        whole = await assembly.Platform.assemble(chosen, setting.data)
        try:
            await asyncio.wait_for(whole.start(listen=False), START_SECONDS_MAX)
            yield whole
        finally:
            with processor.accounted(memory.tree(os.getpid())[1:]):
                await whole.stop(0)


class Caller:
    """Invokes functions of a platform, one after another."""

    def __init__(self, whole: assembly.Platform) -> None:
        self._whole = whole
        self._count = 0

    async def call(self, function: str, event: bytes) -> tuple[Outcome, int, int]:
        """Invoke; return the outcome, and ``monotonic_ns`` before and after.

        Raises:
            Unavailable: the function failed; nothing it says can be a measurement.
        """
        self._count += 1
        before = time.monotonic_ns()
        invocation = Invocation(
            id=f"bench-{self._count}", function=function, event=event, arrived_ns=before
        )
        outcome = await self._whole.invoker.invoke(invocation)
        after = time.monotonic_ns()
        if outcome.error is not None:
            raise Unavailable(f"{function} failed: {outcome.error}")
        return outcome, before, after

    async def until_gone(self, function: str, settle_seconds: float) -> None:
        """Wait until no environment of ``function`` is left, and a little more.

        Raises:
            Unavailable: they do not go.
        """
        pool = self._whole.invoker.fleets[function].pool
        until = time.monotonic() + GONE_SECONDS_MAX
        while pool.count:
            if time.monotonic() > until:
                raise Unavailable(f"environments of {function} stay although they are idle")
            await asyncio.sleep(POLL_SECONDS)
        await asyncio.sleep(settle_seconds)


def http_event(path: str, query: str = "") -> bytes:
    """Make a GET event in the HTTP API's payload format 2.0."""
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "localhost"},
        "requestContext": {"http": {**http, "userAgent": "bench"}, "requestId": "bench"},
        "isBase64Encoded": False,
    }
    return json.dumps(event).encode()
