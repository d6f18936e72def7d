"""The log: appends records durably, many with one fsync, signs heads, and gives proofs.

Who appends gets a number only when the record is on the disk. Threads that append at the same time
share a transaction: the first to come commits for all who wait. The next state of the tree is
computed from the file, never from memory alone, so that several processes may append.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

from transparency import heads, tree
from transparency.heads import Head, HeadSigner, SignedHead
from transparency.record import Record
from transparency.store import Claim, Store, StoreError

BATCH_RECORDS_MAX = 4096
T = TypeVar("T")


class SerialTakenError(Exception):
    """Another record has this serial already; nothing was recorded. Draw another."""


class LogBrokenError(Exception):
    """The file is not what was signed earlier; nothing more is signed. Verify an export of it."""


class Taken(Enum):
    """Why something was not recorded: another has its serial, or what may be used once was used."""

    SERIAL = "serial"
    CLAIM = "claim"


class Entry(NamedTuple):
    """A record and the claims that let it in; without a record, the claims alone are kept."""

    record: Record | None
    claims: tuple[Claim, ...] = ()


@dataclass(slots=True)
class _Waiting:
    """Somebody's record on its way to the disk."""

    serial: int
    body: bytes | None
    claims: tuple[Claim, ...]
    number: int | Taken = Taken.SERIAL
    failed: StoreError | None = None
    done: bool = False


