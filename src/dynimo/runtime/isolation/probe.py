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
    landlock,
    mounts,
    rlimits,
    seccomp,
    syscalls,
)

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
        ("ipc namespace", lambda: _as_root(lambda: syscalls.unshare(syscalls.CLONE_NEWIPC))),
        ("uts namespace", lambda: _as_root(lambda: syscalls.unshare(syscalls.CLONE_NEWUTS))),
        ("pid namespace", lambda: _as_root(_pid_namespace)),
        ("mount namespace", lambda: _as_root(lambda: _mount_namespace(folder))),
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


def _root_in(folder: str) -> None:
    mounts.stop_propagation()
    mounts.new_root(
        folder, [("/usr", "/usr", "read"), ("/dev/null", "/dev/null", "device")], {}, {}
    )
    if os.path.exists("/root"):  # noqa: PTH110 - light
        raise OSError("the old root is still there")
