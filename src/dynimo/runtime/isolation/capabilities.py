"""Root's powers: giving up the user id and capabilities, for good.

One is kept a while: a zygote may still change its root folder, inside the small one that it was
given, so that each environment can enter a room of its own; the environment gives it up there.
"""

from __future__ import annotations

import ctypes
import errno
import os

from dynimo.runtime.isolation import syscalls

_CAPSET = {"x86_64": 126, "aarch64": 91}
_HEADER_VERSION = 0x2008_0522
_LAST_CAPABILITY_MAX = 63

SYS_CHROOT = 18
"""What it takes to enter a room."""

KEEPERS = (0, 1, 21)
"""What it takes to make rooms: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SYS_ADMIN."""


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def become(uid: int, *, keeping: bool = False) -> None:
    """Be user and group ``uid`` from now on, in no other group. Raises OSError.

    ``keeping`` leaves the permitted capabilities for a ``keep`` that follows.
    """
    if keeping:
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
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
    keep()


def keep(*capabilities: int) -> None:
    """Leave these alone in the effective and permitted sets. Raises OSError."""
    number = _CAPSET.get(syscalls.MACHINE)
    if number is None:
        raise OSError(errno.ENOSYS, f"capset on {syscalls.MACHINE}")
    header = _Header(_HEADER_VERSION, 0)
    bits = sum(1 << capability for capability in capabilities) & 0xFFFF_FFFF
    sets = (ctypes.c_uint32 * 6)(bits, bits)  # effective and permitted; the rest is empty
    syscalls.syscall(number, "capset", ctypes.byref(header), ctypes.byref(sets))
