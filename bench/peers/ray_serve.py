"""Ray Serve from PyPI, in a virtual environment of its own: replicas behind its HTTP proxy.

Best fair settings: as many replicas as elsewhere, each with its share of the cores, one request at
a time in each, no dashboard, no access log. Its scratch is a short path of its own under the
system's temporary folder, because the names of its sockets must stay under 108 bytes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import partial

from bench import programs
from bench.peers.hello import ENVIRONMENTS, Serving, plain_requests
from bench.peers.venvs import Venv
from bench.setting import Setting

REQUIREMENTS = ("ray[serve]==2.60.0",)
READY_SECONDS_MAX = 90.0
CORES = len(os.sched_getaffinity(0))
_PROGRAM = """\
import signal, sys, time

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig

port, replicas, cores, scratch = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@serve.deployment(
    num_replicas=replicas,
    max_ongoing_requests=1,
    ray_actor_options={"num_cpus": cores / replicas / 2},
    logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING"),
)
class Hello:
    def __init__(self):
        self.calls = 0

    async def __call__(self, request):
        event = await request.json() if request.method == "POST" else {}
        self.calls += 1
        if "hold_seconds" in event:
            time.sleep(event["hold_seconds"])
        return {"hello": "world", "calls": self.calls}


ray.init(
    num_cpus=cores,
    include_dashboard=False,
    _temp_dir=scratch,
    _node_ip_address="127.0.0.1",
    object_store_memory=100 * 2**20,
    log_to_driver=False,
)
try:
    serve.start(
        http_options=HTTPOptions(host="127.0.0.1", port=port),
        logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING"),
    )
    serve.run(Hello.bind(), route_prefix="/")
    while True:
        time.sleep(1)
finally:
    ray.shutdown()
"""


class RayServe:
    """See the module."""

    name = "Ray Serve"

    def __init__(self, setting: Setting) -> None:
        self._venv = Venv(setting, "ray", REQUIREMENTS)

    def install(self) -> str:
        """Install from PyPI, once."""
        self._venv.install()
        return REQUIREMENTS[0].replace("==", " ")

    def settings(self) -> str:
        """Say how it is run."""
        return f"{ENVIRONMENTS} replicas, one request at a time each, no dashboard, no access log"

    @contextlib.contextmanager
    def start(self) -> Iterator[Serving]:
        """Start it with the function."""
        program = self._venv.folder / "serve_hello.py"
        program.write_text(_PROGRAM, "utf-8")
        port = programs.free_port()
        with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as scratch:
            arguments = [str(port), str(ENVIRONMENTS), str(CORES), scratch]
            with programs.Program(
                self.name,
                [str(self._venv.python), str(program), *arguments],
                log=self._venv.folder / "log",
                folder=self._venv.folder,
                variables={"RAY_USAGE_STATS_ENABLED": "0"},
            ) as running:
                running.wait_ready(port, "/", accept=200, seconds=READY_SECONDS_MAX)
                yield Serving(
                    port=port, pids=[running.pid], requests=partial(plain_requests, port, "/")
                )
