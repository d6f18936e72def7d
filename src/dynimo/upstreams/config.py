"""Every limit of asking one upstream, with its name and its unit. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one upstream is allowed to cost."""

    connections_max: int = 256
    """Connections at once, idle ones included; more requests wait."""

    waiting_max: int = 4096
    """Requests that wait for a connection; one more is answered 503."""

    wait_seconds: float = 10.0
    """How long a request waits for a connection; then 503."""

    connect_seconds: float = 5.0
    """From the first packet to a connection (with TLS, its handshake too); then 504."""

    head_seconds: float = 60.0
    """From the request to the end of the answer's head; then 504."""

    silence_seconds: float = 30.0
    """How long a body may bring nothing; then the answer breaks off."""

    idle_seconds: float = 4.0
    """How long a connection is kept for the next request: shorter than servers keep it."""

    idle_connections_max: int = 64
    """Connections kept so."""

    head_bytes_max: int = 64 * 1024
    """Status line and header lines of an answer; more is 502."""

    headers_max: int = 200
    """Header lines of an answer; more is 502."""

    informational_max: int = 16
    """Answers of the 1xx kind before the one that counts; more is 502."""

    body_bytes_max: int = 16 * 1024 * 1024 * 1024
    """A body; where it is longer, the answer breaks off."""

    unread_bytes_max: int = 256 * 1024
    """Bytes of a body that wait to be taken; then the upstream is held back."""

    keep_host: bool = False
    """Whether the upstream is told the client's Host; else it is told its own."""

    name: str = "dynimo"
    """What this server calls itself in Via."""
