"""The zygote's work after the imports: fork on command, reap, report; never run the handler.

One thread, one poll over the control socket and a signalfd. When the platform goes away, everything
that was ever forked here is killed before the zygote ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Container
from typing import Any

from dynimo.runtime import control, environment
from dynimo.runtime.isolation import syscalls

SWEEPS_MAX = 200
"""Rounds of killing adopted orphans; each round reaps a generation of a fork bomb."""

_SIGNALFD_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK
_SIGNALFD_READ_BYTES = 128 * 16
_SIGSET_BYTES = 128


class Forker:
    """Forks environments of ``prepared`` as ``channel`` commands."""

    def __init__(self, channel: socket.socket, prepared: environment.Prepared) -> None:
        self._control = channel
        self._prepared = prepared
        self._environments: dict[int, str] = {}
        self._children = _child_signals()

    def run(self) -> None:
        """Obey until the platform closes the control socket. Does not return."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._children, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._children:
                    self._reap()
                elif not self._obey():
                    self._end()

    def _obey(self) -> bool:
        try:
            received = control.receive(self._control)
        except OSError:
            return False
        if received is None:
            return False
        message, files = received
        if message.get("op") == "fork":
            self._fork(str(message["env"]), files, message)
        elif message.get("op") == "become":
            os.environ.update(message.get("variables") or {})
            environment.become(str(message["env"]), files, self._own(), self._prepared)
        return True

    def _fork(self, name: str, files: list[int], message: dict[str, Any]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._report({"op": "exited", "env": name, "status": environment.EXIT_SETUP_FAILED,
                          "max_rss_kib": 0, "error": str(error)})  # fmt: skip
            pid = -1
        if pid == 0:
            os.environ.update(message.get("variables") or {})
            room = str(message.get("room") or "")
            environment.become(name, files, self._own(), self._prepared, room=room)
        for file in files:
            os.close(file)
        if pid > 0:
            self._environments[pid] = name
            handle = os.pidfd_open(pid)
            self._report({"op": "forked", "env": name}, [handle])
            os.close(handle)

    def _own(self) -> list[int]:
        """Descriptors of the zygote that no environment may have."""
        return [self._control.detach(), self._children]

    def _report(self, message: dict[str, Any], files: list[int] | None = None) -> None:
        try:
            control.send(self._control, message, files or [])
        except OSError:
            self._end()

    def _reap(self) -> None:
        os.read(self._children, _SIGNALFD_READ_BYTES)
        ended: list[tuple[str, int, int]] = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            name = self._environments.pop(pid, None)
            if name is not None:
                ended.append((name, os.waitstatus_to_exitcode(status), usage.ru_maxrss))
        if not ended:
            return
        sweep(self._environments)
        for name, status, max_rss_kib in ended:
            self._report(
                {"op": "exited", "env": name, "status": status, "max_rss_kib": max_rss_kib}
            )

    def _end(self) -> None:
        for pid in self._environments:
            _kill(pid)
        self._environments.clear()
        sweep(())
        os._exit(0)


def guard(channel: socket.socket, pid: int) -> int:
    """Stay beside a zygote without a pid namespace; its wait status, when all it left is gone.

    It ends by itself, or is ended when the platform goes away.
    """
    syscalls.adopt_orphans()
    syscalls.die_with_parent(0)  # or what the child leaves would outlive the platform
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    poll.register(channel, 0)  # which still tells that the other end is closed
    poll.poll()
    _kill(pid)
    _, status = os.waitpid(pid, 0)
    sweep(())
    return status


def sweep(kept: Container[int]) -> None:
    """Kill adopted orphans: what environments, all but those ``kept``, left when they ended."""
    for _ in range(SWEEPS_MAX):
        orphans = [pid for pid in children() if pid not in kept]
        if not orphans:
            return
        for pid in orphans:
            _kill(pid)
        for pid in orphans:
            _wait(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def children() -> list[int]:
    """Children of this process, adopted ones too; none where the kernel does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _child_signals() -> int:
    """A descriptor that becomes readable when a child ends (SIGCHLD is blocked from now on)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    mask = (1 << (signal.SIGCHLD - 1)).to_bytes(_SIGSET_BYTES, sys.byteorder)
    number = syscalls.LIBC.signalfd(-1, mask, _SIGNALFD_FLAGS)
    return syscalls.check(number, "signalfd")
