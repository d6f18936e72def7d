"""The shape that everything that runs the hello function has for a bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bench.signed import Keys

ENVIRONMENTS = 4
"""Environments, processes or replicas that may run the function at once, for every contender."""
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server that has the function. ``requests`` makes one ready-made request for each payload.

    ``pids`` are the roots of its trees. ``keys`` are for those that speak AWS's API.
    """

    port: int
    pids: list[int]
    requests: Callable[[list[bytes]], list[bytes]]
    keys: Keys | None = None


class Runner(Protocol):
    """Something that runs the hello function, ``ENVIRONMENTS`` at a time."""

    name: str

    def install(self) -> str:
        """Make sure it is here; return its versions, for the report.

        Raises:
            setting.Unavailable: it cannot be had here; the message says why.
        """

    def settings(self) -> str:
        """Say in one line how it is run, for the report."""

    def start(self) -> AbstractContextManager[Serving]:
        """Serve the function; leaving the context stops it."""


def payloads(count: int) -> list[bytes]:
    """As many different events."""
    return [json.dumps({"number": number}).encode() for number in range(count)]


def plain_requests(port: int, path: str, bodies: list[bytes]) -> list[bytes]:
    """Unsigned POST requests."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
    return [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
