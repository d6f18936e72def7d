"""What a version's environments leave in its log: their own lines, and the platform's round them.

Names streams, keeps the last lines for who asked for them, and hands every line to ports.Logs. The
words of the platform's lines are in ``lines``.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime

from dynimo import ports
from dynimo.functions import lines
from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome

TAIL_BYTES_MAX = 4096
"""What LogType Tail gives back (Lambda API reference, Invoke, X-Amz-Log-Result)."""


class Tail:
    """The last lines of one invocation."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def add(self, text: str) -> None:
        """One more line."""
        line = text.encode("utf-8", "replace") + b"\n"
        self._lines.append(line)
        self._size += len(line)
        while self._size - len(self._lines[0]) >= TAIL_BYTES_MAX:
            self._size -= len(self._lines.popleft())

    def __bytes__(self) -> bytes:
        return b"".join(self._lines)[-TAIL_BYTES_MAX:]


class Journal:
    """Writes one version's log."""

    def __init__(self, version: Version, logs: ports.Logs, clock: ports.Clock) -> None:
        self._version = version
        self._group = version.log_group
        self._account = version.place.account
        self._logging = version.configuration.logging
        self._memory_mib = version.configuration.memory_mib
        self._logs = logs
        self._clock = clock

    def stream(self) -> str:
        """A name for a new environment's stream, in AWS's form."""
        day = datetime.fromtimestamp(self._clock.now(), UTC)
        return f"{day:%Y/%m/%d}/[{self._version.label}]{secrets.token_hex(16)}"

    def begins(self, stream: str, invocation: Invocation, *, cold: bool) -> Tail | None:
        """An environment was given an invocation."""
        tail = Tail() if invocation.tail else None
        now = self._clock.now()
        text = lines.start(invocation.id, self._version, now)
        if not cold:
            self._platform(stream, invocation.id, (text,), tail)
            return tail
        self._platform(stream, "", (lines.init_start(self._version, now),), None)
        self._platform(stream, invocation.id, (text,), tail)
        return tail

    def printed(self, stream: str, request: str, text: str, tail: Tail | None) -> None:
        """The code printed a line."""
        if tail is not None:
            tail.add(text)
        self._logs.write(self._line(stream, request, text, "function"))

    def ends(
        self, stream: str, invocation: Invocation, outcome: Outcome, tail: Tail | None
    ) -> None:
        """The invocation is over."""
        told = lines.ending(invocation, outcome, self._version, self._clock.now())
        self._platform(stream, outcome.id, told, tail)

    def failed(self, invocation: Invocation, outcome: Outcome) -> Outcome:
        """The code could not be imported: all its lines at once; the outcome with its tail."""
        stream, now = self.stream(), self._clock.now()
        error = outcome.error or {}
        kind, text = str(error.get("errorType", "")), str(error.get("errorMessage", ""))
        tail = self.begins(stream, invocation, cold=True)
        told = [f"[ERROR] {kind}: {text}", *map(str, error.get("stackTrace") or ())]
        for line in "\n".join(told).splitlines():
            self.printed(stream, invocation.id, line, tail)
        status = "timeout" if kind == "Sandbox.Timedout" else "error"
        report = lines.init_report(
            self._version, outcome.init_ms, status=status, error_type=kind, now=now
        )
        self._platform(stream, invocation.id, (report,), tail)
        self.ends(stream, invocation, outcome, tail)
        return outcome if tail is None else outcome.but(log_tail=bytes(tail))

    def _platform(self, stream: str, request: str, texts: Iterable[str], tail: Tail | None) -> None:
        """Lines of the platform's own; an empty text is none."""
        shown = [text for text in texts if text]
        if tail is not None:
            for text in shown:
                tail.add(text)
        self._logs.write(*[self._line(stream, request, text, "platform") for text in shown])

    def _line(self, stream: str, request: str, text: str, kind: str) -> ports.Line:
        when_ms = int(self._clock.now() * 1000)
        return ports.Line(self._group, stream, when_ms, text, self._account, kind, request)
