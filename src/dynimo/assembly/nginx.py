"""nginx as the edge: its process, what is purged from it, and the operator's face beside it.

Clients speak with nginx alone. The operator's paths are on a port of their own, on this machine
only, where the data folder says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dynimo.api.admin import KEY_HEADER, Admin
from dynimo.datafolder import DataFolder
from dynimo.edge.purge import EVERYTHING, Selector, selector
from dynimo.model.errors import ConfigError
from dynimo.nginx import configuring, generations, program
from dynimo.nginx.plan import Plan
from dynimo.nginx.purger import Purger
from dynimo.settings import Settings
from dynimo.telemetry import Metrics
from dynimo.upstreams.upstream import Upstream
from dynimo.web import faults, message
from dynimo.web.server import Server

log = logging.getLogger("dynimo.nginx")

LOOK_SECONDS = 1.0
"""How often it is seen what nginx has stored; so much longer an answer may live that was asked for
before a purge and stored after it."""

DESK_HOST = "127.0.0.1"
_Result = TypeVar("_Result")


class NginxEdge:
    """nginx before Dynimo servers: ``start``, use it, ``stop``."""

    def __init__(self, settings: Settings, plan: Plan, *, keys: tuple[str, ...] = ()) -> None:
        """Own the data folder, write and test the configuration.

        ``keys`` are those of the upstreams' data folders, to purge them too: one for each, or one
        for all; none leaves them alone.

        Raises:
            ConfigError: nginx is not here, or refuses; or the data folder cannot be used.
        """
        self._settings = settings
        self._program = program.find()
        self._data = DataFolder.own(Path(settings.data))
        program.prepare(plan.folder, plan.user)
        self._plan = replace(plan, generation=generations.current(plan.folder))
        self._nginx = program.Nginx(self._program, plan.folder, (plan.host, plan.port))
        self._behind = [
            (url, Upstream(url, settings.upstreams), key)
            for url, key in zip(plan.upstreams, keys * len(plan.upstreams), strict=False)
        ]
        self._write()
        self._purger = Purger(plan.folder / "cache", plan.folder / "catalogue.sqlite3")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nginx-cache")
        self._purging = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        admin = Admin(
            _nothing, metrics=Metrics(), purge=self.purge, key=self._data.key(), bare=False,
            ready=lambda: {"nginx": "ok" if self._nginx.runs else "it ended"},
            statistics=lambda: {"nginx": {"generation": self._plan.generation, **self.counts}},
        )  # fmt: skip
        self._desk = Server(admin, config=settings.web)

    @property
    def counts(self) -> Mapping[str, int]:
        """What was purged, and how many files there are."""
        return self._purger.counts

    async def start(self) -> None:
        """Start nginx, then the desk.

        Raises:
            ConfigError: nginx does not start.
        """
        await self._nginx.start()
        port = await self._desk.start(DESK_HOST, 0)
        self._looking = asyncio.get_running_loop().create_task(self._look())
        self._data.publish_address(f"http://{DESK_HOST}:{port}")

    async def ended(self) -> None:
        """Return when nginx has ended by itself."""
        await self._nginx.ended()

    async def reload(self) -> None:
        """Let nginx read its configuration and certificates again; what is wrong is logged."""
        async with self._purging:
            try:
                self._write()
                await self._nginx.reload()
                log.info("nginx serves with what it read anew")
            except (ConfigError, OSError) as error:
                log.error("nginx serves on as before: %s", error)

    async def stop(self) -> None:
        """Take all down."""
        self._data.withdraw_address()
        self._purger.hurry()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._desk.stop(self._settings.stop_seconds)
        await self._nginx.stop(self._settings.stop_seconds)
        self._thread.shutdown()
        self._purger.close()
        for _, upstream, _ in self._behind:
            await upstream.close()
        self._data.release()

    async def purge(
        self, url: str, *, prefix: bool = False, everything: bool = False, tag: str = "",
        soft: bool = False,
    ) -> int:  # fmt: skip
        """Purge the servers behind, then nginx; return how many of nginx's files that took.

        Raises:
            ValueError: the URL is none.
            OSError: a server behind did not do it; nginx is purged.
        """
        if everything:
            wanted = replace(EVERYTHING, soft=soft)
        elif tag:
            wanted = Selector(text=tag, tag=True, soft=soft)
        else:
            wanted = selector(url, prefix=prefix, soft=soft)
        failed = await self._purge_behind(_asked(url, prefix=prefix, wanted=wanted))
        async with self._purging:
            if everything and not soft:
                count = await self._begin_generation()
            else:
                count = await self._in_thread(lambda: self._purger.purge(wanted))
        if failed:
            raise OSError(" ".join(failed))
        return count

    async def _purge_behind(self, asked: dict[str, object]) -> list[str]:
        """Ask all upstreams at once; return what went wrong."""
        body = json.dumps(asked).encode()

        async def one(url: str, upstream: Upstream, key: str) -> str:
            headers = [("content-type", "application/json"), (KEY_HEADER, key)]
            request = message.Request(
                method="POST", path="/_dynimo/purge", headers=message.Headers(headers), body=body
            )
            answered = await upstream(request)
            return "" if answered.status == 200 else f"{url} answered {answered.status}."

        told = await asyncio.gather(*(one(*each) for each in self._behind))
        return [each for each in told if each]

    async def _begin_generation(self) -> int:
        """Give all keys another beginning; return how many files have the old one."""
        count = self.counts["files"]
        generation = generations.begin(self._plan.folder)
        self._plan = replace(self._plan, generation=generation)
        self._write()
        await self._nginx.reload()
        return count

    def _write(self) -> None:
        program.write(self._plan.folder, configuring.config(self._plan), self._program)

    async def _look(self) -> None:
        """See what nginx stores, all the while."""
        while True:
            try:
                await self._in_thread(self._purger.look)
                while await self._in_thread(lambda: self._purger.sweep(self._plan.generation)):
                    pass
            except (OSError, sqlite3.Error) as error:
                log.error("nginx's cache cannot be read: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _asked(url: str, *, prefix: bool, wanted: Selector) -> dict[str, Any]:
    """The purge in the words of a Dynimo's API."""
    if wanted.everything:
        asked: dict[str, Any] = {"everything": True}
    elif wanted.tag:
        asked = {"tag": wanted.text}
    else:
        asked = {"prefix" if prefix else "url": url}
    return {**asked, "soft": True} if wanted.soft else asked


async def _nothing(request: message.Request) -> message.Response:
    return faults.refusal(
        404, "NoRoute", f"Only the operator's paths are here, not {request.path}."
    )
