"""From a zygote's child to a serving environment: the few steps between fork and the first read.

This is the cold path. Nothing is imported here, everything was prepared before the fork, and each
line is a system call that earns its place. Nothing returns: an environment ends by ``os._exit``.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from dataclasses import dataclass

from dynimo.runtime import handler as handlers
from dynimo.runtime import loop, outcome
from dynimo.runtime.executed.command import Command
from dynimo.runtime.isolation import entering, syscalls
from dynimo.runtime.isolation.plan import Plan

EXIT_SETUP_FAILED = 71
"""EX_OSERR: the environment could not take its place; the reason is in its log."""

LAST_WORDS_BYTES_MAX = 4096
"""What a pipe takes whole; an environment must not block while it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the zygote made ready for all its environments."""

    plan: Plan
    handler: handlers.Handler
    asynchronous: bool
    concurrency: int
    contexts: outcome.ContextFactory
    narrowing: entering.Narrowing
    command: Command | None = None


def become(
    name: str, files: list[int], unwanted: list[int], prepared: Prepared, *, room: str = ""
) -> None:
    """Be environment ``name`` until the platform closes the channel. Does not return.

    ``files`` are the channel, the log pipe's end, then the groups' files to join; ``unwanted`` are
    descriptors of the zygote that an environment must not have. ``room`` is its root folder, where
    it gets one of its own.
    """
    channel, log, *groups = files
    status = EXIT_SETUP_FAILED
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        for group in groups:
            os.write(group, b"0")
        _settle(name, prepared, room)
        for descriptor in (log, *groups, *unwanted):
            os.close(descriptor)
        _freshen()
        status = 1
        _serve(channel, prepared)
        status = 0
    except SystemExit as error:
        status = handlers.exit_status(error)
        if isinstance(error.code, str):
            os.write(2, error.code.encode()[:LAST_WORDS_BYTES_MAX] + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the platform let go while an answer was on its way
    except BaseException:  # noqa: BLE001 - the last frame of a process: tell, then end
        os.write(2, traceback.format_exc().encode("utf-8", "replace")[:LAST_WORDS_BYTES_MAX])
    finally:
        loop.flush_output()
        os._exit(status)


def _settle(name: str, prepared: Prepared, room: str) -> None:
    if os.getpid() != os.getsid(0):
        os.setsid()
    syscalls.die_with_parent(signal.SIGKILL)
    syscalls.adopt_orphans()
    syscalls.set_name(f"env {name}")
    plan = prepared.plan
    if room or plan.alone:
        prepared.narrowing.apply(plan.scratch, room)
        if room:
            os.chdir(plan.task)
    else:
        scratch = f"{plan.scratch}/{name}"
        os.mkdir(scratch, 0o700)  # noqa: PTH102 - one system call
        prepared.narrowing.apply(scratch)
        os.environ["TMPDIR"] = scratch
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _freshen() -> None:
    """Make randomness differ from the siblings'.

    CPython reseeds ``random`` after a fork and OpenSSL notices it; os.urandom and uuid4 come from
    the kernel. numpy's global generator is what remains. The seed of str hashes stays shared.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        vars(numpy_random)["seed"]()
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        vars(tempfile)["tempdir"] = None


def _serve(channel: int, prepared: Prepared) -> None:
    if prepared.command is not None:
        sys.modules["dynimo.runtime.executed.supervisor"].serve(channel, prepared.command)
    elif prepared.asynchronous:
        async_loop = sys.modules["dynimo.runtime.async_loop"]
        async_loop.serve(
            channel,
            prepared.handler,
            prepared.contexts,
            task=prepared.plan.task,
            concurrency=prepared.concurrency,
        )
    else:
        loop.serve(channel, prepared.handler, prepared.contexts, task=prepared.plan.task)
