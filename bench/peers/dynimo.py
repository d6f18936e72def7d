"""Dynimo itself, started as a stranger starts it: ``dynimo up`` on a fresh data folder.

Every picture goes through the whole chain: server, edge, gateway, Preprocessor, Generator.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import programs
from bench.peers.contender import WORKERS, Recipe
from bench.setting import ROOT, Setting, Unavailable

READY_PATH = "/readyz"
SOURCE = "bench"


@dataclass(frozen=True, slots=True)
class Running:
    """One server. ``port`` is where it listens, ``seconds`` how long it took until ready."""

    program: programs.Program
    port: int
    seconds: float

    @property
    def ports(self) -> tuple[int, ...]:
        """Its one port."""
        return (self.port,)

    @property
    def pids(self) -> list[int]:
        """The root of its tree."""
        return [self.program.pid]


class Dynimo:
    """See the module. ``prefix`` is put before the command (``taskset -c 0``).

    ``variables`` are ``DYNIMO_`` settings that a bench changes; ``folder`` is its own below data.
    """

    name = "dynimo"

    def __init__(
        self,
        setting: Setting,
        prefix: Sequence[str] = (),
        *,
        variables: Mapping[str, str] | None = None,
        folder: str = "dynimo",
    ) -> None:
        self._folder = setting.folder(folder)
        self._prefix = list(prefix)
        self._variables = dict(variables or {})
        self.data = self._folder / "data"

    def install(self) -> str:
        """Say which version this checkout is."""
        if not (ROOT / "src" / "dynimo" / "__main__.py").exists():
            raise Unavailable("dynimo: this checkout has no program yet")
        return "dynimo, this checkout"

    def settings(self) -> str:
        """Say how it is run."""
        return f"as shipped, on {WORKERS} cores, through the whole chain, cache on but cold"

    def forget(self) -> None:
        """Remove the data of former runs."""
        shutil.rmtree(self.data, ignore_errors=True)

    @contextlib.contextmanager
    def start(self, sources: Path, recipe: Recipe) -> Iterator[Running]:  # noqa: ARG002 - one shape
        """Start it on a fresh data folder."""
        self.forget()
        with self.again(sources) as running:
            yield running

    @contextlib.contextmanager
    def again(self, sources: Path) -> Iterator[Running]:
        """Start it on the data that is there."""
        port = programs.free_port()
        options = ["--port", str(port), "--data", str(self.data), "--source", f"{SOURCE}={sources}"]
        with programs.Program(
            self.name,
            [*self._prefix, sys.executable, "-m", "dynimo", "up", *options],
            log=self._folder / "log",
            folder=self._folder,
            variables=self._variables,
        ) as program:
            seconds = program.wait_ready(port, READY_PATH, accept=200)
            yield Running(program, port, seconds)

    def target(self, path: str, recipe: Recipe) -> str:
        """``inside`` is the default fit."""
        kind = {"jpeg": "jpg"}.get(recipe.format, recipe.format)
        size = f"w={recipe.side}&h={recipe.side}"
        return f"/img/{SOURCE}/{path}?{size}&fm={kind}&q={recipe.quality}"
