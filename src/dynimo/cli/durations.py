"""Times as people type them: ``10m``, ``2h``, ``30d``, or a moment in ISO form. Pure."""

from __future__ import annotations

import re
from datetime import datetime

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})([smhdw])")


def since_ms(text: str, now: float) -> int:
    """The moment that ``--since`` means, in epoch milliseconds; ISO without a zone is local time.

    Raises:
        ValueError: it is neither; the message says what would be.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is not None:
        return max(0, int((now - int(found[1]) * _SECONDS[found[2]]) * 1000))
    try:
        return int(datetime.fromisoformat(text.strip()).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; say 10m, 2h, 30d or 2026-01-31T12:00.") from None
