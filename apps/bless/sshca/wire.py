"""The wire format of SSH (RFC 4251, section 5): numbers, strings, and a reader that is strict.

Bytes only. What a string means is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable

UINT32_MAX = 0xFFFF_FFFF
UINT64_MAX = 0xFFFF_FFFF_FFFF_FFFF


class WireError(ValueError):
    """The bytes are not what the format says."""


def u32(number: int) -> bytes:
    """A 32-bit unsigned number. Raises OverflowError."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """A 64-bit unsigned number. Raises OverflowError."""
    return number.to_bytes(8, "big")


def string(data: bytes) -> bytes:
    """A length, and then so many bytes."""
    return len(data).to_bytes(4, "big") + data


def strings(items: Iterable[bytes]) -> bytes:
    """Several strings, one after the other, as principals are packed."""
    return b"".join(string(each) for each in items)


def mpint(number: int) -> bytes:
    """A whole number, not negative, in as few bytes as its sign allows."""
    if number < 0:
        raise WireError("a negative number has no place in a key or signature")
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


class Reader:
    """Takes one field after the other; what is left over can be asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at(self) -> int:
        """How many bytes were read."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """So many bytes. Raises WireError when there are fewer."""
        if count > self.left:
            raise WireError(f"{count} bytes are announced, {self.left} are there")
        self._at += count
        return self._data[self._at - count : self._at]

    def u32(self) -> int:
        """Raises WireError."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Raises WireError."""
        return int.from_bytes(self.take(8), "big")

    def string(self) -> bytes:
        """Raises WireError."""
        data, at = self._data, self._at + 4
        end = at + int.from_bytes(data[at - 4 : at], "big")
        if end > len(data) or at > len(data):  # said in words by the ways that are for one thing
            return self.take(self.u32())
        self._at = end
        return data[at:end]

    def mpint(self) -> int:
        """A number in its shortest form, not negative. Raises WireError for any other."""
        data = self.string()
        number = int.from_bytes(data, "big", signed=True)
        if number < 0 or string(data) != mpint(number):
            raise WireError("a number is negative or longer than it need be")
        return number

    def strings(self) -> tuple[bytes, ...]:
        """Every string up to the end. Raises WireError."""
        found = []
        while self.left:
            found.append(self.string())
        return tuple(found)

    def end(self) -> None:
        """Raise WireError when anything is left over."""
        if self.left:
            raise WireError(f"{self.left} bytes are left over")
