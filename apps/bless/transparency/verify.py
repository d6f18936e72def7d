"""Is this log whole? An export is checked offline, with nothing but the log's public key.

Every record is hashed anew, the tree is built anew, and every head is held against it. Findings
name the record or the head that is wrong. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from transparency import export, tree
from transparency.export import Entry, LineError
from transparency.heads import SignedHead
from transparency.record import RecordError, decoded

FINDINGS_MAX = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``signed`` records are covered by a good head; later ones are not yet."""

    origin: str
    records: int
    heads: int
    signed: int
    findings: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(slots=True)
class _Audit:
    """Where the reading has got to."""

    key: Ed25519PublicKey
    seen: dict[int, list[SignedHead]]
    origin: str = ""
    size: int = 0
    heads: int = 0
    signed: int = 0
    time: int = 0
    whole: bool = True
    edge: list[bytes] = field(default_factory=list)
    serials: dict[int, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def finds(self, text: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(text)

    def record(self, entry: Entry) -> None:
        if entry.number != self.size:
            self._misplaced(entry.number)
        if tree.leaf_hash(entry.body) != entry.hash:
            self.finds(f"record {entry.number} is not what was logged: it does not match its hash")
        else:
            self._contents(entry)
        tree.grown(self.edge, self.size, entry.hash)
        self.size += 1
        self.remembered()

    def _misplaced(self, number: int) -> None:
        what = f"record {self.size} is missing" if number > self.size else f"record {number} again"
        self.finds(f"{what}: record {number} stands in place {self.size}")
        self.whole = False
        if number > self.size:
            self.size, self.edge = number, _unknown(number)

    def _contents(self, entry: Entry) -> None:
        try:
            serial = decoded(entry.body).serial
        except RecordError as error:
            self.finds(f"record {entry.number} is no record: {error}")
            return
        first = self.serials.setdefault(serial, entry.number)
        if first != entry.number:
            self.finds(f"record {entry.number} has the serial of record {first}: {serial}")

    def head(self, signed: SignedHead) -> None:
        head, name = signed.head, f"head {self.heads} (of {signed.head.size} records)"
        self.heads += 1
        if not signed.holds(self.key):
            self.finds(f"{name} is not signed by this key")
            return
        if head.origin != self.origin:
            self.finds(f"{name} is that of another log, {head.origin!r}")
        if head.time < self.time:
            self.finds(f"{name} was signed before the one before it")
        self.time = max(self.time, head.time)
        if head.size != self.size:
            self.finds(f"{name} stands after record {self.size - 1}: records are missing or moved")
            self.whole = False
        elif self._fits(signed, name):
            self.signed = self.size

    def _fits(self, signed: SignedHead, name: str) -> bool:
        """Once something does not fit, no later root can; that is said once."""
        if not self.whole:
            return False
        if tree.root_of(self.edge) == signed.head.root:
            return True
        self.whole = False
        span = f"records {self.signed} to {self.size - 1}"
        if self.size == self.signed:
            span = "the same records"
        self.finds(f"{name} has another root than the records before it: it was signed for"
                   f" other {span}; what follows cannot be judged by its heads")  # fmt: skip
        return False

    def remembered(self) -> None:
        for head in self.seen.pop(self.size, ()):
            self._fits(head, f"the head that you have seen (of {head.head.size} records)")

    def end(self) -> None:
        for size in sorted(self.seen):
            self.finds(f"the log has {self.size} records, but you have seen a head of {size}")


def verify(
    lines: Iterable[bytes], key: Ed25519PublicKey, seen: Sequence[SignedHead] = ()
) -> Report:
    """Check an export (`transparency.export.exported`), line by line.

    Args:
        lines: as bytes, with or without their line feeds.
        key: the log's public key.
        seen: heads that were kept elsewhere. Only they can tell a log that was cut short, or
            written anew by whoever has the log's key.
    """
    audit = _Audit(key, {})
    for head in seen:
        if head.holds(key):
            audit.seen.setdefault(head.head.size, []).append(head)
        else:
            audit.finds(f"the head that you have seen (of {head.head.size}) is not by this key")
    audit.remembered()
    for number, line in enumerate(lines, 1):
        try:
            told = export.read(line.removesuffix(b"\n"))
            if isinstance(told, str) != (number == 1):
                raise LineError("an export begins with its log's name, once")
        except LineError as error:
            audit.finds(f"line {number} of the export is damaged: {error}")
            continue
        if isinstance(told, str):
            audit.origin = told
        elif isinstance(told, Entry):
            audit.record(told)
        else:
            audit.head(told)
    audit.end()
    return Report(audit.origin, audit.size, audit.heads, audit.signed, tuple(audit.findings))


def _unknown(size: int) -> list[bytes]:
    """Stands for subtrees that nobody knows: as many as a tree of this size has."""
    return [bytes(tree.HASH_BYTES)] * size.bit_count()
