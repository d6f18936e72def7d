"""Root's powers: giving up the user id and every capability, for good."""

from __future__ import annotations

import ctypes
import errno
import os

from dynimo.runtime.isolation import syscalls

_CAPSET = {"x86_64": 126, "aarch64": 91}
_HEADER_VERSION = 0x2008_0522
_LAST_CAPABILITY_MAX = 63


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def become(uid: int) -> None:
    """Be user and group ``uid`` from now on, in no other group. Raises OSError."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def drop_bounding() -> None:
    """Empty the bounding and ambient sets, so that no exec can give a capability back.

    Raises:
        OSError: not permitted (it takes CAP_SETPCAP).
    """
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(_LAST_CAPABILITY_MAX + 1):
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the last one that this kernel knows
                return
            raise


def drop_all() -> None:
    """Empty the effective, permitted and inheritable sets. Raises OSError."""
    number = _CAPSET.get(syscalls.MACHINE)
    if number is None:
        raise OSError(errno.ENOSYS, f"capset on {syscalls.MACHINE}")
    header = _Header(_HEADER_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    syscalls.syscall(number, "capset", ctypes.byref(header), ctypes.byref(none))
