"""A door where handlers wait until a test lets them in: an order of events without sleeping.

A test knows that a handler runs (``arrived``) and decides when it goes on (``open``), so that what
is said of things at the same time holds on the slowest machine. No asserts.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

SECONDS_MAX = 60.0

WAITS = """
import socket
def waits(port):
    with socket.create_connection(("127.0.0.1", port)) as meeting: meeting.recv(1)
"""
"""The handlers' side: returns when the door is open."""


class Meeting:
    """Closed at first; ``port`` is what handlers are told."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._waiting: list[socket.socket] = []
        self._open = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._receive)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._server.shutdown(socket.SHUT_RDWR)  # ends the thread's accept
        self._thread.join()
        self._server.close()

    def arrived(self, count: int = 1) -> None:
        """Wait until so many stand at the door; TimeoutError when they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiting) >= count, SECONDS_MAX):
                raise TimeoutError(f"{len(self._waiting)} of {count} came in {SECONDS_MAX} s")

    def open(self) -> None:
        """Let in all who wait, and who comes later."""
        with self._changed:
            self._open = True
            while self._waiting:
                self._waiting.pop().close()

    def shut(self) -> None:
        """From now on let them wait again."""
        self._open = False

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = self._server.accept()
                with self._changed:
                    if self._open:
                        came.close()
                    else:
                        self._waiting.append(came)
                        self._changed.notify_all()
