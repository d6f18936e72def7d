"""Runs experiments one after another on one server, under one load, and hands out findings."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dynimo.chaos import findings, subject
from dynimo.chaos.clients import KNOWN_KEYS, Clients
from dynimo.chaos.experiments import Experiment, Scene
from dynimo.chaos.server import NotStarted, Server

BACK_SECONDS_MAX = 10.0
GOOD_IN_A_ROW = 3
"""So many answers to fresh requests, one after another, mean that all is well again."""
PAUSE_SECONDS = 0.05


def run(
    experiments: Sequence[Experiment], *, seconds: float, workers: int
) -> Iterator[findings.Finding]:
    """Do each harm for ``seconds``, with a server that is started for this and stopped after it.

    Raises:
        NotStarted: the server did not start, or does not answer before anything was done to it.
    """
    with tempfile.TemporaryDirectory(prefix="dynimo-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # functions run as users of their own and must reach their code
        origin = subject.Origin()
        subject.write_app(folder / "app", origin.address)
        server = Server(
            folder,
            folder / "app",
            small=any(each.name == "disk" for each in experiments),
            workers=workers,
        )
        try:
            server.start()
            yield from _under_load(
                Scene(server, origin, Clients(server.port)), experiments, seconds
            )
        finally:
            server.close()
            origin.close()


def _under_load(
    scene: Scene, experiments: Sequence[Experiment], seconds: float
) -> Iterator[findings.Finding]:
    for number in range(KNOWN_KEYS):
        seen = scene.clients.once(f"{subject.PREFIX}known/{number}")
        if seen.problem:
            raise NotStarted(f"It answers its first requests with: {seen.problem}.")
    scene.clients.start()
    try:
        for experiment in experiments:
            scene.clients.take()
            experiment.harm(scene, seconds)
            back = _seconds_until_well(scene.clients)
            yield findings.judge(experiment, scene.clients.take(), back)
    finally:
        scene.clients.close()


def _seconds_until_well(clients: Clients) -> float:
    """How long until fresh requests are answered again, one after another."""
    began = time.monotonic()
    good = 0
    while (waited := time.monotonic() - began) < BACK_SECONDS_MAX:
        good = 0 if clients.once(clients.fresh_path()).problem else good + 1
        if good >= GOOD_IN_A_ROW:
            return time.monotonic() - began
        time.sleep(PAUSE_SECONDS)
    return math.inf if waited >= BACK_SECONDS_MAX else waited
