"""The order in which a zygote gives things up, before it imports a stranger's code.

First what needs root, from the outside in (namespaces, root folder, user), then what everybody may
do and nobody can undo. A step that fails ends the start: nothing is ever half applied.
"""

from __future__ import annotations

import os
import socket

from dynimo.runtime.isolation import (
    capabilities,
    landlock,
    mounts,
    networks,
    rlimits,
    seccomp,
    syscalls,
)
from dynimo.runtime.isolation.plan import Plan

HOST_NAME = "dynimo"


def user_namespace() -> None:
    """Be who one is, with all capabilities over namespaces that are made from now on.

    Raises:
        OSError: not permitted here.
    """
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"),
                       ("gid_map", f"{gid} {gid} 1")):  # fmt: skip
        file = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def namespaces(plan: Plan) -> None:
    """Leave the host's namespaces; a pid namespace holds from the next fork on.

    Raises:
        OSError: not permitted.
    """
    if plan.user_namespace:
        user_namespace()
    flags = syscalls.CLONE_NEWNS if plan.root else 0
    flags |= syscalls.CLONE_NEWIPC if plan.ipc_namespace else 0
    flags |= syscalls.CLONE_NEWUTS if plan.uts_namespace else 0
    flags |= syscalls.CLONE_NEWPID if plan.pid_namespace else 0
    flags |= syscalls.CLONE_NEWNET if plan.network_namespace else 0
    if flags:
        syscalls.unshare(flags)
    if plan.uts_namespace:
        socket.sethostname(HOST_NAME)
    if plan.network_namespace and plan.loopback:
        networks.raise_loopback()


def confine(plan: Plan) -> None:
    """Everything else of the plan, in this process.

    Raises:
        OSError: some step was refused; the caller must end.
    """
    if plan.root:
        mounts.stop_propagation()
        mounts.new_root(
            plan.root,
            plan.binds,
            plan.links,
            plan.files,
            folders=plan.folders,
            tmp=(plan.scratch_mib, plan.uid),
            rooms_at=plan.rooms,
        )
    if plan.limits:
        rlimits.apply(file_mib=plan.file_mib, processes_max=plan.processes_max)
    if plan.capabilities and (os.geteuid() == 0 or plan.user_namespace):
        capabilities.drop_bounding()
    if plan.uid is not None:
        capabilities.become(plan.uid, keeping=bool(plan.rooms))
    if plan.rooms:
        capabilities.keep(capabilities.SYS_CHROOT)
    elif plan.capabilities:
        capabilities.drop_all()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    if plan.landlock:
        # An environment can only narrow this, so it holds what any of them will write to.
        written = (plan.scratch, plan.rooms) if plan.rooms else (plan.scratch,)
        rules = landlock.open_rules((*plan.rules, *((path, "write") for path in written)))
        landlock.restrict(rules, landlock.abi())
        for descriptor, _ in rules:
            os.close(descriptor)
    if plan.seccomp:
        seccomp.install(unix=plan.unix_sockets, internet=plan.internet_sockets)


class Narrowing:
    """What each environment adds, prepared before the fork: its room, and one more Landlock layer.

    Reading stays as the zygote may; writing is left in the environment's own folder only.
    """

    def __init__(self, plan: Plan) -> None:
        self._version = landlock.abi() if plan.landlock else 0
        # /proc/self would be the folder of the zygote, which is open to it alone.
        read = [(path, word) for path, word in plan.rules if path != "/proc/self"]
        self._rules = landlock.open_rules(read) if plan.landlock else []
        self._rights = landlock.RIGHTS["write"]
        self._rooms = bool(plan.rooms)

    def apply(self, scratch: str, room: str = "") -> None:
        """Enter ``room``, if any, and narrow this process. Raises OSError.

        ``scratch`` is as seen from there. What was prepared is closed.
        """
        if room:
            syscalls.change_root(room)
        if self._rooms:
            capabilities.drop_all()
        if not self._version:
            return
        own = os.open(scratch, os.O_PATH | os.O_CLOEXEC)
        landlock.restrict([*self._rules, (own, self._rights)], self._version)
        os.close(own)
        for descriptor, _ in self._rules:
            os.close(descriptor)
