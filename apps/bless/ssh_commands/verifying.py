"""Checks a log offline, or the CA's as it is now, and a certificate's place in it.

Everything is computed here from records and heads; the CA is believed in nothing but its key, and
in that only the first time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls, exporting, options, printing, seen
from ssh_commands.options import FAILED, NOT_FOUND, OK, USAGE
from transparency import checking, export, heads, tree
from transparency.export import LineError
from transparency.heads import HeadError, SignedHead
from transparency.record import RecordError, decoded
from transparency.verify import Report
from transparency.verify import verify as verified

if TYPE_CHECKING:
    from ssh_commands.seen import Seen


class _Kept:
    """Lets lines pass, and keeps the name of the log and its newest head."""

    def __init__(self) -> None:
        self.origin = ""
        self.head: SignedHead | None = None

    def passing(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if line.startswith(b'{"head":'):
                self._head(line)
            yield line

    def _head(self, line: bytes) -> None:
        try:
            told = export.read(line.removesuffix(b"\n"))
        except LineError:
            return
        if isinstance(told, SignedHead):
            self.head = told


def verify(typed: argparse.Namespace) -> int:
    """Check an export, or the log as it is; what was good is remembered."""
    if bool(typed.file) == typed.live:
        raise CommandError("say which: FILE, an export, or --live", USAGE)
    path = typed.seen or seen.default_path()
    known = seen.load(path)
    kept = _Kept()
    with _lines(typed) as lines:
        first = next(lines, b"")
        origin = _origin(first)
        line = key_line(typed, known.get(origin), origin)
        before = known.get(origin)
        remembered = [before.head] if before and before.head else []
        report = verified(kept.passing(_again(first, lines)), _key(line), remembered)
    if report.good:
        seen.remember(path, origin, line, kept.head or (before.head if before else None))
    _say(typed, report)
    return OK if report.good else FAILED


def _say(typed: argparse.Namespace, report: Report) -> None:
    if typed.as_json:
        printing.say_json({
            "good": report.good, "origin": report.origin, "records": report.records,
            "heads": report.heads, "signed": report.signed, "findings": list(report.findings),
        })  # fmt: skip
        return
    for each in report.findings:
        printing.say(printing.printable(each))
    later = report.records - report.signed
    told = f"{report.origin}: {report.records} records, signed heads: {report.heads}"
    if later:
        told += f"; the last {later} are not yet signed for (`dynimo ssh audit sign`)"
    printing.say(f"{told}: {printing.strong('whole' if report.good else 'NOT WHOLE')}")


@contextmanager
def _lines(typed: argparse.Namespace) -> Iterator[Iterator[bytes]]:
    if typed.live:
        ca_calls.call(typed, "audit", what="sign")  # so that a head covers all that there is
        yield iter(exporting.lines(typed))
    elif typed.file == "-":
        yield iter(sys.stdin.buffer)
    else:
        try:
            with Path(typed.file).open("rb") as file:
                yield iter(file)
        except FileNotFoundError:
            raise CommandError(f"there is no file {typed.file}", NOT_FOUND) from None


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _origin(line: bytes) -> str:
    try:
        told = export.read(line.removesuffix(b"\n"))
    except LineError as error:
        raise CommandError(f"that is no export of a log: {error}", FAILED) from None
    if not isinstance(told, str):
        raise CommandError("that is no export of a log: it does not begin with its name", FAILED)
    return told


def key_line(typed: argparse.Namespace, known: Seen | None, origin: str) -> str:
    """The line of the log's key: as named, as seen before, or as the CA says the first time.

    Raises:
        CommandError: there is none, or it is not the one that was seen before.
    """
    named = getattr(typed, "key", None)
    if named or known:
        line = options.content(named).strip() if named else known.key if known else ""
        if known and line.split()[:2] != known.key.split()[:2]:
            text = f"the log {origin} had another key when it was seen before"
            raise CommandError(f"{text}; if you know why, name another file by --seen", FAILED)
        return line
    if not getattr(typed, "live", True):
        raise CommandError("name the log's key: --key FILE (from `dynimo ssh init`)", USAGE)
    line = str(exporting.head(typed)["key"])
    printing.hint(f"The log {origin} is seen for the first time; its key is taken as it is: {line}")
    return line


def _key(line: str) -> Ed25519PublicKey:
    try:
        key = load_ssh_public_key(line.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise CommandError("the log's key is no ssh-ed25519 line", USAGE)
    return key


def prove(typed: argparse.Namespace) -> int:
    """Check that a certificate's record is in the log that a signed head says, and show it.

    Everything is reckoned from the record's own bytes, so an answer that is made up does not hold.
    """
    signed = ca_calls.call(typed, "audit", what="sign")
    head = _head(signed["head"])
    told = ca_calls.call(
        typed, "audit", what="inclusion", serial=str(typed.serial), size=head.head.size
    )
    path = typed.seen or seen.default_path()
    key = _key(key_line(typed, seen.load(path).get(head.head.origin), head.head.origin))
    body = str(told["body"]).encode()
    good = (
        head.holds(key)
        and _serial(body) == typed.serial
        and checking.included(
            tree.leaf_hash(body),
            int(told["record"]),
            head.head.size,
            [bytes.fromhex(each) for each in told["proof"]],
            head.head.root,
        )
    )
    if typed.as_json:
        printing.say_json({**told, "head": signed["head"], "good": good})
    elif good:
        printing.say(f"Record {told['record']} of {head.head.size} in {head.head.origin}:")
        printing.say(printing.printable(body.decode()))
    if not good:
        raise CommandError("the proof does not hold: the log is not what it says", FAILED)
    return OK


def _serial(body: bytes) -> int:
    try:
        return decoded(body).serial
    except RecordError:
        return 0


def _head(told: Any) -> SignedHead:
    """A head that the CA gave. Raises CommandError."""
    try:
        return heads.read(str(told))
    except HeadError as error:
        raise CommandError(f"the CA gave no head: {error}", FAILED) from None
