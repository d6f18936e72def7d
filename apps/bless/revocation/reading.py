"""Reads a list's bytes strictly (PROTOCOL.krl). What cannot be understood whole is refused.

A list that is read by half would let in what it revokes; so unknown sections, critical extensions
and embedded signatures (OpenSSH dropped them) are errors, as are bytes that are left over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from revocation import writing
from revocation.krl import EVERY_CA, Certificates, Krl
from revocation.serials import SERIAL_MAX, Range, merged, runs, unpacked
from revocation.writing import HASH_BYTES
from sshca.public_key import KeyLineError, from_blob
from sshca.wire import Reader, WireError

KRL_BYTES_MAX = 64 * 1024 * 1024
BITMAP_BYTES_MAX = (1 << 24) // 8 + 1
"""OpenSSH makes none that is longer."""
RANGES_MAX = 2_000_000
"""Of serials, in a whole list: what a bitmap of every other number would fill memory with."""


class KrlError(ValueError):
    """The bytes are no key revocation list that is wholly understood."""


@dataclass(slots=True)
class _Found:
    certificates: dict[bytes, tuple[list[Range], set[bytes]]] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)
    hashes: dict[int, set[bytes]] = field(
        default_factory=lambda: {each: set() for each in HASH_BYTES}
    )
    ranges: int = 0

    def section(self, kind: int, data: bytes) -> None:
        if kind == writing.CERTIFICATES:
            self._certificates(Reader(data))
        elif kind == writing.KEYS:
            self.keys.update(_blob(each) for each in Reader(data).strings())
        elif kind in HASH_BYTES:
            for each in Reader(data).strings():
                if len(each) != HASH_BYTES[kind]:
                    raise KrlError("a fingerprint is of another length than its kind")
                self.hashes[kind].add(each)
        elif kind == writing.EXTENSION:
            _extension(data)
        elif kind == writing.SIGNATURE:
            raise KrlError("it has a signature within it, which OpenSSH no longer takes")
        else:
            raise KrlError(f"a section of unknown kind {kind}")

    def _certificates(self, reader: Reader) -> None:
        ca = reader.string()
        if ca != EVERY_CA:
            _blob(ca)
        reader.string()  # reserved
        ranges, key_ids = self.certificates.setdefault(ca, ([], set()))
        while reader.left:
            kind, data = reader.take(1)[0], reader.string()
            if kind == writing.KEY_ID:
                key_ids.update(map(_text, Reader(data).strings()))
            elif kind == writing.CERTIFICATE_EXTENSION:
                _extension(data)
            else:
                told = _serials(kind, data, RANGES_MAX - self.ranges)
                self.ranges += len(told)
                ranges += told


def read(data: bytes) -> Krl:
    """Read a list.

    Raises:
        KrlError: it is none, or not one that is understood to its end.
    """
    if len(data) > KRL_BYTES_MAX:
        raise KrlError(f"a KRL has at most {KRL_BYTES_MAX} bytes")
    reader, found = Reader(data), _Found()
    try:
        if reader.take(len(writing.MAGIC)) != writing.MAGIC:
            raise KrlError("it does not begin as a KRL does")
        if reader.u32() != writing.FORMAT:
            raise KrlError("a KRL of another format than 1")
        version, generated, _flags = reader.u64(), reader.u64(), reader.u64()
        reader.string()  # reserved
        comment = _text(reader.string()).decode()
        while reader.left:
            found.section(reader.take(1)[0], reader.string())
        certificates = {
            ca: Certificates(merged(ranges), frozenset(key_ids))
            for ca, (ranges, key_ids) in found.certificates.items()
        }
    except (WireError, KeyLineError, UnicodeDecodeError, OverflowError) as error:
        raise KrlError(f"the KRL is damaged: {error}") from None
    return Krl(
        version, generated, comment, certificates, frozenset(found.keys),
        frozenset(found.hashes[writing.SHA1]), frozenset(found.hashes[writing.SHA256]),
    )  # fmt: skip


def _serials(kind: int, data: bytes, most: int) -> list[Range]:
    reader = Reader(data)
    if kind == writing.SERIAL_LIST:
        if len(data) % 8:
            raise KrlError("a list of serials ends within one")
        _count(len(data) // 8, most)
        found = [(each, each) for (each,) in struct.iter_unpack(">Q", data)]
    elif kind == writing.SERIAL_RANGE:
        _count(1, most)
        found = [(reader.u64(), reader.u64())]
        reader.end()
    elif kind == writing.SERIAL_BITMAP:
        offset = reader.u64()
        if reader.left > BITMAP_BYTES_MAX + 4:
            raise KrlError(f"a bitmap has at most {BITMAP_BYTES_MAX} bytes")
        bits = reader.mpint()
        reader.end()
        _count(runs(bits), most)
        found = unpacked(offset, bits)
    else:
        raise KrlError(f"a section of certificates of unknown kind {kind}")
    if not all(low <= high <= SERIAL_MAX for low, high in found):
        raise KrlError("a range of serials that is none")
    # Zero revokes nothing (OpenSSH), so it is left out.
    return [(max(low, 1), high) for low, high in found if high]


def _count(ranges: int, most: int) -> None:
    """Before they are made. Raises KrlError."""
    if ranges > most:
        raise KrlError(f"more than {RANGES_MAX} ranges of serials")


def _extension(data: bytes) -> None:
    """An extension is known by name; none is known here. Raises KrlError for a critical one."""
    reader = Reader(data)
    name, critical = reader.string(), reader.take(1)[0]
    reader.string()
    reader.end()
    if critical:
        raise KrlError(f"a critical extension that is not known: {name[:64]!r}")


def _text(data: bytes) -> bytes:
    """As OpenSSH's strings are: one that seems to end before its end is refused."""
    if b"\0" in data:
        raise KrlError("a text with a NUL in it")
    return data


def _blob(data: bytes) -> bytes:
    """A key of a known kind. Raises KeyLineError."""
    return from_blob(data).blob
