"""One GET of a small JSON document, within limits: bytes, seconds, no redirect, no proxy.

What it says is checked by who asked for it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from typing import Any

from asking.urls import Url

DOCUMENT_BYTES_MAX = 262_144
CONNECT_SECONDS, FETCH_SECONDS = 3, 5


class Unavailable(Exception):
    """The issuer cannot be asked now, or its answer cannot be used."""


def document(url: Url) -> dict[str, Any]:
    """The document at an address. Raises Unavailable."""
    if url.secure:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.host, url.port, timeout=CONNECT_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(url.host, url.port, timeout=CONNECT_SECONDS)
    try:
        data = _body(connection, url.target)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url.host} cannot be asked: {type(error).__name__}.") from None
    finally:
        connection.close()
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Unavailable(f"{url.host} answered with something that is no JSON.") from None
    if not isinstance(found, dict):
        raise Unavailable(f"{url.host} answered with JSON that is no object.")
    return found


def _body(connection: http.client.HTTPConnection, target: str) -> bytes:
    """The body. A server that drips, even its headers, is cut off when the time is over."""
    connection.connect()
    late = threading.Event()
    timer = threading.Timer(FETCH_SECONDS, _cut, (connection.sock, late))
    timer.daemon = True
    timer.start()
    try:
        connection.request("GET", target, headers={"accept": "application/json"})
        with connection.getresponse() as answer:  # unread, it would keep the socket
            if answer.status != http.client.OK:
                raise Unavailable(
                    f"{connection.host} answered {answer.status}; redirects are not followed."
                )
            data = answer.read(DOCUMENT_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
        data = b""
    finally:
        timer.cancel()
    if late.is_set():
        raise Unavailable(f"{connection.host} took more than {FETCH_SECONDS} seconds.")
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Unavailable(f"{connection.host} answered more than {DOCUMENT_BYTES_MAX} bytes.")
    return data


def _cut(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
