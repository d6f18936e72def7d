"""Commands between the platform and a zygote: one JSON object a datagram, with open files.

Here live encoding, limits, and passing descriptors over the AF_UNIX SOCK_SEQPACKET pair; both sides
use it. What the commands mean is in ``zygote`` and in the platform's sandbox backend.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

MESSAGE_BYTES_MAX = 96 * 1024
"""A datagram must fit the socket's buffer whole; Linux gives at least 208 KiB."""

DESCRIPTORS_MAX = 8


class ControlError(ValueError):
    """A command is over its limit or is no JSON object."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One datagram.

    Raises:
        ControlError: it would be over ``MESSAGE_BYTES_MAX``.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MESSAGE_BYTES_MAX:
        raise ControlError(f"a command of {len(data)} bytes is over {MESSAGE_BYTES_MAX}")
    return data


def send(control: socket.socket, message: Mapping[str, Any], files: Iterable[int] = ()) -> None:
    """Send one command with copies of ``files``.

    Raises:
        ControlError: see ``encode``.
        OSError: the other side is gone, or (non-blocking) the buffer is full.
    """
    socket.send_fds(control, [encode(message)], list(files))


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Next command and the descriptors that came with it (close-on-exec); None at the end.

    Raises:
        ControlError: what came is no command; its descriptors have been closed.
        OSError: nothing can be read now (non-blocking), or ever.
    """
    data, files, flags, _ = socket.recv_fds(
        control, MESSAGE_BYTES_MAX, DESCRIPTORS_MAX, socket.MSG_CMSG_CLOEXEC
    )
    if not data:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for file in files:
            os.close(file)
        raise ControlError("not a command")
    return message, list(files)
