"""The order in which a zygote gives things up, before it imports a stranger's code.

First what needs root, from the outside in (namespaces, root folder, user), then what everybody may
do and nobody can undo. A step that fails ends the start: nothing is ever half applied.
"""

from __future__ import annotations

import os
import socket

from dynimo.runtime.isolation import capabilities, landlock, mounts, rlimits, seccomp, syscalls
from dynimo.runtime.isolation.plan import Plan

HOST_NAME = "dynimo"


def namespaces(plan: Plan) -> None:
    """Leave the host's namespaces; a pid namespace holds from the next fork on.

    Raises:
        OSError: not permitted.
    """
    flags = syscalls.CLONE_NEWNS if plan.root else 0
    flags |= syscalls.CLONE_NEWIPC if plan.ipc_namespace else 0
    flags |= syscalls.CLONE_NEWUTS if plan.uts_namespace else 0
    flags |= syscalls.CLONE_NEWPID if plan.pid_namespace else 0
    if flags:
        syscalls.unshare(flags)
    if plan.uts_namespace:
        socket.sethostname(HOST_NAME)


def confine(plan: Plan) -> None:
    """Everything else of the plan, in this process.

    Raises:
        OSError: some step was refused; the caller must end.
    """
    if plan.root:
        mounts.stop_propagation()
        mounts.new_root(plan.root, plan.binds, plan.links, plan.files)
    if plan.limits:
        rlimits.apply()
    if plan.capabilities and os.geteuid() == 0:
        capabilities.drop_bounding()
    if plan.uid is not None:
        capabilities.become(plan.uid)
    if plan.capabilities:
        capabilities.drop_all()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    if plan.landlock:
        rules = landlock.open_rules((*plan.rules, (plan.scratch, "write")))
        landlock.restrict(rules, landlock.abi())
        for descriptor, _ in rules:
            os.close(descriptor)
    if plan.seccomp:
        seccomp.install()


class Narrowing:
    """The further Landlock layer of each environment, prepared before the fork.

    Reading stays as the zygote may; writing is left in the environment's own folder only.
    """

    def __init__(self, plan: Plan) -> None:
        self._version = landlock.abi() if plan.landlock else 0
        self._rules = landlock.open_rules(plan.rules) if plan.landlock else []
        self._rights = landlock.RIGHTS["write"]

    def apply(self, scratch: str) -> None:
        """Narrow this process; then close what was prepared. Raises OSError."""
        if not self._version:
            return
        own = os.open(scratch, os.O_PATH | os.O_CLOEXEC)
        landlock.restrict([*self._rules, (own, self._rights)], self._version)
        os.close(own)
        for descriptor, _ in self._rules:
            os.close(descriptor)
