"""A whole answer as it goes out, from values or as it was prepared. Bytes; nothing is sent here."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dynimo.web import faults, message, writing

_log = logging.getLogger("dynimo.web")


def encoded(
    request: message.Request, response: message.Response, date: Callable[[], str], extra: bytes
) -> tuple[bytes, bytes]:
    """Return head and body; ``extra`` is whole further header lines.

    An answer whose headers cannot be sent becomes a 500.
    """
    if type(response) is message.Prepared:
        head = response.head if not extra else response.head[:-2] + extra + b"\r\n"
        bare = request.method == "HEAD" or writing.bodiless(response.status)
        return head, b"" if bare else response.body
    more = extra.decode("ascii")
    try:
        return writing.encode(request.method, response, date(), extra=more)
    except writing.UnsafeHeader as error:
        _log.error("Answer refused: %s: %s %s", error, request.method, request.path)
        safe = faults.refusal(500, "InternalError", "The answer's headers were not valid.")
        return writing.encode(request.method, safe, date(), extra=more)
