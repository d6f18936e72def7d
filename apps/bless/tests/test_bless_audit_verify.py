"""The offline verifier: says which record or head is wrong; and records and heads have one form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit_records import KEY, ORIGIN, record
from transparency import export, heads, tree
from transparency.heads import Head, HeadError
from transparency.log import Log
from transparency.record import RecordError, decoded
from transparency.verify import verify

PUBLIC = KEY.public_key()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """An export of 20 records with heads after 6, 12 and 18: lines 7, 14 and 21."""
    path = tmp_path_factory.mktemp("log") / "audit.db"
    log = Log(path, ORIGIN)
    for begin in (1, 7, 13):
        log.append_all([record(serial) for serial in range(begin, begin + 6)])
        log.sign_head(KEY, begin)
    log.append_all([record(19), record(20)])
    log.close()
    return list(export.exported(path, ORIGIN))


def _rehashed(line: bytes, old: bytes, new: bytes) -> bytes:
    """A record changed by somebody who also puts its new hash beside it."""
    entry = export.read(line.rstrip().replace(old, new))
    assert isinstance(entry, export.Entry)
    found = tree.leaf_hash(entry.body)
    return line.replace(old, new).replace(entry.hash.hex().encode(), found.hex().encode())


def _resigned(line: bytes, key: Ed25519PrivateKey, **changes: object) -> bytes:
    told = export.read(line.rstrip())
    assert isinstance(told, heads.SignedHead)
    again = heads.signed(replace(told.head, **changes), key)  # type: ignore[arg-type]
    return b'{"head":%s}\n' % again.line().encode()


def test_a_whole_log_is_good(lines: list[bytes]) -> None:
    """How much there is, and how much of it is signed for."""
    report = verify(lines, PUBLIC)

    assert report.good
    assert (report.origin, report.records, report.heads, report.signed) == (ORIGIN, 20, 3, 18)


BENT: list[tuple[str, Callable[[list[bytes]], object], list[str]]] = [
    (
        "a record is changed",
        lambda told: told.__setitem__(9, told[9].replace(b'"alice"', b'"mallo"')),
        ["record 7 is not what was logged"],
    ),
    (
        "a record is changed, and its hash too",
        lambda told: told.__setitem__(9, _rehashed(told[9], b'"alice"', b'"mallo"')),
        [("head 1 (of 12 records) has another root than the records before it: it was signed for"
          " other records 6 to 11")],
    ),
    ("a record is removed", lambda told: told.__delitem__(9), ["record 7 is missing"]),
    (
        "two records change places",
        lambda told: told.__setitem__(slice(9, 11), [told[10], told[9]]),
        ["record 7 is missing: record 8 stands in place 7"],
    ),
    (
        "a record is there twice",
        lambda told: told.insert(9, told[8]),
        ["record 6 again: record 6 stands in place 7"],
    ),
    (
        "a head is by another key",
        lambda told: told.__setitem__(14, _resigned(told[14], OTHER)),
        ["head 1 (of 12 records) is not signed by this key"],
    ),
    (
        "a head's root is changed",
        lambda told: told.__setitem__(14, told[14].replace(b'"root":"', b'"root":"00', 1)),
        ["line 15 of the export is damaged"],
    ),
    (
        "the log signed another tree",
        lambda told: told.__setitem__(14, _resigned(told[14], KEY, root=bytes(32))),
        ["head 1 (of 12 records) has another root"],
    ),
    (
        "a head goes back in time",
        lambda told: told.__setitem__(14, _resigned(told[14], KEY, time=0)),
        ["head 1 (of 12 records) was signed before the one before it"],
    ),
    (
        "a head of another log",
        lambda told: told.__setitem__(14, _resigned(told[14], KEY, origin="other")),
        ["head 1 (of 12 records) is that of another log"],
    ),
    (
        "a head stands elsewhere",
        lambda told: told.__setitem__(slice(14, 16), [told[15], told[14]]),
        ["head 1 (of 12 records) stands after record 12"],
    ),
    (
        "a serial is used twice",
        lambda told: told.__setitem__(20, _rehashed(told[20], b'"serial":"18"', b'"serial":"3"')),
        ["record 17 has the serial of record 2: 3"],
    ),
    (
        "a line is damaged",
        lambda told: told.__setitem__(3, told[3][:50]),
        ["line 4 of the export is damaged"],
    ),
    ("the name is missing", lambda told: told.__delitem__(0), ["line 1 of the export is damaged"]),
]  # fmt: skip


@pytest.mark.parametrize(("bend", "found"), [each[1:] for each in BENT], ids=[b[0] for b in BENT])
def test_what_is_wrong_is_named(
    lines: list[bytes], bend: Callable[[list[bytes]], object], found: list[str]
) -> None:
    """The record or the head, by its number, first."""
    told = list(lines)
    bend(told)
    report = verify(told, PUBLIC)

    assert not report.good
    assert report.findings[0].startswith(found[0])


def test_one_changed_record_is_one_finding(lines: list[bytes]) -> None:
    """What is whole around it stays signed for."""
    told = [*lines[:9], lines[9].replace(b'"alice"', b'"mallo"'), *lines[10:]]
    report = verify(told, PUBLIC)

    assert len(report.findings) == 1
    assert report.signed == 18


def test_a_log_cut_short_is_told_by_a_head_that_was_seen(lines: list[bytes]) -> None:
    """Without one, a shorter log is a whole log."""
    seen = export.read(lines[21].rstrip())
    assert isinstance(seen, heads.SignedHead)

    assert verify(lines[:15], PUBLIC).good
    assert verify(lines, PUBLIC, [seen]).good
    report = verify(lines[:15], PUBLIC, [seen])
    assert report.findings == ("the log has 12 records, but you have seen a head of 18",)


def test_a_log_written_anew_is_told_by_a_head_that_was_seen(lines: list[bytes]) -> None:
    """Even when it is signed by the right key."""
    signed = heads.signed(Head(ORIGIN, 12, b"\x05" * 32, 7), KEY)

    assert "another root" in verify(lines, PUBLIC, [signed]).findings[0]
    foreign = heads.signed(Head(ORIGIN, 12, b"\x05" * 32, 7), OTHER)
    assert "not by this key" in verify(lines, PUBLIC, [foreign]).findings[0]


@given(st.data())
def test_any_changed_byte_before_the_last_head_is_found(
    lines: list[bytes], data: st.DataObject
) -> None:
    """Of any record or head that is signed for."""
    told = list(lines)
    which = data.draw(st.integers(0, 21))
    at = data.draw(st.integers(0, len(told[which]) - 2))
    byte = told[which][at] ^ data.draw(st.integers(1, 255))
    told[which] = told[which][:at] + bytes([byte]) + told[which][at + 1 :]

    assert not verify(told, PUBLIC).good


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_any_lines_are_judged(told: list[bytes]) -> None:
    """Chance makes no log, and no failure of the verifier."""
    assert verify([b'{"log":"x"}', b"!", *told], PUBLIC).findings


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.integers(0, 2**64 - 1)


@given(st.integers(1, 2**64 - 1), TEXT, st.lists(TEXT, min_size=1, max_size=4), NUMBER, NUMBER)
def test_records_come_back(
    serial: int, text: str, principals: list[str], after: int, issued: int
) -> None:
    """Whatever their text; and the bytes are JSON for everybody."""
    told = record(serial)._replace(key_id=text, principals=tuple(principals), valid_after=after,
                   issued=issued, caller=text)  # fmt: skip

    assert decoded(told.encoded()) == told
    assert json.loads(told.encoded())["serial"] == str(serial)


@pytest.mark.parametrize(
    "changes",
    [{"serial": 0}, {"serial": 2**64}, {"issued": -1}, {"principals": ()}, {"type": "x"},
     {"key_id": "\ud800"}, {"caller": None}, {"decision": "x" * 70_000}],
    ids=str,
)  # fmt: skip
def test_what_is_no_record_is_not_written(changes: dict[str, object]) -> None:
    """It is refused before anything is on the disk."""
    with pytest.raises(RecordError):
        record(1)._replace(**changes).encoded()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"serial":"1"', b'"serial":1'), (b'"serial":"1"', b'"serial":"01"'), (b",", b", "),
     (b'"type":"user"', b'"type":"user","type":"user"'), (b'["alice","ops"]', b'"alice"'),
     (b'"caller":', b'"Caller":'), (b"}", b"}}"), (b'["alice","ops"]', b"[" * 60_000),
     (b'"serial":"1"', '"serial":"\u0661"'.encode())],
    ids=lambda told: told[:30].decode(),
)  # fmt: skip
def test_a_record_has_one_form(old: bytes, new: bytes) -> None:
    """Anything else is no record, so nothing can hide in its spelling."""
    with pytest.raises(RecordError):
        decoded(record(1).encoded().replace(old, new))


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_record_or_not(data: bytes) -> None:
    """Never another error."""
    with pytest.raises(RecordError):
        decoded(data)


def test_heads_come_back() -> None:
    """From the line that is published."""
    head = heads.signed(Head(ORIGIN, 5, b"\x01" * 32, 99), KEY)

    assert heads.read(head.line()) == head
    assert head.holds(PUBLIC)
    assert not head.holds(OTHER.public_key())
    assert not replace(head, head=replace(head.head, size=6)).holds(PUBLIC)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"size":5', '"size":5.0'), ('"size":5', '"size":true'), ('"size":5', '"size":-5'),
     ('"size":5', '"size": 5'), ('"root":"01', '"root":"'), ('"origin":"a', '"origin":"\\u0061'),
     ('"origin":"audit', '"origin":"\\n'), ("}", ',"x":1}'), ('"signature":"', '"signature":"A'),
     ('"size":5', '"size":99999999999999999999')],
)  # fmt: skip
def test_a_head_has_one_form(old: str, new: str) -> None:
    """Anything else is no head."""
    line = heads.signed(Head(ORIGIN, 5, b"\x01" * 32, 99), KEY).line()
    with pytest.raises(HeadError):
        heads.read(line.replace(old, new))


@given(st.text(max_size=200))
def test_any_text_is_a_head_or_not(text: str) -> None:
    """Never another error."""
    with pytest.raises(HeadError):
        heads.read(text)


def test_a_signature_of_another_length_is_no_head() -> None:
    """Of a key that is not Ed25519, behind the seam."""

    class Wrong:
        def sign(self, data: bytes) -> bytes:
            return b"x" * 256

    with pytest.raises(HeadError, match="Ed25519"):
        heads.signed(Head(ORIGIN, 0, tree.EMPTY_ROOT, 0), Wrong())
