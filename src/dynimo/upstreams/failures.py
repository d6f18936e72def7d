"""How asking an upstream fails, and the answer that a client is given then. No I/O."""

from __future__ import annotations

from dynimo.web import faults, message

SECONDS_TO_RETRY = 1

UNREACHABLE_HEADER = "dynimo-unreachable"
"""Tells whoever is in front (the edge) that no upstream said this; it never leaves the platform."""


class UpstreamError(Exception):
    """An upstream gave no answer. ``status`` is what the client is told.

    ``sent`` says whether the upstream may have seen the request: if not, anything may be asked
    again elsewhere; if so, only what is idempotent (RFC 9110 section 9.2.2).
    """

    status = 502
    code = "BadUpstream"

    def __init__(self, text: str, *, sent: bool = True) -> None:
        super().__init__(text)
        self.sent = sent

    def response(self) -> message.Response:
        """Return the small JSON answer, not to be stored."""
        answer = faults.refusal(self.status, self.code, str(self))
        answer.headers.add(UNREACHABLE_HEADER, self.code)
        if self.status == 503:
            answer.headers.add("retry-after", str(SECONDS_TO_RETRY))
        return answer


class Unreachable(UpstreamError):
    """No connection could be made."""

    code = "UpstreamUnreachable"


class Broken(UpstreamError):
    """It closed too early, or what it sent is not valid HTTP/1.x."""


class TimedOut(UpstreamError):
    """It took too long."""

    status = 504
    code = "UpstreamTimeout"


class Full(UpstreamError):
    """Too many requests wait for a connection to it already."""

    status = 503
    code = "UpstreamBusy"
