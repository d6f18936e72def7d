"""Landlock: which files this process and its descendants may still touch.

An allow-list in the kernel, without privileges, that can only ever be narrowed. Rules are open
descriptors of files or folders with a set of rights. Source: Linux UAPI linux/landlock.h and the
kernel's userspace-api/landlock documentation; ABI 1 (Linux 5.13) to 6 are used.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from dynimo.runtime.isolation import syscalls

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (
    1 << bit for bit in range(6, 13)
)
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
SCOPES_ABI = 6
"""From this version on signals and abstract sockets can be kept inside."""

READ = EXECUTE | READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | REFER
WRITE |= MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

DATA = READ_FILE | READ_DIR
KEEP = DATA | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | REFER | MAKE_DIR | MAKE_REG

RIGHTS = {"read": READ, "write": WRITE, "device": DEVICE, "data": DATA, "keep": KEEP}
"""What each word of a plan's rule grants."""


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def abi() -> int:
    """The kernel's Landlock version. Raises OSError when there is none."""
    return syscalls.syscall(_CREATE, "Landlock", None, 0, _VERSION_FLAG)


def handled(version: int) -> int:
    """Every file right that ABI ``version`` knows; what is handled and not granted is denied."""
    rights = (1 << 13) - 1
    if version >= 2:
        rights |= REFER
    if version >= 3:
        rights |= TRUNCATE
    if version >= 5:
        rights |= IOCTL_DEV
    return rights


def open_rules(rules: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Open each (path, word) as (descriptor, rights); a path that does not exist grants nothing."""
    opened: list[tuple[int, int]] = []
    for path, word in rules:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue
        rights = RIGHTS[word]
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FOR_FILES
        opened.append((descriptor, rights))
    return opened


def restrict(rules: Iterable[tuple[int, int]], version: int) -> None:
    """Allow only ``rules`` from now on, for this process and what it forks.

    Needs no-new-privileges. From ABI 6, signals and abstract sockets stay inside too.

    Raises:
        OSError: the kernel refused; nothing changed.
    """
    scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if version >= SCOPES_ABI else 0
    known = handled(version)
    attributes = _Attributes(known, 0, scoped)
    size = 24 if version >= SCOPES_ABI else 8
    ruleset = syscalls.syscall(_CREATE, "Landlock ruleset", ctypes.byref(attributes), size, 0)
    try:
        for descriptor, rights in rules:
            rule = _PathBeneath(rights & known, descriptor)
            syscalls.syscall(
                _ADD, "Landlock rule", ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0
            )
        syscalls.syscall(_RESTRICT, "Landlock", ruleset, 0)
    finally:
        os.close(ruleset)
