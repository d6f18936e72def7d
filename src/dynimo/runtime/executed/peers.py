"""Who is at the other end of a loopback connection? Only this environment's own processes may be.

An address can be guessed, or read from the kernel's tables by whoever shares the network; so each
connection is looked up there: its user must be ours, and its socket must be open in a process that
we started. Source: proc(5), /proc/net/tcp and /proc/PID/fd. Where the kernel shows less (a host
without a sandbox of its own), the random address is what remains, and that is all that is claimed.
"""

from __future__ import annotations

import os
import socket
import struct

DESCENDANTS_MAX = 1_000
LOOKS_MAX = 3
"""The kernel gives its table piece by piece: while others connect, a line may be missed."""
Address = tuple[str, int]


def is_own(connection: socket.socket) -> bool:
    """Whether the peer of this accepted connection is a process of this environment."""
    local, remote = connection.getpeername(), connection.getsockname()
    found = None
    for _ in range(LOOKS_MAX):
        table = _table()
        if table is None:
            return True
        found = find(table, local, remote)
        if found is not None:
            break
    if found is None:
        return False
    uid, inode = found
    if uid != os.geteuid():
        return False
    return _held(inode, _descendants(os.getpid()))


def find(table: str, local: Address, remote: Address) -> tuple[int, int] | None:
    """(user, inode) of the IPv4 socket with these ends, from the text of /proc/net/tcp."""
    wanted = f"{_hexadecimal(local)} {_hexadecimal(remote)} "
    for line in table.splitlines()[1:]:
        _, _, rest = line.partition(": ")
        if rest.startswith(wanted):
            fields = rest.split()
            return int(fields[6]), int(fields[8])
    return None


def _hexadecimal(address: Address) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _table() -> str | None:
    try:
        with open("/proc/self/net/tcp", encoding="ascii") as file:  # noqa: PTH123 - light
            return file.read()
    except OSError:
        return None


def _descendants(pid: int) -> list[int]:
    """Every process below ``pid``, as far as the kernel lists them."""
    found: list[int] = []
    look = [pid]
    while look and len(found) < DESCENDANTS_MAX:
        children = _children(look.pop())
        found += children
        look += children
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - light
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    except OSError:
        return found
    return found


def _held(inode: int, processes: list[int]) -> bool:
    """Whether one of them has this socket open; yes also when one may not be looked into."""
    wanted = f"socket:[{inode}]"
    unknown = not processes
    for pid in processes:
        folder = f"/proc/{pid}/fd"
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - light
                if _target(f"{folder}/{name}") == wanted:
                    return True
        except PermissionError:
            unknown = True
        except OSError:
            continue
    return unknown


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - light
    except OSError:
        return ""
