"""A small memory of which keys the disk may hold, so that a sure miss costs no look-up. Pure.

A Bloom filter: it never denies a key that was added, and rarely (about 1 in 400 at a million keys)
admits one that was not. Keys cannot be taken out; what was evicted merely costs a look-up. It can
be kept in a file, so that the next start need not go through all keys.
"""

from __future__ import annotations

from hashlib import blake2b

_MAGIC = b"dynimo-presence-1"

SIZE_BITS = 1 << 24
PROBES = 4


class Presence:
    """Two MiB that remember keys. ``complete`` is set once all that is on disk was added."""

    def __init__(self) -> None:
        self.complete = False
        self._bits = bytearray(SIZE_BITS // 8)

    def add(self, key: str) -> None:
        """Remember a key."""
        for probe in _probes(key):
            self._bits[probe >> 3] |= 1 << (probe & 7)

    def denies(self, key: str) -> bool:
        """Whether a key was surely never added; never true before ``complete``."""
        if not self.complete:
            return False
        return any(not self._bits[probe >> 3] & 1 << (probe & 7) for probe in _probes(key))

    def dump(self, known: tuple[int, int]) -> bytes:
        """Return it as bytes that ``load`` reads; ``known`` are the rows up to which it knows."""
        body = b"".join(number.to_bytes(8) for number in known) + bytes(self._bits)
        return _MAGIC + blake2b(body).digest() + body

    def load(self, data: bytes) -> tuple[int, int]:
        """Take over what was dumped; return the rows it knows, zeros if it cannot be read."""
        body = data[len(_MAGIC) + 64 :]
        if not data.startswith(_MAGIC) or len(body) != 16 + SIZE_BITS // 8:
            return 0, 0
        if blake2b(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 64]:
            return 0, 0
        self._bits[:] = body[16:]
        return int.from_bytes(body[:8]), int.from_bytes(body[8:16])


def _probes(key: str) -> tuple[int, ...]:
    """Positions of a key's bits: four numbers of 24 bits from one hash."""
    number = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).digest())
    return tuple((number >> 24 * place) % SIZE_BITS for place in range(PROBES))
