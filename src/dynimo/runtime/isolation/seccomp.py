"""Seccomp: the system calls that no handler needs, refused in the kernel.

A deny-list (EPERM; ENOSYS for clone3, so that C libraries fall back to clone, whose flags can be
read) built by hand as classic BPF for x86_64 and aarch64. A list of what is allowed would break
ordinary libraries; the walls are Landlock and namespaces, this removes the kernel's sharp corners.
Numbers: Linux arch/x86/entry/syscalls/syscall_64.tbl and asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from dynimo.runtime.isolation import syscalls

_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_X32_BIT = 0x4000_0000

# name: (x86_64, aarch64); None where that machine has no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "perf_event_open": (298, 241),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "fanotify_init": (300, 262),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    # What these make outlives the process that made it, and is seen by its siblings.
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "file_setattr": (469, 469),
}
_CLONE3 = (435, 435)
_CLONE = (56, 220)
_PERSONALITY = (135, 92)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_IOCTL = (16, 29)
_CHROOT = (161, 51)
_PRLIMIT = (302, 261)

_NAMESPACE_FLAGS = 0x7E02_0000
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}."""

_NETLINK, _NETLINK_ROUTE = 16, 0
_UNIX_FAMILIES = (0, 1)
_INTERNET_FAMILIES = (2, 10, _NETLINK)
"""AF_UNSPEC, AF_UNIX; AF_INET, AF_INET6, AF_NETLINK (which getaddrinfo asks)."""

_DATAGRAM, _TYPE_MASK = 2, 0xF
"""A datagram socket of a pair can still send to any path; one of a stream's cannot."""

_DENIED_IOCTLS = (0x5412, 0x541C, 0x4008_6602, 0x401C_5820)
"""TIOCSTI and TIOCLINUX type into somebody's terminal; FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR could
move a file out of the quota that it counts to."""

_PERSONALITY_QUERY = 0xFFFF_FFFF

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW = 0x7FFF_0000
_KILL = 0x8000_0000
_REFUSE = 0x0005_0000 | errno.EPERM
_ABSENT = 0x0005_0000 | errno.ENOSYS
_INSTRUCTION = struct.Struct("=HBBI")
_MODE_FILTER = 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def program(machine: str, *, unix: bool = True, internet: bool = True) -> bytes:
    """The filter for ``machine`` (``x86_64`` or ``aarch64``) as BPF instructions.

    ``unix`` and ``internet`` say which sockets can be made. Without ``unix`` there are pairs still,
    because those lead nowhere.

    Raises:
        OSError: ENOSYS, for any other machine.
    """
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no seccomp list for {machine}")
    column = 0 if machine == "x86_64" else 1
    code = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        code += [_instruction(_AT_LEAST, _X32_BIT, 0, 1), _instruction(_RETURN, _KILL)]
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            code += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _REFUSE)]
    code += [_instruction(_EQUAL, _CLONE3[column], 0, 1), _instruction(_RETURN, _ABSENT)]
    code += _when(_CLONE[column], 0, [_instruction(_ANY_BIT, _NAMESPACE_FLAGS, 0, 1)], _REFUSE)
    code += _only(_PERSONALITY[column], 0, (0, _PERSONALITY_QUERY))
    code += _only(_CHROOT[column], 1, (syscalls.CHROOT_PASS,))
    code += _only(_PRLIMIT[column], 0, (0,))  # its own limits; not those of another of its user
    families = (*(_UNIX_FAMILIES if unix else ()), *(_INTERNET_FAMILIES if internet else ()))
    code += _route_netlink_only(_SOCKET[column])
    code += _only(_SOCKET[column], 0, families)
    if not unix:
        datagram = _instruction(_EQUAL, _DATAGRAM, 0, 1)
        code += _when(_SOCKETPAIR[column], 1, [datagram], _REFUSE, mask=_TYPE_MASK)
    ioctls = [_instruction(_EQUAL, value, 0, 1) for value in _DENIED_IOCTLS]
    code += _when(_IOCTL[column], 1, ioctls, _REFUSE)
    code.append(_instruction(_RETURN, _ALLOW))
    return b"".join(code)


def install(*, unix: bool = True, internet: bool = True) -> None:
    """Refuse the list from now on, for this process and what it forks. Needs no-new-privileges.

    See ``program`` for ``unix`` and ``internet``.

    Raises:
        OSError: the kernel refused, or there is no list for this machine.
    """
    code = program(syscalls.MACHINE, unix=unix, internet=internet)
    described = _Program(len(code) // _INSTRUCTION.size, code)
    syscalls.prctl(syscalls.PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(described))


def _instruction(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, when_true, when_false, value)


def _when(
    number: int, argument: int, tests: list[bytes], answer: int, *, mask: int = 0
) -> list[bytes]:
    """If the call is ``number`` and any test of its argument holds: ``answer``, else allow."""
    inner = [_instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)]
    if mask:
        inner.append(_instruction(_AND, mask))
    for test in tests:
        inner += [test, _instruction(_RETURN, answer)]
    inner.append(_instruction(_RETURN, _ALLOW))
    return [_instruction(_EQUAL, number, 0, len(inner)), *inner]


def _route_netlink_only(number: int) -> list[bytes]:
    """Of netlink's many protocols only what getaddrinfo asks; the rest is the host's affair."""
    inner = [
        _instruction(_LOAD, _ARGUMENTS_AT),
        _instruction(_EQUAL, _NETLINK, 0, 3),
        _instruction(_LOAD, _ARGUMENTS_AT + 8 * 2),
        _instruction(_EQUAL, _NETLINK_ROUTE, 1, 0),
        _instruction(_RETURN, _REFUSE),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    return [_instruction(_EQUAL, number, 0, len(inner)), *inner]


def _only(number: int, argument: int, allowed: tuple[int, ...]) -> list[bytes]:
    """If the call is ``number``: allow these values of its argument, refuse all others."""
    inner = [_instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)]
    for value in allowed:
        inner += [_instruction(_EQUAL, value, 0, 1), _instruction(_RETURN, _ALLOW)]
    inner.append(_instruction(_RETURN, _REFUSE))
    return [_instruction(_EQUAL, number, 0, len(inner)), *inner]
