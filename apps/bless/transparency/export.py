"""The whole log as lines of JSON, for auditors: records in order, each head after what it covers.

    {"log":ORIGIN}
    {"index":0,"hash":HEX,"record":{...}}
    {"head":{...}}

The bytes of ``record`` are exactly what was hashed. How lines are read is here too, and strict;
what they are worth is judged in ``verify``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transparency import heads
from transparency.heads import SignedHead
from transparency.record import RECORD_BYTES_MAX
from transparency.store import Store

LINE_BYTES_MAX = RECORD_BYTES_MAX + 256
_RECORD = re.compile(rb'\{"index":(0|[1-9][0-9]{0,17}),"hash":"([0-9a-f]{64})","record":(.+)\}')
_HEAD = re.compile(rb'\{"head":(.+)\}')
_FIRST = re.compile(rb'\{"log":(".+")\}')


class LineError(ValueError):
    """A line of an export that is none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record's line."""

    number: int
    hash: bytes
    body: bytes


def exported(path: Path, origin: str, begin: int = 0, count: int | None = None) -> Iterator[bytes]:
    """Every line, each with its line feed. Records that come in meanwhile are left out.

    Or a part of them: ``count`` records from number ``begin`` on, and the heads that end among
    them. All parts together are the whole.

    Raises:
        StoreError: the file cannot be read.
    """
    store = Store(path, origin)
    try:
        told = [heads.read(line) for line in store.heads()]
        size = store.size()
        end, at = size if count is None else min(size, begin + count), begin
        if begin == 0:
            yield b'{"log":%s}\n' % json.dumps(origin, ensure_ascii=False).encode()
        for head in told:
            if not (begin < head.head.size <= end or head.head.size == begin == 0):
                continue
            yield from _records(store, at, head.head.size)
            at = max(at, head.head.size)
            yield b'{"head":%s}\n' % head.line().encode()
        yield from _records(store, at, end)
    finally:
        store.close()


def _records(store: Store, begin: int, end: int) -> Iterator[bytes]:
    for number, body, found in store.records(begin, end):
        yield b'{"index":%d,"hash":"%s","record":%s}\n' % (number, found.hex().encode(), body)


def read(line: bytes) -> str | Entry | SignedHead:
    """A line, without its line feed: the log's origin, a record or a head. Raises LineError."""
    if len(line) > LINE_BYTES_MAX:
        raise LineError(f"a line has at most {LINE_BYTES_MAX} bytes")
    if found := _RECORD.fullmatch(line):
        return Entry(int(found[1]), bytes.fromhex(found[2].decode()), found[3])
    try:
        if found := _HEAD.fullmatch(line):
            return heads.read(found[1].decode())
        if found := _FIRST.fullmatch(line):
            return str(json.loads(found[1]))
    except ValueError as error:
        raise LineError(str(error) if isinstance(error, heads.HeadError) else "no JSON") from None
    raise LineError("it is neither a record nor a head")
