"""Who is in which share: a stable hash, the same on every machine and after every start. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_ALL = float(1 << 64)


def per_cent(key: str, salt: str) -> float:
    """Give the place of a key, from 0 to below 100; another salt deals anew."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _ALL * 100


def chosen(weights: Sequence[float], key: str, salt: str) -> int:
    """Give the number of one of several, by their weights."""
    at = per_cent(key, salt) / 100 * sum(weights)
    for number, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return number
    return max(range(len(weights)), key=lambda number: weights[number])
