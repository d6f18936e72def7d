"""What verbs that serve until told to stop have in common: the loop, the signals, the address."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits

if TYPE_CHECKING:
    from dynimo.settings import Settings


def run(settings: Settings, main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a verb's coroutine to its end, on the fastest loop there is; its exit code."""
    from dynimo import telemetry

    telemetry.set_up_logging(level=settings.log.level, form=settings.log.form)
    try:
        import uvloop

        factory: Any = uvloop.new_event_loop
    except ImportError:  # not on every platform; plain asyncio serves as well, only slower
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


def until_told() -> asyncio.Event:
    """An event that Ctrl-C or SIGTERM sets; asked twice, the process ends at once."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        if asked.is_set():
            os._exit(exits.INTERRUPTED)  # asked twice: at once; the kernel takes the children along
        asked.set()
        click.echo("\nStopping; Ctrl-C again stops at once.", err=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return asked


def on_hangup(reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Reload on SIGHUP; one at a time. One that comes meanwhile is followed by one more."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    under_way: set[asyncio.Task[None]] = set()

    async def work() -> None:
        while asked.is_set():
            asked.clear()
            await reload()

    def begin() -> None:
        asked.set()
        if not under_way:
            task = loop.create_task(work())
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    loop.add_signal_handler(signal.SIGHUP, begin)


def shown_host(host: str) -> str:
    """A host as it can be typed into an address."""
    return "127.0.0.1" if host in {"", "0.0.0.0"} else f"[{host}]" if ":" in host else host  # noqa: S104
