"""What of the isolation this host allows: each measure is tried for real, in a child that ends.

Run by the platform at start, as a program of its own (the platform itself must not fork).
Prints one JSON object: measure → ``on`` or the reason why not.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from dynimo.runtime.isolation import (
    capabilities,
    entering,
    landlock,
    mounts,
    networks,
    rlimits,
    rooms,
    seccomp,
    syscalls,
)
from dynimo.runtime.isolation.plan import Plan

REASON_BYTES_MAX = 500
ON = "on"


def main(uid: int, groups: Sequence[str]) -> None:
    """Try everything; ``uid`` is who environments would be, ``groups`` files they would join by."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, attempt in _attempts(uid, folder):
            found[name] = _tried(attempt)
    if groups:
        found["cgroup join"] = _tried(lambda: _join(uid, [int(word) for word in groups]))
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()


def _attempts(uid: int, folder: str) -> list[tuple[str, Callable[[], None]]]:
    return [
        ("no-new-privileges", _no_new_privileges),
        ("resource limits", rlimits.apply),
        ("landlock", _landlock),
        ("seccomp", _seccomp),
        ("own user", lambda: _as_root(lambda: capabilities.become(uid))),
        ("capabilities dropped", _capabilities),
        ("user namespace", _user_namespace),
        ("ipc namespace", lambda: _in_namespaces(lambda: syscalls.unshare(syscalls.CLONE_NEWIPC))),
        ("uts namespace", lambda: _in_namespaces(lambda: syscalls.unshare(syscalls.CLONE_NEWUTS))),
        ("pid namespace", lambda: _in_namespaces(_pid_namespace)),
        ("mount namespace", lambda: _in_namespaces(lambda: _mount_namespace(folder))),
        ("private /tmp", lambda: _in_namespaces(lambda: _private_tmp(uid, folder))),
        ("network namespace", lambda: _in_namespaces(_network_namespace)),
        ("scoped signals and sockets", _scopes),
    ]


def _tried(attempt: Callable[[], None]) -> str:
    """Run ``attempt`` in a child; ``on`` or its reason."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        reason = ON
        try:
            attempt()
        except Exception as error:  # noqa: BLE001 - any failure is the answer here
            reason = str(error) or type(error).__name__
        os.write(write_end, reason.encode()[:REASON_BYTES_MAX])
        os._exit(0)
    os.close(write_end)
    answer = os.read(read_end, REASON_BYTES_MAX)
    os.close(read_end)
    os.waitpid(pid, 0)
    return answer.decode() or "the attempt was killed"


def _as_root(attempt: Callable[[], None]) -> None:
    if os.geteuid() != 0:
        raise PermissionError("needs root")
    attempt()


def _in_namespaces(attempt: Callable[[], None]) -> None:
    """As root, or as a user in a user namespace of his own, as ``entering`` does it."""
    if os.geteuid() != 0:
        try:
            entering.user_namespace()
        except OSError as error:
            raise PermissionError(f"needs root, or user namespaces ({error.strerror})") from error
    attempt()


def _user_namespace() -> None:
    if os.geteuid() == 0:
        raise PermissionError("not needed: root")
    entering.user_namespace()


def _join(uid: int, groups: Sequence[int]) -> None:
    if os.geteuid() == 0:
        capabilities.become(uid)
    for group in groups:
        os.write(group, b"0")


def _no_new_privileges() -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def _landlock() -> None:
    _no_new_privileges()
    rules = landlock.open_rules([("/usr", "read")])
    landlock.restrict(rules, landlock.abi())


def _seccomp() -> None:
    _no_new_privileges()
    seccomp.install()


def _capabilities() -> None:
    if os.geteuid() == 0:
        capabilities.drop_bounding()
    capabilities.drop_all()


def _in_child(attempt: Callable[[], None]) -> None:
    reason = _tried(attempt)
    if reason != ON:
        raise OSError(reason)


def _pid_namespace() -> None:
    syscalls.unshare(syscalls.CLONE_NEWPID)
    _in_child(lambda: None)


def _mount_namespace(folder: str) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    _in_child(lambda: _root_in(folder))


def _private_tmp(uid: int, folder: str) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    _in_child(lambda: _room_in(uid, folder))


def _room_in(uid: int, folder: str) -> None:
    """All that an environment does to enter its room, in the order of ``entering``."""
    own = uid if os.geteuid() == 0 else None
    plan = Plan(task="/", scratch="/tmp", rooms="/rooms", scratch_mib=1, uid=own)  # noqa: S108
    mounts.stop_propagation()
    mounts.new_root(folder, [("/usr", "/usr", "read")], {}, {}, tmp=(1, own), rooms_at=plan.rooms)
    answer = rooms.Keeper(plan).obey({"room": 1})
    if answer["op"] != "made":
        raise OSError(answer["error"])
    if own is not None:
        capabilities.become(own, keeping=True)
    capabilities.keep(capabilities.SYS_CHROOT)
    syscalls.change_root(answer["root"])
    capabilities.drop_all()
    os.close(os.open("/tmp/file", os.O_CREAT | os.O_WRONLY, 0o600))  # noqa: S108 - its own


def _network_namespace() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNET)
    networks.raise_loopback()


def _scopes() -> None:
    if landlock.abi() < landlock.SCOPES_ABI:
        raise OSError(
            f"this kernel's Landlock is version {landlock.abi()}; it takes 6 (Linux 6.12)"
        )


def _root_in(folder: str) -> None:
    mounts.stop_propagation()
    mounts.new_root(
        folder, [("/usr", "/usr", "read"), ("/dev/null", "/dev/null", "device")], {}, {}
    )
    if os.path.exists("/root"):  # noqa: PTH110 - light
        raise OSError("the old root is still there")
