"""One HTTP/1.1 connection to one address, every wait of it bounded by a deadline.

`http.client` parses; here are the pinned address, TLS against the host's name, and the clock.
No policy: who may be asked is decided in `remote`.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

READ_BYTES = 65_536
"""How much is read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a URL points, without its path."""

    scheme: str
    host: str
    port: int


class Deadline:
    """How long the download may still take; each wait takes at most ``pause_seconds``."""

    def __init__(self, total_seconds: float, pause_seconds: float) -> None:
        """Start the clock."""
        self._until = time.monotonic() + total_seconds
        self._pause_seconds = pause_seconds

    def wait_seconds(self) -> float:
        """Give the timeout for the next wait.

        Raises:
            TimeoutError: there is no time left.
        """
        left = min(self._until - time.monotonic(), self._pause_seconds)
        if left <= 0:
            raise TimeoutError
        return left


class PinnedConnection(http.client.HTTPConnection):
    """A connection that goes to ``address`` whatever ``origin``'s name resolves to by now."""

    def __init__(self, origin: Origin, address: str, tls: ssl.SSLContext | None) -> None:
        """Do not connect yet; set `deadline` before every request."""
        super().__init__(origin.host, origin.port)
        self.default_port = 443 if tls else 80
        self._address = address
        self._tls = tls
        self.deadline: Deadline | None = None
        self.connect_seconds = 0.0

    def connect(self) -> None:
        """Connect, and shake hands in TLS with the host's own name."""
        assert self.deadline is not None
        wait = min(self.connect_seconds, self.deadline.wait_seconds())
        plain = socket.create_connection((self._address, self.port), timeout=wait)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            self.sock = _TimedSocket(plain, self)
            return
        try:
            plain.settimeout(min(self.connect_seconds, self.deadline.wait_seconds()))
            wrapped = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
        self.sock = _TimedSocket(wrapped, self)


class _TimedSocket:
    """The part of a socket that `http.client` uses, with the deadline applied to each wait."""

    def __init__(self, plain: socket.socket, owner: PinnedConnection) -> None:
        self._socket = plain
        self._owner = owner

    def sendall(self, data: bytes) -> None:
        assert self._owner.deadline is not None
        self._socket.settimeout(self._owner.deadline.wait_seconds())
        self._socket.sendall(data)

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_TimedReader(self._socket, self._owner), READ_BYTES)

    def close(self) -> None:
        self._socket.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, plain: socket.socket, owner: PinnedConnection) -> None:
        super().__init__()
        self._socket = plain
        # The socket closes for good when this and the connection have both let go of it.
        self._held = plain.makefile("rb", buffering=0)
        self._owner = owner

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._held.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        assert self._owner.deadline is not None
        self._socket.settimeout(self._owner.deadline.wait_seconds())
        return self._socket.recv_into(buffer)
