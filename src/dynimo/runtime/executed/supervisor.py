"""An environment's life when its handler is a program: start it, serve it, end as it ends.

The supervisor is forked from the zygote like any environment. It listens, executes the program with
``AWS_LAMBDA_RUNTIME_API``, kills it when its start takes too long (and then, as on AWS, starts it
once more in the time of the invocation that waits), and takes over its exit status.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

from dynimo.runtime.executed import command as commands
from dynimo.runtime.executed.api import RuntimeApi
from dynimo.runtime.executed.command import Command
from dynimo.runtime.executed.exchange import Exchange
from dynimo.runtime.executed.lifecycle import Lifecycle, State

DRAIN_SECONDS = 1.0
BIND_TRIES_MAX = 20
BACKLOG = 128
EXIT_NO_ENTRYPOINT = 1


def serve(channel: int, command: Command) -> None:
    """Run ``command`` until it ends or the platform closes ``channel``.

    Raises:
        SystemExit: it ended, with its own status.
    """
    status = asyncio.new_event_loop().run_until_complete(_Supervisor(channel, command).run())
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other way than its own
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
        signal.pause()
    raise SystemExit(status)


def listen() -> socket.socket:
    """A listener on a random loopback address and port, of this network namespace.

    Raises:
        OSError: there is no loopback here.
    """
    for _ in range(BIND_TRIES_MAX):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        host = "127." + ".".join(str(1 + byte % 254) for byte in os.urandom(3))
        try:
            listener.bind((host, 0))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            refused = error
        else:
            return listener
    raise refused


class _Supervisor:
    def __init__(self, channel: int, command: Command) -> None:
        self._command = command
        self._channel = socket.socket(fileno=channel)
        self._lifecycle = Lifecycle()
        self._child = 0
        self._restarting = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._exchange = Exchange(self._channel, lambda: self._end(0), self._peak_kib)
        self._api = RuntimeApi(self._exchange, self._lifecycle, self._gave_up)
        listener = listen()
        host, port = listener.getsockname()
        os.environ["AWS_LAMBDA_RUNTIME_API"] = f"{host}:{port}"
        if self._command.execution_env:
            os.environ["AWS_EXECUTION_ENV"] = self._command.execution_env
        else:
            os.environ.pop("AWS_EXECUTION_ENV", None)
        await self._api.open(listener)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        tasks = [loop.create_task(self._exchange.listen()), loop.create_task(self._start())]
        for task in tasks:
            task.add_done_callback(self._checked)
        status = await self._ended
        self._kill()
        return status

    async def _start(self) -> None:
        """Execute it; when its start takes too long, once more when somebody waits for it."""
        if not await self._spawn():
            return
        await asyncio.sleep(self._command.init_seconds)
        if not self._lifecycle.initialising or self._exchange.init_error is not None:
            return
        self._restarting = True
        self._kill()
        sys.stderr.write(f"Init timed out after {self._command.init_seconds:.2f} seconds\n")
        await self._exchange.arrived()
        await self._exchange.ready()
        self._lifecycle.state = State.STARTED
        self._restarting = False
        await self._spawn()

    async def _spawn(self) -> bool:
        program = ""
        try:
            argv = commands.found(self._command)
            program = argv[0]
            self._child = _execute(argv)
        except commands.NoEntrypoint as error:
            text = str(error)
        except OSError as error:
            text = commands.refused(program, error)
        else:
            return True
        if os.environ.get("AWS_LAMBDA_EXEC_WRAPPER") == program:
            self._end(127)  # a shell's word for it, which is who executes wrappers on AWS
            return False
        await self._exchange.fail_next(
            {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": text}
        )
        self._end(EXIT_NO_ENTRYPOINT)
        return False

    def _gave_up(self) -> None:
        """The runtime could not start and said why: whoever asks next is told."""
        task = asyncio.get_running_loop().create_task(self._tell())
        task.add_done_callback(self._checked)

    async def _tell(self) -> None:
        error = self._exchange.init_error
        assert error is not None
        await self._exchange.fail_next(error)
        self._end(1)

    def _reap(self) -> None:
        """Bury what ended: the program, and what it left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child:
                self._child = 0
                code = os.waitstatus_to_exitcode(status)
                if not self._restarting:
                    task = asyncio.get_running_loop().create_task(self._gone(code))
                    task.add_done_callback(self._checked)

    async def _gone(self, status: int) -> None:
        if self._exchange.init_error is None:
            await self._api.drain(DRAIN_SECONDS)
        if self._exchange.init_error is None:
            self._end(status)

    def _end(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)

    def _checked(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _kill(self) -> None:
        if self._child:
            for target in (-self._child, self._child):
                try:
                    os.kill(target, signal.SIGKILL)
                except OSError:
                    continue

    def _peak_kib(self) -> int:
        """The program's peak of resident memory; 0 where the kernel does not show it."""
        try:
            with open(f"/proc/{self._child}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
                for line in file:
                    if line.startswith("VmHWM:"):
                        return int(line.split()[1])
        except OSError:
            return 0
        return 0


def _execute(argv: Sequence[str]) -> int:
    """Start it in a session of its own; its pid. Raises OSError."""
    return os.posix_spawn(
        argv[0], list(argv), os.environ, setsid=True, setsigmask=[], setsigdef=_DEFAULTS
    )


_DEFAULTS = [signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD]
