"""gunicorn with Flask from PyPI, in a virtual environment of its own: a plain web service.

Best fair settings for two cores: two processes (one a core), two threads each, so that as many
requests run at once as elsewhere, and keep-alive (which gunicorn's plain workers do not have). No
isolation, no signatures, nothing that starts or stops.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial

from bench import programs
from bench.peers.hello import ENVIRONMENTS, HOST, Serving, plain_requests
from bench.peers.venvs import Venv
from bench.setting import Setting

REQUIREMENTS = ("gunicorn==27.0.1", "flask==3.1.3")
PROCESSES = len(os.sched_getaffinity(0))
THREADS = max(1, ENVIRONMENTS // PROCESSES)
KEEP_ALIVE_SECONDS = 75
PATH = "/invoke"
_APP = """\
import time

from flask import Flask, jsonify, request

app = Flask(__name__)
calls = 0


@app.post("/invoke")
def invoke():
    global calls
    event = request.get_json()
    calls += 1
    if "hold_seconds" in event:
        time.sleep(event["hold_seconds"])
    return jsonify({"hello": "world", "calls": calls})


@app.get("/ready")
def ready():
    return "ready"
"""


class GunicornFlask:
    """See the module."""

    name = "gunicorn+Flask"

    def __init__(self, setting: Setting) -> None:
        self._venv = Venv(setting, "gunicorn", REQUIREMENTS)

    def install(self) -> str:
        """Install from PyPI, once."""
        self._venv.install()
        return ", ".join(each.replace("==", " ") for each in REQUIREMENTS)

    def settings(self) -> str:
        """Say how it is run."""
        return f"{PROCESSES} processes of {THREADS} threads (gthread), keep-alive, no access log"

    @contextlib.contextmanager
    def start(self) -> Iterator[Serving]:
        """Start it with the function."""
        folder = self._venv.folder
        (folder / "hello_app.py").write_text(_APP, "utf-8")
        port = programs.free_port()
        options = ["-w", str(PROCESSES), "-k", "gthread", "--threads", str(THREADS)]
        options += [
            "-b",
            f"{HOST}:{port}",
            "--keep-alive",
            str(KEEP_ALIVE_SECONDS),
            "--log-level",
            "warning",
        ]
        with programs.Program(
            self.name,
            [str(self._venv.python), "-m", "gunicorn", *options, "hello_app:app"],
            log=folder / "log",
            folder=folder,
        ) as running:
            running.wait_ready(port, "/ready", accept=200)
            yield Serving(
                port=port, pids=[running.pid], requests=partial(plain_requests, port, PATH)
            )
