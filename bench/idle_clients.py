"""The clients that do nothing, or almost: run as a program of their own by the bench ``idle``.

``python -m bench.idle_clients PORT TARGET`` reads commands from stdin and answers each with a line:
``idle N`` opens connections, asks once on each and lets them rest; ``slow N`` keeps N connections
that send one byte of a head every second, opened anew when the server ends them; ``count`` says
how many resting ones are still open; ``close`` ends all, without leaving ports behind.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import struct
import sys
import threading

SOURCES = 8
"""Addresses of this machine that the clients come from, so that ports do not run out."""
SLOW_STEPS = 50
"""In so many steps a second all slow clients have sent their byte."""
SECONDS_MAX = 10.0
_RESET = struct.pack("ii", 1, 0)


class Clients:
    """All connections of this program."""

    def __init__(self, port: int, target: str) -> None:
        self._port = port
        self._request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._idle: list[socket.socket] = []
        self._slow: list[socket.socket] = []
        self._opened = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.ended_by_server = 0

    def idle(self, count: int) -> int:
        """Open, ask once, rest; return how many were answered."""
        for _ in range(count):
            client = self._connect()
            client.sendall(self._request)
            self._idle.append(client)
            if len(client.recv(65536)) < 12:
                break
        return len(self._idle)

    def slow(self, count: int) -> int:
        """Begin to send slowly, for ever."""
        self._slow = [self._begun() for _ in range(count)]
        self._stop.clear()
        self._thread = threading.Thread(target=self._trickle, daemon=True)
        self._thread.start()
        return count

    def count(self) -> int:
        """Return how many resting connections the server has not closed."""
        poll = select.poll()
        for client in self._idle:
            poll.register(client, select.POLLRDHUP)
        return len(self._idle) - len(poll.poll(0))

    def close(self) -> int:
        """End everything; return how many slow ones the server had ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for client in self._idle + self._slow:
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
        self._idle, self._slow, self._thread = [], [], None
        return self.ended_by_server

    def _connect(self) -> socket.socket:
        self._opened += 1
        source = f"127.0.0.{2 + self._opened % SOURCES}"
        return socket.create_connection(
            ("127.0.0.1", self._port), timeout=SECONDS_MAX, source_address=(source, 0)
        )

    def _begun(self) -> socket.socket:
        client = self._connect()
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        client.setblocking(False)
        return client

    def _trickle(self) -> None:
        step = 0
        while not self._stop.wait(1.0 / SLOW_STEPS):
            for index in range(step % SLOW_STEPS, len(self._slow), SLOW_STEPS):
                try:
                    self._slow[index].send(b"x")
                    self._slow[index].recv(1024)
                    ended = True  # an answer or the end: 408, as it should be
                except BlockingIOError:
                    ended = False
                except OSError:
                    ended = True
                if ended:
                    self.ended_by_server += 1
                    self._slow[index].close()
                    with contextlib.suppress(OSError):
                        self._slow[index] = self._begun()
            step += 1


def main() -> None:
    """Do what stdin says, until it ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = Clients(int(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        verb, *numbers = line.split()
        act = {"idle": clients.idle, "slow": clients.slow}.get(verb)
        done = act(int(numbers[0])) if act else getattr(clients, verb)()
        print(done, flush=True)
    clients.close()


if __name__ == "__main__":
    main()
