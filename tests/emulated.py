"""An SQS and an SNS for tests: moto's server in a process of its own, over HTTP. No asserts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CODE = (
    "import sys; from moto.server import ThreadedMotoServer;"
    "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False);"
    "server.start(); print(server.get_host_and_port()[1], flush=True); sys.stdin.read()"
)


@contextmanager
def endpoint(log: Path) -> Iterator[str]:
    """The address of a server that speaks SQS and SNS; what it says goes to ``log``."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors, text=True, env=dict(os.environ),
        )  # fmt: skip
    try:
        port = process.stdout.readline().strip() if process.stdout is not None else ""
        if not port:
            raise RuntimeError(f"moto did not start: {log.read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()
