"""Every limit of the HTTP server, with its name and its unit. Values only.

A limit that a client can reach is here; nothing in ``web`` waits or buffers without one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one server allows. The defaults suit a server that faces the public."""

    request_line_bytes_max: int = 16 * 1024
    """Method, target and version; more is 414."""

    head_bytes_max: int = 32 * 1024
    """Request line and all header lines; more is 431."""

    headers_max: int = 100
    """Header lines; more is 431."""

    body_bytes_max: int = 8 * 1024 * 1024
    """A request's body, decoded; more is 413."""

    large_body_bytes_max: int = 72 * 1024 * 1024
    """The body of an upload, where the server was told that there may be such; more is 413."""

    large_bodies_max: int = 16
    """Uploads over ``body_bytes_max`` that are read at once; one more is 503."""

    large_body_rate_bytes_min: int = 1024 * 1024
    """Bytes per second under which an upload is too slow."""

    head_timeout_seconds: float = 5.0
    """From a head's first byte to its last, else 408; also for a new connection's first byte."""

    body_timeout_seconds: float = 30.0
    """From the head's end to the body's end, else 408; what has come adds the time that it takes at
    the slowest allowed rate."""

    body_rate_bytes_min: int = 16 * 1024
    """Bytes per second under which a body is too slow."""

    idle_timeout_seconds: float = 75.0
    """How long a kept-alive connection may rest between requests; then it is closed."""

    write_timeout_seconds: float = 10.0
    """How long a full write buffer may stay full, beside what the slowest allowed rate needs."""

    write_rate_bytes_min: int = 16 * 1024
    """Bytes per second under which a reader is too slow and is cut off."""

    write_buffer_bytes_high: int = 256 * 1024
    """Unsent bytes above which no further request of that connection is begun."""

    linger_timeout_seconds: float = 2.0
    """How long to go on reading (and dropping) after an error answer, so that it is not lost."""

    linger_bytes_max: int = 1024 * 1024
    """How many bytes to drop while lingering."""

    connections_max: int = 16_384
    """Connections at once, or what the limit of open files leaves. Over it those that rest longest
    between requests are closed; if none rests, one more is answered 503 and closed."""

    connections_per_address_max: int = 0
    """Connections of one client address at once, with the same rule; 0: no limit of its own, as a
    proxy in front is one address."""

    pipelined_bytes_max: int = 64 * 1024
    """Bytes taken in behind a request in progress; then reading stops."""

    pipelined_requests_max: int = 16
    """Requests of one connection that are served before others get their turn."""

    backlog: int = 1024
    """Connections that the kernel may hold ready for us."""
