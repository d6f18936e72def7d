"""One page of a group's events: what GetLogEvents and FilterLogEvents answer, without their words.

Events are ordered by time within a page, and by arrival from page to page. Positions travel in
tokens; a page may be short, or empty, when looking for its events cost ``SCAN_BYTES_MAX``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dynimo.logs import layout
from dynimo.logs.layout import Position
from dynimo.logs.reading import Found, Scan, Wanted, end_of

EVENTS_MAX = 10_000
PAGE_BYTES_MAX = 1024 * 1024
EVENT_OVERHEAD_BYTES = 26
"""What each event counts beside its text (CloudWatch Logs API reference, PutLogEvents)."""

SCAN_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events, and the tokens for what comes after and before them; empty when there is no more."""

    events: list[Found]
    forward: str = ""
    backward: str = ""


class InvalidToken(ValueError):
    """A token that no page gave."""


def of_stream(
    folder: Path, wanted: Wanted, *, token: str, from_head: bool, limit: int = EVENTS_MAX
) -> Page:
    """A page of one stream. Its tokens are never empty; one repeats itself where the stream ends.

    Raises:
        InvalidToken: as it says.
    """
    ahead, start = _stream_token(token) if token else (from_head, None)
    if start is None:
        start = layout.START if ahead else end_of(folder)
    scan = Scan(folder, wanted, start=start, backwards=not ahead, bytes_max=SCAN_BYTES_MAX)
    events = _taken(scan, limit, None)[0]
    stopped = scan.position if scan.exhausted else start
    if ahead:
        first, last = (events[0].at, events[-1].after) if events else (start, stopped)
    else:
        first, last = (events[-1].at, events[0].after) if events else (stopped, start)
    events.sort(key=_when)
    return Page(events=events, forward=f"f/{last}", backward=f"b/{first}")


def of_group(
    folder: Path,
    wanted: Wanted,
    *,
    token: str,
    from_head: bool,
    limit: int = EVENTS_MAX,
    match: Callable[[str], bool] | None = None,
) -> Page:
    """A page of a group's events that match; ``forward`` is empty once all were looked at.

    Raises:
        InvalidToken: as it says.
    """
    ahead, start = _stream_token(token) if token else (from_head, None)
    scan = Scan(folder, wanted, start=start, backwards=not ahead, bytes_max=SCAN_BYTES_MAX)
    events, full = _taken(scan, limit, match)
    more = full or scan.exhausted
    events.sort(key=_when, reverse=not ahead)
    return Page(events=events, forward=f"{'fb'[not ahead]}/{scan.position}" if more else "")


def chosen(names: Collection[str], prefix: str) -> Callable[[str], bool] | None:
    """Which streams: those named, those that begin so, or all (None)."""
    if names:
        held = frozenset(names)
        return held.__contains__
    return (lambda stream: stream.startswith(prefix)) if prefix else None


def _taken(scan: Scan, limit: int, match: Callable[[str], bool] | None) -> tuple[list[Found], bool]:
    """The events of one page, and whether it is full."""
    events: list[Found] = []
    size = 0
    for found in scan:
        if match is not None and not match(found.record.text):
            continue
        events.append(found)
        size += len(found.record.text) + EVENT_OVERHEAD_BYTES
        if len(events) >= limit or size >= PAGE_BYTES_MAX:
            return events, True
    return events, False


def _stream_token(token: str) -> tuple[bool, Position]:
    kind, _, text = token.partition("/")
    try:
        if kind not in {"f", "b"}:
            raise ValueError(kind)
        return kind == "f", layout.position(text)
    except ValueError:
        raise InvalidToken(token) from None


def _when(found: Found) -> tuple[int, Position]:
    return found.record.when_ms, found.at
