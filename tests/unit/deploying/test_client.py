"""The command line's client: what it asks again, and what never."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from dynimo.deploying.client import Client, Unreachable

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def _server(*answers: bytes) -> Iterator[tuple[Client, list[bytes]]]:
    """Takes a connection for each of ``answers``: reads one request, sends that, and hangs up."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return  # the test is over: nobody came for what is left
                with connection:
                    asked.append(connection.recv(65_536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with closing(Client(address, lambda method, url, headers, body: headers)) as client:
            yield client, asked


def test_what_may_have_been_done_is_not_asked_again() -> None:
    """A server that dies over an invocation has perhaps run it; twice would be a surprise."""
    with _server(b"", ANSWER) as (client, asked):
        with pytest.raises(Unreachable):
            client.call("POST", "/invoke", {})

        assert len(asked) == 1


def test_nor_is_what_was_half_answered() -> None:
    """It was heard, whatever came of it."""
    with _server(ANSWER, ANSWER[:-1], ANSWER) as (client, asked):
        client.call("GET", "/first")
        with pytest.raises(Unreachable):
            client.call("POST", "/second", {})

        assert len(asked) == 2


def test_a_kept_connection_that_was_closed_is_opened_anew() -> None:
    """As servers do with those that rest for long."""
    with _server(ANSWER, ANSWER) as (client, asked):
        assert client.call("GET", "/first") == {}
        assert client.call("GET", "/second") == {}

        assert len(asked) == 2
