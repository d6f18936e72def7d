"""Requests, responses and headers as values. No sockets, no parsing, no policy.

Every HTTP part of Dynimo is one shape, ``Handler``, so parts nest in any order.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


class Headers:
    """An ordered list of (lower-case name, value) pairs; names may repeat (RFC 9110 5.2).

    ``pairs`` may be replaced, or grow; a pair in it is never exchanged for another.
    """

    __slots__ = ("_count", "_index", "_indexed", "pairs")
    _count: int
    _index: dict[str, str]
    _indexed: list[tuple[str, str]]

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: list[tuple[str, str]] = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str, default: str = "") -> str:
        """Return all values of ``name``, joined by ``", "`` (RFC 9110 5.3), or ``default``."""
        return self._by_name().get(name, default)

    def _by_name(self) -> dict[str, str]:
        """Every name with its values joined; made on first use, for most are asked many times."""
        pairs = self.pairs
        try:
            if self._indexed is pairs and self._count == len(pairs):
                return self._index
        except AttributeError:
            pass  # nobody has asked yet
        index = dict(pairs)
        if len(index) < len(pairs):
            index = {}
            for name, value in pairs:
                index[name] = f"{index[name]}, {value}" if name in index else value
        self._indexed, self._count, self._index = pairs, len(pairs), index
        return index

    def get_all(self, name: str) -> list[str]:
        """Return each field line of ``name``, in order."""
        return [value for key, value in self.pairs if key == name]

    def set(self, name: str, value: str) -> None:
        """Replace every ``name`` by one line, at the end."""
        self.remove(name)
        self.pairs.append((name, value))

    def add(self, name: str, value: str) -> None:
        """Append one more line of ``name``."""
        self.pairs.append((name, value))

    def remove(self, name: str) -> None:
        """Drop every line of ``name``."""
        self.pairs = [pair for pair in self.pairs if pair[0] != name]

    def copy(self) -> Headers:
        """Return an independent copy."""
        new = Headers()
        new.pairs = list(self.pairs)
        return new

    def __contains__(self, name: str) -> bool:
        return name in self._by_name()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


class Priority(enum.IntEnum):
    """What matters more when not everything can be done; the smallest matters most."""

    LIVE = 0
    REVALIDATE = 1
    PREFETCH = 2
    WARM = 3


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. ``path`` and ``query`` are as received, still percent-encoded.

    ``internal`` is set only by the edge, when it follows a forward; nothing from outside can set
    it. ``arrived_ns`` is ``time.monotonic_ns()`` when the request's head was complete. ``inform``
    sends an informational answer (1xx) ahead of the real one; None where nobody could read it.
    ``proxied`` says that it claimed to come from somebody else than its connection's other end;
    ``marked`` that it has one of the server's ``slow_headers``. ``proof`` is who signed it, where
    that was proved before it came here; nothing from outside can set it.
    ``abandoned`` tells whether nobody waits for the answer any more, where cancelling does not.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    peer: str = ""
    internal: bool = False
    arrived_ns: int = 0
    request_id: str = ""
    inform: Callable[[int, Headers], None] | None = field(default=None, repr=False, compare=False)
    scheme: str = "http"
    version: str = "1.1"
    proxied: bool = False
    marked: bool = False
    proof: object = None
    priority: Priority = Priority.LIVE
    abandoned: Callable[[], bool] | None = None

    @property
    def target(self) -> str:
        """Path and query as one text."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(slots=True, kw_only=True)
class Response:
    """One answer. The server adds Date, Content-Length or Transfer-Encoding, and frames it.

    Whole in ``body``, unless ``pieces`` is given: then the server sends each piece as it comes, in
    chunks, asks for the next only when the one before has left, and closes the iterator in the end.
    """

    status: int = 200
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    pieces: AsyncGenerator[bytes, None] | None = None


@dataclass(slots=True, kw_only=True)
class Prepared(Response):
    """An answer whose head is serialised already, for those given over and over.

    ``head`` is the status line and every header, Content-Length and Date among them but no
    Connection, up to and with the empty line. ``headers`` still says the same for whoever reads it.
    ``again`` says whether a request of the very same head gets this very answer now, and counts it
    as given if so; without it nobody may assume that.
    """

    head: bytes
    again: Callable[[], bool] | None = field(default=None, repr=False, compare=False)


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
"""The one shape of every HTTP part. A Handler answers bad input with a 4xx; it does not raise."""
