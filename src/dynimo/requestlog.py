"""One line and one count for every HTTP request, without slowing the request down.

The server hands over facts; lines and metrics are made in batches a moment later. Nothing here may
wait, and a flood is bounded: what does not fit is counted and said.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

import msgspec

from dynimo.ports import Clock
from dynimo.web import masking
from dynimo.web.message import Request, Response

FLUSH_SECONDS = 0.1
PENDING_MAX = 20_000
TARGET_CHARACTERS_MAX = 300
_encode_lines = msgspec.json.Encoder().encode_lines


class Counts(Protocol):
    """Who counts answers; telemetry.Metrics does."""

    def answered(self, requests: Sequence[tuple[int, float]]) -> None:
        """Requests were answered: (status, seconds) of each."""


class _Line(msgspec.Struct):
    """A line for machines; its members are those of the JSON, in their order."""

    time: float
    logger: str
    method: str
    target: str
    status: int
    bytes: int
    cache: str
    server_timing: str
    seconds: float


class RequestLog:
    """Collects what the server answered; ``flush`` turns it into lines and numbers."""

    def __init__(
        self,
        metrics: Counts,
        clock: Clock,
        *,
        lines: bool,
        plain: bool,
        stream: TextIO = sys.stderr,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lines = lines
        self._plain = plain
        self._stream = stream
        self._pending: list[tuple[float, str, str, str, Response, float]] = []
        self._dropped = 0
        self._cancel: Callable[[], None] | None = None

    def add(self, request: Request, response: Response, seconds: float) -> None:
        """Note one answered request; called by the server, on the loop."""
        if len(self._pending) >= PENDING_MAX:
            self._dropped += 1
            return
        self._pending.append(
            (self._clock.now(), request.method, request.path, request.query, response, seconds)
        )
        if self._cancel is None:
            self._cancel = self._clock.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write and count everything noted so far."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        pending, self._pending = self._pending, []
        self._metrics.answered([(response.status, seconds) for *_, response, seconds in pending])
        if not self._lines or not pending:
            return
        if self._plain:
            text = "".join([_plain_line(*each) for each in pending])
        else:
            text = _encode_lines([_json_line(*each) for each in pending]).decode()
        if self._dropped:
            text += f"({self._dropped} more requests, too many to list)\n"
            self._dropped = 0
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # Whoever read our log is gone, or the disk is full; requests go on all the same.
            self._lines = False


def _plain_line(
    when: float, method: str, path: str, query: str, response: Response, seconds: float
) -> str:
    target = masking.target(path, query)
    clock = time.strftime("%H:%M:%S", time.localtime(when))
    kind = response.headers.get("content-type").partition(";")[0]
    return (
        f"{clock} {method} {target[:TARGET_CHARACTERS_MAX]} {response.status} {kind}"
        f" {_size(len(response.body))} {_cache_word(response)} {seconds * 1000:.1f}ms\n"
    )


def _json_line(
    when: float, method: str, path: str, query: str, response: Response, seconds: float
) -> _Line:
    headers = response.headers
    return _Line(
        when, "dynimo.request", method, masking.target(path, query)[:TARGET_CHARACTERS_MAX],
        response.status, len(response.body), headers.get("cache-status"),
        headers.get("server-timing"), round(seconds, 6),
    )  # fmt: skip


def _cache_word(response: Response) -> str:
    status = response.headers.get("cache-status")
    if not status:
        return "-"
    return "HIT" if "; hit" in status else "MISS"


def _size(count: int) -> str:
    return f"{count}B" if count < 1000 else f"{count / 1000:.0f}kB"
