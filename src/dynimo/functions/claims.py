"""What an environment says of an invocation, read with suspicion. Pure.

A handler holds the channel that its runtime answers on and can write anything there. Times that
cannot be are moved into what can; a shape that no runtime of ours sends breaks the channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dynimo.runtime.wire import WireError

STATUS_MIN, STATUS_MAX = 100, 999
RSS_KIB_MAX = 2**40
ERROR_DEPTH_MAX = 64
"""Objects within objects of an error document; who reads it must not run out of stack."""

Head = tuple[int, tuple[tuple[str, str], ...]]


class Claims(NamedTuple):
    """``started_ns`` is monotonic, 0 if nothing began."""

    started_ns: int
    duration_ns: int
    max_rss_kib: int
    error: dict[str, Any] | None
    reply: Head | None


def read(meta: Mapping[str, Any], *, earliest_ns: int, latest_ns: int) -> Claims:
    """The meta of an ``outcome`` frame; it ran between these two moments.

    Raises:
        WireError: no runtime would say that.
    """
    started, ended = _count(meta, "started_ns"), _count(meta, "ended_ns")
    rss = _count(meta, "max_rss_kib")
    if not started:  # nothing began, so nothing lasted
        ended = 0
    else:
        started = min(max(started, earliest_ns), latest_ns)
        ended = min(max(ended, earliest_ns), latest_ns)
    error, reply = meta.get("error"), meta.get("reply")
    if error is not None and not (isinstance(error, dict) and _shallow(error)):
        raise WireError("an error that is no flat object")
    if reply is not None and not isinstance(reply, dict):
        raise WireError("a reply that is no object")
    known = None if reply is None else head(reply)
    return Claims(started, max(0, ended - started), min(max(0, rss), RSS_KIB_MAX), error, known)


def head(meta: Mapping[str, Any]) -> Head:
    """Status and headers of a ``begin`` frame or of a reply. Raises WireError."""
    status = _count(meta, "status") or 200
    headers = meta.get("headers") or []
    if not STATUS_MIN <= status <= STATUS_MAX or not isinstance(headers, Sequence):
        raise WireError("a head that is none")
    for pair in headers:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_text, pair))):
            raise WireError("a header that is no pair of texts")
    return status, tuple((name.lower(), value) for name, value in headers)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _count(meta: Mapping[str, Any], key: str) -> int:
    value = meta.get(key) or 0
    if type(value) is not int:
        raise WireError(f"{key} is no whole number")
    return value


def _shallow(error: dict[str, Any]) -> bool:
    """Whether nothing in it lies deeper than ``ERROR_DEPTH_MAX``."""
    level: list[Any] = [error]
    for _ in range(ERROR_DEPTH_MAX):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return True
        level = below
    return False
