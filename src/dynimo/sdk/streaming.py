"""Answers in pieces, for handlers that write them: ``@streaming`` and what it hands over.

A handler may also just yield: it is then a generator (or an async one) whose items are the pieces,
with a ``Head`` first if the answer is HTTP. No I/O is here; the runtime brings the writer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a streamed HTTP answer; yield it before the first piece."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Stream(Protocol):
    """What a ``@streaming`` handler writes to."""

    def begin(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] = (),
    ) -> None:
        """Tell status and headers, once, before the first piece."""

    def write(self, piece: bytes | str) -> None:
        """Send a piece; waits while whoever reads is slower."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer that is made by writing; the runtime calls ``function`` with a stream."""

    function: Callable[[Any, Any, Stream], object]
    event: Any
    context: Any


def streaming(function: Callable[[Any, Any, Stream], object]) -> Callable[[Any, Any], Written]:
    """Make a handler of ``function(event, context, stream)``, which writes its answer."""

    @functools.wraps(function)
    def handler(event: Any, context: Any) -> Written:
        return Written(function, event, context)

    return handler


def head(
    status: int = 200, headers: Mapping[str, str] | None = None, cookies: Iterable[str] = ()
) -> Head:
    """A ``Head`` from friendlier values; header names become lower-case."""
    pairs = [(name.lower(), value) for name, value in (headers or {}).items()]
    pairs += [("set-cookie", cookie) for cookie in cookies]
    return Head(status, tuple(pairs))
