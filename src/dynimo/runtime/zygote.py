"""The first program in a sandbox: shut the doors, import the code once, then fork on demand.

Started by exec with a control socket. It obeys ``start`` (the specification), enters its sandbox,
says ``started`` with a handle on itself, waits for ``go``, imports, says ``ready`` or ``failed``,
and hands over to ``forking``. It never runs the handler.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from dynimo.runtime import control, environment, forking, loglines, outcome
from dynimo.runtime import handler as handlers
from dynimo.runtime.executed import command as commands
from dynimo.runtime.isolation import entering, plan, rooms, syscalls

SANDBOX_ERROR = "Runtime.SandboxError"
EXIT_FAILED = 1
PATH = "/usr/local/bin:/usr/bin:/bin:/opt/bin"
LIBRARY_PATH = "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{task}:{task}/lib:/opt/lib"
RUNTIME_DIR = "/var/runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """The ``start`` command: ``path`` replaces sys.path, ``alone`` means one environment only.

    With ``command`` nothing is imported: environments execute that program.
    """

    handler: str
    path: tuple[str, ...]
    variables: dict[str, str]
    concurrency: int
    alone: bool
    plan: plan.Plan
    command: commands.Command | None


def main(descriptor: int) -> NoReturn:
    """Run the zygote on control socket ``descriptor``; ends the process."""
    syscalls.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Whatever the platform itself inherited and did not mark close-on-exec ends here.
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    received = control.receive(channel)
    if received is None:
        os._exit(0)
    message, groups = received
    start = _start(message)
    try:
        _enter(channel, start.plan, groups)
    except OSError as error:
        _fail(channel, handlers.failure(SANDBOX_ERROR, f"Unable to enter the sandbox: {error}"))
    if control.receive(channel) is None:  # "go": the platform holds a handle on this process now
        os._exit(0)
    try:
        prepared = _prepare(start)
    except handlers.InitFailure as failure:
        _fail(channel, failure.error)
    ready = {"op": "ready", "threads": _threads() + _processes()}
    control.send(channel, ready)
    forking.Forker(channel, prepared).run()
    os._exit(0)


def _start(message: dict[str, Any]) -> _Start:
    return _Start(
        handler=message["handler"],
        path=tuple(message["path"]),
        variables=dict(message["variables"]),
        concurrency=int(message["concurrency"]),
        alone=bool(message["alone"]),
        plan=plan.from_json(message["plan"]),
        command=commands.from_json(message["command"]) if message.get("command") else None,
    )


def _enter(channel: socket.socket, wanted: plan.Plan, groups: list[int]) -> None:
    entering.namespaces(wanted)
    pid = os.fork()
    if pid:
        _stand_outside(channel, pid, wanted)
    for group in groups:
        os.write(group, b"0")
        os.close(group)
    entering.confine(wanted)
    # A change of user cancels this, so it is said again.
    syscalls.die_with_parent(signal.SIGKILL)
    syscalls.adopt_orphans()


def _announce(channel: socket.socket, pid: int) -> socket.socket:
    """Tell who the zygote is; our end of the keeper's channel, whose other end goes along."""
    handle = os.pidfd_open(pid)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.send(channel, {"op": "started"}, [handle, theirs.fileno()])
    os.close(handle)
    theirs.close()
    return ours


def _stand_outside(channel: socket.socket, pid: int, wanted: plan.Plan) -> NoReturn:
    """Stay as the parent of the zygote, keep its rooms, and end as it ends.

    The kernel clears a pid namespace by itself. Without one, clear what the zygote leaves, however
    it ends: the import's own processes, and environments.
    """
    keepers = _announce(channel, pid)
    if not wanted.pid_namespace:
        status = forking.guard(channel, pid)
    else:
        if wanted.rooms:
            rooms.keep(keepers, os.pidfd_open(pid), wanted)
        else:
            os.closerange(0, 1024)
        _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _prepare(start: _Start) -> environment.Prepared:
    """Import everything that environments will need.

    Raises:
        handlers.InitFailure: the handler's code cannot be had.
    """
    sys.path[:] = start.path
    sys.dont_write_bytecode = True
    os.environ.clear()
    os.environ.update(_variables(start))
    time.tzset()
    try:
        os.chdir(start.plan.task)
    except OSError as error:
        text = f"Unable to enter the code's folder: {error.strerror}"
        raise handlers.InitFailure(handlers.failure(SANDBOX_ERROR, text)) from error
    for stream in (sys.stdout, sys.stderr):
        # Whatever a handler prints is on its way at once, even if it ends in the next moment.
        stream.reconfigure(write_through=True, errors="backslashreplace")  # type: ignore[union-attr]
    handler, asynchronous = _handler(start)
    sys.stdout.flush()
    syscalls.set_name("zygote")
    contexts = outcome.ContextFactory(os.environ)
    narrowing = entering.Narrowing(start.plan)
    gc.collect()
    gc.freeze()
    return environment.Prepared(
        plan=start.plan,
        handler=handler,
        asynchronous=asynchronous,
        concurrency=start.concurrency,
        contexts=contexts,
        narrowing=narrowing,
        command=start.command,
    )


def _handler(start: _Start) -> tuple[handlers.Handler, bool]:
    """The function, and whether it is to be awaited; nothing of either for a command."""
    if start.command is not None:
        importlib.import_module("dynimo.runtime.executed.supervisor")
        return _nothing, False
    loglines.install(os.environ)
    handler = handlers.load(start.handler, task=start.plan.task, concurrency=start.concurrency)
    asynchronous = handlers.is_async(handler)
    if asynchronous:
        importlib.import_module("dynimo.runtime.async_loop")
    return handler, asynchronous


def _nothing(_event: Any, _context: Any) -> NoReturn:
    raise AssertionError("a command's environment calls no handler")


def _variables(start: _Start) -> dict[str, str]:
    return {
        "PATH": PATH,
        "LD_LIBRARY_PATH": LIBRARY_PATH.format(task=start.plan.task),
        "LANG": "C.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        "TZ": ":UTC",
        "SHLVL": "0",
        "PWD": start.plan.task,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        # numpy's OpenBLAS starts threads while it is imported, and threads forbid a fork.
        **({} if start.command is not None else {"OPENBLAS_NUM_THREADS": "1"}),
        **start.variables,
        "LAMBDA_TASK_ROOT": start.plan.task,
        "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
        "_HANDLER": start.handler,
        "TMPDIR": start.plan.scratch,
    }


def _threads() -> int:
    """Threads alive in this process; more than one makes forking unsafe."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - light
    except OSError:
        return threading.active_count()


def _processes() -> int:
    """Processes that the import left running; they are no part of what is forked."""
    return sum(1 for pid in forking.children() if not _has_ended(pid))


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _fail(channel: socket.socket, error: dict[str, Any]) -> NoReturn:
    try:
        control.send(channel, {"op": "failed", "error": error})
    except (OSError, control.ControlError):
        os._exit(EXIT_FAILED)
    os._exit(EXIT_FAILED)
