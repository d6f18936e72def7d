"""AWS's Runtime Interface Client over HTTP: the baseline, what AWS's own Python runtime costs.

Unmodified ``awslambdaric`` processes, as many as there are environments elsewhere, behind a small
HTTP front (``ric_front``) that gives them events through the Runtime API. No isolation, no
signatures, no logs kept: what is measured is the client, and the least HTTP around it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import aws, programs
from bench.peers.hello import ENVIRONMENTS, HOST, Serving, plain_requests
from bench.setting import Setting, Unavailable

PATH = "/2015-03-31/functions/function/invocations"
FRONT = Path(__file__).with_name("ric_front.py")


class RuntimeInterfaceClient:
    """See the module."""

    name = "awslambdaric"

    def __init__(self, setting: Setting) -> None:
        self._folder = setting.folder("ric")

    def install(self) -> str:
        """It is one of the checkout's own development tools."""
        try:
            return f"awslambdaric {importlib.metadata.version('awslambdaric')}"
        except importlib.metadata.PackageNotFoundError:
            raise Unavailable("awslambdaric is not here (./dynimo test installs it)") from None

    def settings(self) -> str:
        """Say how it is run."""
        return f"{ENVIRONMENTS} processes behind one small front on uvloop, nothing verified"

    @contextlib.contextmanager
    def start(self) -> Iterator[Serving]:
        """Start the front and the processes with the function."""
        (self._folder / "app.py").write_text(aws.HELLO, "utf-8")
        port = programs.free_port()
        with contextlib.ExitStack() as stack:
            command = [sys.executable, str(FRONT), str(port)]
            front = stack.enter_context(
                programs.Program("ric_front", command, log=self._folder / "front.log")
            )
            front.wait_ready(port, "/ready")
            pids = [front.pid, *(self._one(stack, port, each) for each in range(ENVIRONMENTS))]
            front.wait_ready(port, "/ready", accept=200)
            time.sleep(0.5)  # until the others wait for events too
            yield Serving(port=port, pids=pids, requests=partial(plain_requests, port, PATH))

    def _one(self, stack: contextlib.ExitStack, port: int, number: int) -> int:
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "hello",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "LAMBDA_TASK_ROOT": str(self._folder),
        }
        program = programs.Program(
            self.name,
            [sys.executable, "-m", "awslambdaric", "app.handler"],
            log=self._folder / f"{number}.log",
            folder=self._folder,
            variables=variables,
        )
        return stack.enter_context(program).pid
