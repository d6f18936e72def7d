"""MiniStack (AWS's APIs in one Python process) from PyPI, in a virtual environment of its own.

Best fair settings: functions as its own local processes (``LAMBDA_EXECUTOR=local``, its default; no
Docker), kept warm, logging warnings only. It verifies no signature; the requests are signed all the
same, so that both are asked the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

from bench import aws, light_client, programs, signed
from bench.peers.dynimo_functions import FUNCTION, HOLD
from bench.peers.hello import ENVIRONMENTS, HOST, Serving
from bench.peers.venvs import Venv
from bench.setting import Setting

REQUIREMENTS = ("ministack==1.5.33",)
READY_PATH = "/_ministack/health"
KEYS = signed.Keys("test", "test")


class MiniStack:
    """See the module."""

    name = "MiniStack"

    def __init__(self, setting: Setting) -> None:
        self._venv = Venv(setting, "ministack", REQUIREMENTS)

    def install(self) -> str:
        """Install from PyPI, once."""
        self._venv.install()
        return REQUIREMENTS[0].replace("==", " ")

    def settings(self) -> str:
        """Say how it is run."""
        return "LAMBDA_EXECUTOR=local, LOG_LEVEL=WARNING, verifies no signature"

    @contextlib.contextmanager
    def start(self) -> Iterator[Serving]:
        """Start it with the function and its environments."""
        with self.platform() as serving:
            aws.create(aws.client(serving.port, KEYS), FUNCTION)
            held = serving.requests([HOLD] * ENVIRONMENTS)
            light_client.closed_loop(
                serving.port, held, aws.EXPECTED, lines=ENVIRONMENTS, more=lambda _: False
            )
            yield serving

    @contextlib.contextmanager
    def platform(self) -> Iterator[Serving]:
        """Start it without a function."""
        port = programs.free_port()
        variables = {
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": HOST,
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(self._scratch()),
        }
        with programs.Program(
            self.name,
            [str(self._venv.python), "-m", "ministack"],
            log=self._venv.folder / "log",
            folder=self._venv.folder,
            variables=variables,
        ) as running:
            running.wait_ready(port, READY_PATH, accept=200)
            requests = partial(signed.invocations, KEYS, port, FUNCTION)
            yield Serving(port=port, pids=[running.pid], requests=requests, keys=KEYS)

    def _scratch(self) -> object:
        folder = self._venv.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder
