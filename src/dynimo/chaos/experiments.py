"""What is done to the server, one thing after another, and what clients may see meanwhile.

Each experiment does its harm for some seconds and makes it good again. What is in the table is all
there is; running them is ``running``'s work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dynimo.chaos import subject
from dynimo.chaos.clients import Clients
from dynimo.chaos.server import Server

KILL_PAUSE_SECONDS = 1.0
"""Between two kills: a request that is tried once more survives one, not two."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be harmed."""

    server: Server
    origin: subject.Origin
    clients: Clients


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """``harm`` is done for so many seconds and undone.

    ``fresh_may_fail``: what nobody asked for before may be answered 502, 503 or 504.
    ``cuts``: connections may break.
    """

    name: str
    about: str
    harm: Callable[[Scene, float], None]
    fresh_may_fail: bool = False
    cuts: bool = False


def _nothing(_: Scene, seconds: float) -> None:
    time.sleep(seconds)


def _kill(prefix: str) -> Callable[[Scene, float], None]:
    def harm(scene: Scene, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            scene.server.kill_processes(prefix)
            time.sleep(min(KILL_PAUSE_SECONDS, seconds))
            if time.monotonic() >= until:
                return

    return harm


def _kill_fronts(scene: Scene, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        scene.server.kill_one_front()
        time.sleep(min(KILL_PAUSE_SECONDS, seconds))
        if time.monotonic() >= until:
            return


def _mood(mood: str) -> Callable[[Scene, float], None]:
    def harm(scene: Scene, seconds: float) -> None:
        scene.origin.mood = mood
        try:
            time.sleep(seconds)
        finally:
            scene.origin.mood = subject.WELL

    return harm


def _empty_the_cache(scene: Scene, seconds: float) -> None:
    scene.server.ask("POST", "/_dynimo/purge", b'{"everything": true}')
    time.sleep(seconds)


def _fill_the_disk(scene: Scene, seconds: float) -> None:
    scene.server.fill_disk()
    try:
        time.sleep(seconds)
    finally:
        scene.server.free_disk()


def _kill_the_server(scene: Scene, seconds: float) -> None:
    scene.server.kill()
    time.sleep(min(KILL_PAUSE_SECONDS, seconds) / 4)
    scene.server.start(scene.clients.port)


EXPERIMENTS = (
    Experiment(name="nothing", about="all is well", harm=_nothing),
    Experiment(
        name="environments", about="every environment is killed, each second", harm=_kill("env ")
    ),
    Experiment(name="zygotes", about="every zygote is killed, each second", harm=_kill("zygote")),
    Experiment(
        name="fronts",
        about="one of the processes that speak HTTP is killed, each second",
        harm=_kill_fronts,
        cuts=True,
    ),
    Experiment(name="cache", about="everything stored is dropped", harm=_empty_the_cache),
    Experiment(name="slow origin", about="the origin takes its time", harm=_mood(subject.SLOW)),
    Experiment(
        name="broken origin",
        about="the origin answers 500",
        harm=_mood(subject.BROKEN),
        fresh_may_fail=True,
    ),
    Experiment(
        name="silent origin",
        about="the origin hangs up without a word",
        harm=_mood(subject.SILENT),
        fresh_may_fail=True,
    ),
    Experiment(name="disk", about="the disk is full", harm=_fill_the_disk),
    Experiment(
        name="server",
        about="the server is killed and started again",
        harm=_kill_the_server,
        fresh_may_fail=True,
        cuts=True,
    ),
)