class Log:
    """An append-only log in one file. For any number of threads; open it after a fork."""

    def __init__(self, path: Path, origin: str) -> None:
        """Open or make the log that is called ``origin``. Raises StoreError."""
        self.origin = origin
        self._writer, self._reader = Store(path, origin), Store(path, origin)
        self._process = os.getpid()
        self._queue: list[_Waiting] = []
        self._queueing, self._committing, self._reading = Lock(), Lock(), Lock()
        self._size, self._edge = -1, list[bytes]()

    def close(self) -> None:
        """Wait for the commit that is under way."""
        with self._committing, self._reading:
            self._writer.close()
            self._reader.close()

    def append(self, record: Record) -> int:
        """Record it; return its number once it is on the disk.

        Raises:
            RecordError: it cannot be written.
            SerialTakenError: another has its serial.
            StoreError: the store is down. Then nothing may be issued.
        """
        number = self.append_all([record])[0]
        if number is None:
            raise SerialTakenError(f"serial {record.serial} is taken")
        return number

    def append_all(self, records: Sequence[Record]) -> list[int | None]:
        """Record several with one fsync; None stands for those whose serial is taken.

        Raises:
            RecordError: one of them cannot be written; none is recorded.
            StoreError: the store is down; none counts as recorded.
        """
        entered = self.enter([Entry(each) for each in records])
        return [None if isinstance(each, Taken) else each for each in entered]

    def enter(self, entries: Sequence[Entry]) -> list[int | Taken]:
        """Record several, each with its claims, with one fsync.

        A record is there if and only if its claims are: of two that claim the same, one comes in.
        The number of an entry without a record means nothing. Raises as `append_all`.
        """
        self._check_process()
        mine = [
            _Waiting(each.record.serial, each.record.encoded(), each.claims)
            if each.record else _Waiting(0, None, each.claims)
            for each in entries
        ]  # fmt: skip
        with self._queueing:
            self._queue += mine
        for each in mine:
            while not each.done:
                with self._committing:
                    if not each.done:
                        self._commit(self._taken())
            if each.failed is not None:
                raise StoreError(str(each.failed)) from each.failed
        return [each.number for each in mine]

    def forget(self, until: int) -> None:
        """Forget claims that ended before this; what would end earlier is no longer let in.

        So a clock that goes back lets nothing be used again. Raises StoreError.
        """
        self._check_process()
        with self._committing, self._writer.writing():
            if until > self._writer.forgotten():
                self._writer.forget(until)

    def _taken(self) -> list[_Waiting]:
        with self._queueing:
            batch = self._queue[:BATCH_RECORDS_MAX]
            del self._queue[:BATCH_RECORDS_MAX]
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        """One transaction; afterwards everybody in it is done, one way or the other."""
        failed = StoreError("The audit log was interrupted, so nothing is issued: ask again.")
        numbers: list[int | Taken] = []
        try:
            with self._writer.writing():
                numbers, size, edge = self._written(batch)
            self._size, self._edge = size, edge
        except BaseException as error:
            for each in batch:
                each.failed = error if isinstance(error, StoreError) else failed
            if not isinstance(error, StoreError):
                raise
        else:
            for each, number in zip(batch, numbers, strict=True):
                each.number = number
        finally:
            for each in batch:
                each.done = True

    def _written(self, batch: list[_Waiting]) -> tuple[list[int | Taken], int, list[bytes]]:
        """Write a batch: the numbers, and size and edge of the tree after it."""
        store = self._writer
        size = store.size()
        edge = self._edge[:] if size == self._size else tree.edge_of(store.node, size)
        forgotten = store.forgotten() if any(each.claims for each in batch) else 0
        numbers = self._all_written(batch, size, forgotten)
        if numbers is None:
            numbers = self._each_written(batch, size, forgotten)
        nodes: list[tuple[int, int, bytes]] = []
        for each, number in zip(batch, numbers, strict=True):
            if each.body is not None and not isinstance(number, Taken):
                nodes += tree.grown(edge, size, tree.leaf_hash(each.body))
                size += 1
        store.put_nodes(nodes)
        return numbers, size, edge

    def _all_written(
        self, batch: list[_Waiting], size: int, forgotten: int
    ) -> list[int | Taken] | None:
        """As nearly always, when nothing is taken; None when something is."""
        claims = [claim for each in batch for claim in each.claims]
        known = any(claim[1] < forgotten for claim in claims)
        if known or len({claim[0] for claim in claims}) != len(claims):
            return None
        rows, numbers = list[tuple[int, int, bytes]](), list[int | Taken]()
        for each in batch:
            numbers.append(size + len(rows))
            if each.body is not None:
                rows.append((size + len(rows), each.serial, each.body))
        if self._writer.claimed(claims) or not self._writer.put_records(rows):
            return None
        self._writer.put_claims(claims)
        return numbers

    def _each_written(self, batch: list[_Waiting], size: int, forgotten: int) -> list[int | Taken]:
        """One after the other: who comes first has it."""
        store, numbers = self._writer, list[int | Taken]()
        for each in batch:
            if any(claim[1] < forgotten for claim in each.claims) or store.claimed(each.claims):
                numbers.append(Taken.CLAIM)
                continue
            if each.body is not None and not store.put_record(size, each.serial, each.body):
                numbers.append(Taken.SERIAL)
                continue
            store.put_claims(each.claims)
            numbers.append(size)
            size += each.body is not None
        return numbers

    def sign_head(self, signer: HeadSigner, now_milliseconds: int) -> SignedHead:
        """Sign how the log is now, and keep the head.

        The time of a head is never before that of the one before it. If another process signed
        for more records meanwhile, its head is returned.

        Raises:
            LogBrokenError: the log does not continue the head that was signed last.
            StoreError, HeadError: it cannot be read, kept or signed.
        """
        self._check_process()
        with self._reading:
            last = self._last(self._reader)
            size = self._reader.size()
            self._check_continues(last, size)
            root = tree.root_of(tree.edge_of(self._reader.node, size))
        time = max(now_milliseconds, last.head.time if last else 0)
        head = heads.signed(Head(self.origin, size, root, time), signer)
        with self._committing, self._writer.writing():
            newest = self._last(self._writer)
            if newest and (newest.head.size > size or newest.head.time > time):
                return newest
            self._writer.put_head(size, head.line())
        return head

    def _check_continues(self, last: SignedHead | None, size: int) -> None:
        if last is None:
            return
        if last.head.size > size:
            raise LogBrokenError(
                f"The audit log has {size} records, but {last.head.size} were signed for."
            )
        if tree.root_of(tree.edge_of(self._reader.node, last.head.size)) != last.head.root:
            raise LogBrokenError(
                f"The first {last.head.size} records of the audit log are not those signed for."
            )

    def head(self) -> SignedHead | None:
        """The head that was signed last."""
        return self._read(self._last)

    def size(self) -> int:
        """How many records there are, signed for or not."""
        return self._read(Store.size)

    def record(self, number: int) -> bytes:
        """A record's canonical bytes. Raises StoreError when there is none."""
        return self._read(lambda store: store.record(number))

    def number_of(self, serial: int) -> int | None:
        """Which record has this serial."""
        return self._read(lambda store: store.number_of(serial))

    def inclusion(self, number: int, size: int) -> list[bytes]:
        """The proof that record ``number`` is in the log of ``size``. Raises ValueError."""
        return self._proof(size, lambda store: tree.inclusion(store.node, number, size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of ``old`` is the beginning of that of ``new``. ValueError."""
        return self._proof(new, lambda store: tree.consistency(store.node, old, new))

    def _proof(self, size: int, made: Callable[[Store], list[bytes]]) -> list[bytes]:
        def checked(store: Store) -> list[bytes]:
            there = store.size()
            if size > there:
                raise ValueError(f"the log has {there} records, not {size}")
            return made(store)

        return self._read(checked)

    def _read(self, told: Callable[[Store], T]) -> T:
        self._check_process()
        with self._reading:
            return told(self._reader)

    def _last(self, store: Store) -> SignedHead | None:
        line = store.last_head()
        return None if line is None else heads.read(line)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError("The audit log was opened before a fork: open it in each process.")
