"""Dynimo's function platform: ``dynimo up`` on a fresh data folder, asked through AWS's API.

As shipped, unless a bench gives ``DYNIMO_`` variables. The key is the development key of its data.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial

from bench import aws, light_client, programs, signed
from bench.peers.hello import ENVIRONMENTS, Serving
from bench.setting import ROOT, Setting, Unavailable

READY_PATH = "/readyz"
FUNCTION = "hello"
HOLD = b'{"hold_seconds": 0.3}'


class DynimoFunctions:
    """See the module. ``name`` is also its folder's."""

    name = "dynimo"

    def __init__(
        self, setting: Setting, variables: Mapping[str, str] | None = None, folder: str = "dynimo"
    ) -> None:
        self._folder = setting.folder("functions", folder)
        self._variables = dict(variables or {})
        self.data = self._folder / "data"

    def install(self) -> str:
        """Say which version this checkout is."""
        if not (ROOT / "src" / "dynimo" / "__main__.py").exists():
            raise Unavailable("dynimo: this checkout has no program yet")
        return "dynimo, this checkout"

    def settings(self) -> str:
        """Say how it is run."""
        changed = " ".join(f"{key}={value}" for key, value in self._variables.items())
        return f"dynimo up as shipped{', but ' + changed if changed else ''}, every call signed"

    @contextlib.contextmanager
    def start(self) -> Iterator[Serving]:
        """Start it on a fresh data folder, with the function and its environments."""
        with self.platform() as serving:
            assert serving.keys is not None, "a platform has keys"
            aws.create(aws.client(serving.port, serving.keys), FUNCTION)
            held = serving.requests([HOLD] * ENVIRONMENTS)
            light_client.closed_loop(
                serving.port, held, aws.EXPECTED, lines=ENVIRONMENTS, more=lambda _: False
            )
            yield serving

    @contextlib.contextmanager
    def platform(self, *, fresh: bool = True) -> Iterator[Serving]:
        """Start it without a function, on a fresh data folder or on the one that is there."""
        if fresh:
            shutil.rmtree(self.data, ignore_errors=True)
        port = programs.free_port()
        program = [sys.executable, "-m", "dynimo"]
        options = ["--port", str(port), "--data", str(self.data)]
        with programs.Program(
            self.name,
            [*program, "up", *options],
            log=self._folder / "log",
            folder=self._folder,
            variables=self._variables,
        ) as running:
            running.wait_ready(port, READY_PATH, accept=200)
            told = subprocess.run(
                [*program, "env", "--json", "--data", str(self.data)],
                check=True,
                capture_output=True,
                cwd=self._folder,
            )
            said = json.loads(told.stdout)
            keys = signed.Keys(said["AWS_ACCESS_KEY_ID"], said["AWS_SECRET_ACCESS_KEY"])
            requests = partial(signed.invocations, keys, port, FUNCTION)
            yield Serving(port=port, pids=[running.pid], requests=requests, keys=keys)
