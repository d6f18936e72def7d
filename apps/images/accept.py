"""Which picture format a client would like, read from its Accept header (RFC 9110, 12.5.1).

Pure. Wildcards do not count: a client that can show AVIF or WebP says so by name, while nearly
everything that cannot still sends ``*/*``.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from functools import lru_cache

OFFERED = {"image/jxl": "jxl", "image/avif": "avif", "image/webp": "webp"}
"""Media types that replace a source's own kind, best first."""
RANGES_MAX = 32
"""Media ranges looked at; a longer list is read to here."""
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


def best(header: str, allowed: Container[str]) -> str | None:
    """Choose one of ``OFFERED`` among ``allowed``; None when the client asks for none of them.

    The higher weight wins, and what comes first in ``OFFERED`` at equal weights. A weight of 0, or
    one that is malformed, means "not this".
    """
    weights = _weights(header)
    liked = [name for name in OFFERED.values() if weights.get(name, 0) > 0 and name in allowed]
    return max(liked, key=lambda name: weights[name]) if liked else None


@lru_cache(maxsize=1_024)
def _weights(header: str) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for media_range in header.split(",")[:RANGES_MAX]:
        media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
        if media_type in OFFERED:
            weights.setdefault(OFFERED[media_type], _weight(parameters))
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _WEIGHT.fullmatch(value.strip()) else 0
    return 1
