"""The C functions and numbers that Python lacks; one door, so that errors come out as OSError.

Numbers: Linux UAPI headers (asm-generic/unistd.h, linux/prctl.h, linux/sched.h, linux/mount.h).
"""

from __future__ import annotations

import ctypes
import os
import platform

LIBC = ctypes.CDLL(None, use_errno=True)
MACHINE = platform.machine()

_prctl = LIBC.prctl
_prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_syscall = LIBC.syscall
_syscall.restype = ctypes.c_long
_unshare = LIBC.unshare
_unshare.argtypes = [ctypes.c_int]

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

NAME_BYTES_MAX = 15

CHROOT_PASS = 0x0D1A_0001
"""The runtime's own chroot calls carry this, so that ``seccomp`` refuses those of libraries and
handlers in its plain way. It is no secret: the right to chroot is a capability."""

_CHROOT = {"x86_64": 161, "aarch64": 51}


def check(result: int, what: str) -> int:
    """Give ``result`` back, or raise the OSError that errno tells of when it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """Set something of this process. Raises OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return check(_prctl(option, *padded), f"prctl {option}")


def syscall(number: int, what: str, *arguments: object) -> int:
    """Call by number; integers are widened to 64 bits. Raises OSError."""
    wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return check(_syscall(ctypes.c_long(number), *wide), what)


def unshare(flags: int) -> None:
    """Leave namespaces; ``os`` has this from Python 3.12. Raises OSError."""
    check(_unshare(flags), "unshare")


def change_root(path: str) -> None:
    """chroot(2) with ``CHROOT_PASS`` as its unused second argument. Raises OSError."""
    syscall(_CHROOT.get(MACHINE, -1), f"chroot {path}", path.encode(), CHROOT_PASS)
    os.chdir("/")


def set_name(name: str) -> None:
    """Name this process for ``ps``; cut to ``NAME_BYTES_MAX``."""
    text = ctypes.create_string_buffer(name.encode()[:NAME_BYTES_MAX])
    prctl(PR_SET_NAME, ctypes.addressof(text))


def die_with_parent(signal_number: int) -> None:
    """Get this signal when the parent (its thread that forked us) ends; 0 means none."""
    prctl(PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (instead of init)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
