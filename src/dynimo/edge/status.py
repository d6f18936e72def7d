"""The Cache-Status header (RFC 9211): how a request was handled, for whoever looks. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One cache's account of one request.

    ``forwarded`` is the reason for asking upstream (RFC 9211 2.2), "" for a hit; ``upstream`` the
    status it answered, where that differs from what was sent on; ``ttl`` seconds of freshness left,
    negative once stale.
    """

    forwarded: str = ""
    upstream: int = 0
    stored: bool = False
    collapsed: bool = False
    ttl: int | None = None
    detail: str = ""

    def text(self, name: str) -> str:
        """Return the header's value."""
        parts = [name, f"fwd={self.forwarded}" if self.forwarded else "hit"]
        if self.upstream:
            parts.append(f"fwd-status={self.upstream}")
        if self.ttl is not None:
            parts.append(f"ttl={self.ttl}")
        if self.stored:
            parts.append("stored")
        if self.collapsed:
            parts.append("collapsed")
        if self.detail:
            parts.append(f"detail={self.detail}")
        return "; ".join(parts)
