"""A small root of its own: an empty tmpfs, and into it, read-only, only what the plan names.

Needs a mount namespace of one's own and root; the host's mounts are never touched. Source:
mount(2), mount_setattr(2), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping

from dynimo.runtime.isolation import syscalls

_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _REC, _UNBINDABLE, _PRIVATE = 32, 4096, 16384, 1 << 17, 1 << 18
_DETACH = 2
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTE_RDONLY, _ATTRIBUTE_NOSUID, _ATTRIBUTE_NODEV, _ATTRIBUTE_NOEXEC = 1, 2, 4, 8
ROOT_OPTIONS = "size=1m,nr_inodes=2k,mode=0755"
ROOMS_OPTIONS = "size=1m,nr_inodes=20k,mode=0711"
TMP = "/tmp"  # noqa: S108 - of a root of our own
INODES_PER_MIB = 64
"""Of a scratch folder: as ext4 makes them, one for 16 KiB."""

_mount = syscalls.LIBC.mount
_mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
_umount2 = syscalls.LIBC.umount2
_umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount one thing. Raises OSError that names ``target``."""
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    syscalls.check(_mount(*arguments), f"mount {target}")


def stop_propagation() -> None:
    """Let no mount made here reach the host, nor the other way round. Raises OSError."""
    mount("none", "/", "none", _REC | _PRIVATE)


def scratch(target: str, size_mib: int, uid: int | None) -> None:
    """An empty folder in memory, at most ``size_mib``, of user ``uid`` alone. Raises OSError.

    What it holds is counted to the control group of whoever wrote it.
    """
    owner = f",uid={uid},gid={uid}" if uid is not None else ""
    options = f"size={size_mib}m,nr_inodes={size_mib * INODES_PER_MIB},mode=0700{owner}"
    mount("tmp", target, "tmpfs", _NOSUID | _NODEV, options)


def rooms(target: str) -> None:
    """A folder whose mounts ``copy_tree`` leaves out. Raises OSError."""
    mount("rooms", target, "tmpfs", _NOSUID | _NODEV, ROOMS_OPTIONS)
    mount("none", target, "none", _UNBINDABLE)


def copy_tree(source: str, target: str) -> None:
    """Let ``target`` show what ``source`` does, with all that is mounted below. Raises OSError."""
    mount(source, target, "none", _BIND | _REC)


def repeat(source: str, target: str) -> None:
    """Show a bound file or folder once more elsewhere, as read-only as it is. Raises OSError."""
    _place(source, target)
    copy_tree(source, target)


def overlay(target: str, *, lower: str, upper: str, work: str, by_user: bool = False) -> None:
    """Show ``lower`` at ``target``; what is changed there goes to ``upper``. Raises OSError.

    ``by_user`` is for a user namespace, where the kernel's notes cannot be attributes of root's.
    """
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    layers += ",userxattr" if by_user else ""
    mount("tmp", target, "overlay", _NOSUID | _NODEV, layers)


def unmount(target: str) -> None:
    """Take the topmost mount away, for those that come later. Raises OSError."""
    syscalls.check(_umount2(target.encode(), _DETACH), f"umount {target}")


def new_root(
    root: str,
    binds: Iterable[tuple[str, str, str]],
    links: Mapping[str, str],
    files: Mapping[str, str],
    *,
    folders: Iterable[str] = (),
    tmp: tuple[int, int | None] | None = None,
    rooms_at: str = "",
) -> None:
    """Build a root at ``root`` and move into it; the old one is out of reach afterwards.

    ``binds`` are (host path, path inside, mode), parents first; the modes are those of a plan;
    ``links`` maps path inside to its target; ``files`` maps path inside to its text; ``folders``
    are empty. ``tmp`` is the size (MiB) and the user of a /tmp; ``rooms_at`` is where rooms will be
    (see ``rooms``).

    Raises:
        OSError: some step was refused; the caller must end.
    """
    mount("dynimo", root, "tmpfs", _NOSUID | _NODEV, ROOT_OPTIONS)
    for folder in folders:
        os.makedirs(root + folder, 0o755, exist_ok=True)  # noqa: PTH103 - light
    if tmp is not None:
        # First, because what a function may read can itself lie below /tmp.
        os.mkdir(root + TMP, 0o755)  # noqa: PTH102 - light
        scratch(root + TMP, *tmp)
    for source, inside, mode in binds:
        _bind(source, root + inside, mode)
    for inside, target in links.items():
        _parents(root + inside)
        os.symlink(target, root + inside)  # noqa: PTH211 - light
    for inside, text in files.items():
        _parents(root + inside)
        with open(root + inside, "w", encoding="utf-8") as file:  # noqa: PTH123 - light
            file.write(text)
    os.mkdir(root + "/proc", 0o555)  # noqa: PTH102 - light
    _mount_proc(root + "/proc")
    if rooms_at:
        os.makedirs(root + rooms_at, 0o755)  # noqa: PTH103 - light
        rooms(root + rooms_at)
    os.chdir(root)
    number = _PIVOT_ROOT.get(syscalls.MACHINE, -1)
    # pivot_root(".", ".") stacks the old root on the new one, from where it is taken away.
    syscalls.syscall(number, "pivot_root", b".", b".")
    unmount(".")
    os.chdir("/")
    mount("none", "/", "none", _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def _mount_proc(target: str) -> None:
    """The processes of this pid namespace, and of them only one's own, where the kernel can."""
    flags = _NOSUID | _NODEV | _NOEXEC
    try:
        mount("proc", target, "proc", flags, "hidepid=invisible")
    except OSError:  # before Linux 5.8 the option has another spelling
        mount("proc", target, "proc", flags, "hidepid=2")


def _place(source: str, target: str) -> None:
    """Make what ``source`` can be mounted on: a folder for a folder, a file for a file."""
    _parents(target)
    if os.path.isdir(source):  # noqa: PTH112 - light
        os.makedirs(target, 0o755, exist_ok=True)  # noqa: PTH103
    elif not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _bind(source: str, target: str, mode: str) -> None:
    _place(source, target)
    set_bits = _ATTRIBUTE_NOSUID
    if mode != "device":
        set_bits |= _ATTRIBUTE_NODEV
    if mode in ("read", "data"):
        set_bits |= _ATTRIBUTE_RDONLY
    if mode in ("data", "keep"):
        set_bits |= _ATTRIBUTE_NOEXEC
    mount(source, target, "none", _BIND | _REC)
    attributes = _Attributes(set_bits, 0, 0, 0)
    try:
        syscalls.syscall(
            _MOUNT_SETATTR,
            f"mount_setattr {target}",
            _AT_FDCWD,
            target.encode(),
            _AT_RECURSIVE,
            ctypes.byref(attributes),
            ctypes.sizeof(attributes),
        )
    except OSError:
        # Before Linux 5.12 flags cannot be set on a whole tree; so take its top alone.
        unmount(target)
        mount(source, target, "none", _BIND)
        mount("none", target, "none", _BIND | _REMOUNT | set_bits)


def _parents(target: str) -> None:
    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)  # noqa: PTH103,PTH120 - light
