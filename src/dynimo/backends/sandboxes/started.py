"""One started runtime process, from exec until it is gone: commands to it, its answers, its end.

The platform's side of ``runtime.zygote`` and ``runtime.control``. Knows nothing of environments:
what comes after ``ready`` goes to a callback.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dynimo.backends.sandboxes import plans, reports
from dynimo.model import errors
from dynimo.runtime import control, handler

UNSENT_COMMANDS_MAX = 10_000
MESSAGES_AT_ONCE_MAX = 64
FIRST_MESSAGES_MAX = 4
"""A runtime says ``started``, then ``ready`` or ``failed``; one that talks on is killed."""
_CONTROL_DESCRIPTOR = 3
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from dynimo.runtime import zygote; zygote.main(3)"
)
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
_KEPT_VARIABLES = ("LD_LIBRARY_PATH",)
"""What the interpreter itself may need to load; gone before any handler's code runs."""

OnMessage = Callable[[dict[str, Any], list[int]], None]


class Started:
    """A runtime process. ``on_end`` is called once, when it is gone."""

    def __init__(
        self,
        log: int,
        on_message: OnMessage,
        on_end: Callable[[], None],
        *,
        python: str = sys.executable,
    ) -> None:
        """Start it with ``log`` as its output, under the interpreter ``python``.

        Raises:
            OSError: it could not be started.
        """
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_end = on_end
        self._first: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ready = False
        self._handed_over = False
        self._unsent: deque[tuple[dict[str, Any], list[int]]] = deque()
        self._handle: int | None = None
        self._keeper: socket.socket | None = None
        self.pid = 0
        self.status: int | None = None
        self.max_rss_kib = 0
        self.gone = asyncio.Event()
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._launcher = _exec(python, other.fileno(), log)
        except OSError:
            self._control.close()
            raise
        finally:
            other.close()
        self.pid = self._launcher
        self._end_handle = os.pidfd_open(self._launcher)
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._receive)
        self._loop.add_reader(self._end_handle, self._ended)

    def __repr__(self) -> str:
        return f"<Started pid={self.pid} status={self.status}>"

    async def begin(
        self, start: Mapping[str, Any], groups: Iterable[int], *, seconds: float
    ) -> dict[str, Any]:
        """Give it its specification; its ``ready`` message, once the code is imported.

        Raises:
            errors.InitError: it could not be, in ``seconds`` or at all; the process is being
                killed.
        """
        try:
            async with asyncio.timeout(seconds):
                control.send(self._control, {"op": "start", **start}, groups)
                await self._expect("started")
                self.send({"op": "go"})
                ready = await self._expect("ready")
                reports.threads(ready)
        except TimeoutError:
            self.kill()
            text = f"Init timed out after {seconds:.2f} seconds"
            raise _init_error(handler.failure("Sandbox.Timedout", text)) from None
        except (OSError, control.ControlError) as error:
            self.kill()
            text = f"Unable to start the runtime: {error}"
            raise _init_error(handler.failure("Runtime.SandboxError", text)) from error
        except BaseException:
            self.kill()
            raise
        self._ready = True
        return ready

    def send(self, message: dict[str, Any], files: Iterable[int] = ()) -> None:
        """Queue a command; copies of ``files`` go with it. Ignored when the process is gone."""
        files = list(files)
        if self._unsent:
            self._keep(message, files)
            return
        try:
            control.send(self._control, message, files)
        except BlockingIOError:
            self._keep(message, files)
            self._loop.add_writer(self._control, self._send_kept)
        except OSError:
            return  # its end is on its way to ``on_end``

    def keeper(self) -> socket.socket:
        """The channel to who makes its environments' rooms; owned by the caller from now on."""
        keeper, self._keeper = self._keeper, None
        assert keeper is not None, "taken once, after begin"
        return keeper

    def hand_over(self, message: dict[str, Any], files: Iterable[int]) -> None:
        """Send the last command; that it closes the control socket then is no fault."""
        self._handed_over = True
        self.send(message, files)

    def kill(self) -> None:
        """SIGKILL it now; in a pid namespace everything in there dies with it."""
        if not self.gone.is_set():
            # Who stands outside a namespace ends after the inside has, and so tells the truth.
            _signal(self._handle if self._handle is not None else self._end_handle)

    def kill_for_memory(self) -> None:
        """Kill it because its code took more memory than it may."""
        self.kill()

    def _keep(self, message: dict[str, Any], files: list[int]) -> None:
        if len(self._unsent) >= UNSENT_COMMANDS_MAX:
            self.kill()
            return
        self._unsent.append((message, [os.dup(file) for file in files]))

    def _send_kept(self) -> None:
        while self._unsent:
            message, files = self._unsent[0]
            try:
                control.send(self._control, message, files)
            except BlockingIOError:
                return
            except OSError:
                self._drop_kept()
                break
            self._unsent.popleft()
            for file in files:
                os.close(file)
        self._loop.remove_writer(self._control)

    def _drop_kept(self) -> None:
        for _, files in self._unsent:
            for file in files:
                os.close(file)
        self._unsent.clear()

    async def _expect(self, op: str) -> dict[str, Any]:
        message = await self._first.get()
        if message.get("op") == op:
            return message
        self.kill()
        if message.get("op") == "failed":
            raise _init_error(reports.failure(message.get("error")))
        await self.gone.wait()
        status = self.status or 0
        raise _init_error(handler.failure("Runtime.ExitError", handler.exit_text(status)))

    def _receive(self) -> None:
        for _ in range(MESSAGES_AT_ONCE_MAX):
            if self._control.fileno() < 0:
                return
            try:
                received = control.receive(self._control)
            except BlockingIOError:
                return
            except control.ControlError:
                self.kill()
                return
            except OSError:
                received = None
            if received is None:
                self._loop.remove_reader(self._control)
                if not self._handed_over:
                    self.kill()
                return
            self._take(*received)

    def _take(self, message: dict[str, Any], files: list[int]) -> None:
        if message.get("op") == "started" and files and self._handle is None:
            # Said before any code of the function runs, so it is believed.
            self._handle = files.pop(0)
            self.pid = max(0, reports.pid_of(self._handle) or 0) or self._launcher
            self._keeper = socket.socket(fileno=files.pop(0)) if files else None
        if self._ready:
            self._on_message(message, files)
            return
        reports.close(files)
        if self._first.qsize() >= FIRST_MESSAGES_MAX:
            self.kill()
        else:
            self._first.put_nowait(message)

    def _ended(self) -> None:
        self._receive()
        self._loop.remove_reader(self._end_handle)
        _, status, usage = os.wait4(self._launcher, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self.max_rss_kib = usage.ru_maxrss
        self._close_control()
        if self._handle is None:
            self._finish()
        else:
            # Usually gone before; not if somebody killed only the one outside.
            _signal(self._handle)
            self._loop.add_reader(self._handle, self._finish)

    def _finish(self) -> None:
        for handle in (self._handle, self._end_handle):
            if handle is not None:
                self._loop.remove_reader(handle)
                os.close(handle)
        self._handle = None
        if self._keeper is not None:
            self._keeper.close()
        self._first.put_nowait({"op": "ended"})
        self.gone.set()
        self._on_end()

    def _close_control(self) -> None:
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()
            self._drop_kept()


def _signal(handle: int) -> None:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _exec(python: str, channel: int, log: int) -> int:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # -u: what a handler prints leaves at once, whatever becomes of it in the next moment.
    argv = [python, "-I", "-S", "-B", "-u", "-c", _BOOT, str(plans.PLATFORM_PACKAGE.parent)]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, log, 1),
        (os.POSIX_SPAWN_DUP2, log, 2),
        (os.POSIX_SPAWN_DUP2, channel, _CONTROL_DESCRIPTOR),
    ]
    return os.posix_spawn(
        python,
        argv,
        {**_ENVIRONMENT, **kept},
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD],
    )


def _init_error(error: dict[str, Any]) -> errors.InitError:
    return errors.InitError(str(error.get("errorMessage", "")), error)
