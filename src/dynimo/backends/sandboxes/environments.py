"""One environment seen from the platform: channel, log, handle, group, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from dynimo import ports
from dynimo.backends.sandboxes import reports
from dynimo.backends.sandboxes.cgroup_slots import Slot
from dynimo.backends.sandboxes.channel import Channel
from dynimo.backends.sandboxes.lines import Lines

SIGKILLED = -int(signal.SIGKILL)

EXIT_NOT_STARTED = 71
"""The status of an environment that never came to be (EX_OSERR)."""


class Stillborn:
    """``ports.Process`` where the host had nothing left to make one of."""

    pid = 0

    def __init__(self, watcher: ports.Watcher, reason: OSError) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(watcher.on_output, f"The environment could not be made: {reason}")
        loop.call_soon(watcher.on_exit, ports.Exit(status=EXIT_NOT_STARTED))

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Nobody is there."""

    def kill(self) -> None:
        """Nobody is there."""

    def pause(self) -> None:
        """Nobody is there."""

    def resume(self) -> None:
        """Nobody is there."""

    def flush(self) -> None:
        """Nobody is there."""


class EnvironmentProcess:
    """``ports.Process`` for an environment that somebody else forks.

    ``theirs`` are the descriptors the forker must hand to it; closed by ``handed_over``.
    ``on_gone`` gets this object once, before the watcher's ``on_exit``. ``kill_process``, if set,
    kills it in place of a signal by its handle. ``on_killed_unborn`` is called when it is to be
    killed before its fork was reported.
    """

    def __init__(
        self,
        name: str,
        watcher: ports.Watcher,
        slot: Slot | None,
        on_gone: Callable[[EnvironmentProcess], None],
    ) -> None:
        self.name = name
        self.slot = slot
        self._watcher = watcher
        self._on_gone = on_gone
        self._handle: int | None = None
        self._pid = 0
        self._killed = False
        self.kill_process: Callable[[], None] | None = None
        self.on_killed_unborn: Callable[[], None] = lambda: None
        self._handed_over = False
        self._over_memory = False
        self._ended = False
        ours, self._their_channel = socket.socketpair()
        try:
            log_ours, self._their_log = os.pipe()
        except OSError:
            ours.close()
            self._their_channel.close()
            raise
        self._channel = Channel(ours, watcher.on_frame, self.kill)
        self._lines = Lines(log_ours, watcher.on_output)

    def __repr__(self) -> str:
        return f"<EnvironmentProcess {self.name} pid={self._pid} ended={self._ended}>"

    @property
    def pid(self) -> int:
        """The pid as the host sees it; 0 while the fork is under way."""
        return self._pid

    @property
    def begun(self) -> bool:
        """Whether its fork was reported."""
        return self._handle is not None

    @property
    def theirs(self) -> list[int]:
        """Channel, log, and the group's files."""
        groups = self.slot.join if self.slot is not None else []
        return [self._their_channel.fileno(), self._their_log, *groups]

    def handed_over(self) -> None:
        """The forker has its copies of ``theirs``, or will never need them."""
        if not self._handed_over:
            self._handed_over = True
            self._their_channel.close()
            os.close(self._their_log)

    def note(self, line: str) -> None:
        """Tell its watcher something that it cannot say itself."""
        if not self._ended:
            self._watcher.on_output(line)

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Queue one frame. Raises wire.WireError when it is over a limit."""
        self._channel.send(meta, body)

    def pause(self) -> None:
        """Read no further frames from it for now."""
        self._channel.pause()

    def resume(self) -> None:
        """Read again."""
        self._channel.resume()

    def flush(self) -> None:
        """Tell what it has printed so far."""
        self._lines.flush()

    def kill(self) -> None:
        """SIGKILL it and all it started; before the fork is done, as soon as it is."""
        self._killed = True
        if self._ended:
            return
        if self.slot is not None:
            # All at once: a program whose Runtime API went away before it would still say so.
            self.slot.kill()
        if self.kill_process is not None:
            self.kill_process()
        elif self._handle is None:
            self.on_killed_unborn()
        else:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def kill_for_memory(self) -> None:
        """Kill it because it took more memory than it may."""
        self._over_memory = True
        self.kill()

    def forked(self, handle: int) -> None:
        """It exists; ``handle`` (a pidfd, owned from now on) is how it is reached."""
        if self._ended or self._handle is not None:
            os.close(handle)
            return
        self._handle = handle
        self._pid = max(0, reports.pid_of(handle) or 0)
        if self._killed:
            self.kill()

    def exited(self, status: int, max_rss_kib: int) -> None:
        """It is gone: tell what it left behind, then tell that."""
        if self._ended:
            return
        self._channel.drain()
        self._lines.finish()
        self._ended = True
        self.handed_over()
        self._channel.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        killed = status == SIGKILLED and self.slot is not None and self.slot.out_of_memory()
        self._on_gone(self)
        self._watcher.on_exit(
            ports.Exit(
                status=status,
                max_rss_kib=max_rss_kib,
                out_of_memory=killed or self._over_memory,
            )
        )
