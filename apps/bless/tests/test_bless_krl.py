"""Key revocation lists: OpenSSH's ssh-keygen reads ours, ours reads its, and both say the same."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revocation import serials, writing
from revocation.krl import EVERY_CA, Krl, Presented, certificates, revoked_by
from revocation.reading import KrlError, read
from revocation.writing import encoded
from sshca.public_key import PublicKey, parse
from sshca.wire import mpint, string, u32, u64

SERIAL = 77


def _keygen(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh-keygen", *arguments], cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CAs, keys of three kinds, and a certificate (serial 77) of each by the first CA."""
    folder = tmp_path_factory.mktemp("keys")
    for name, kind in (("ca", "ed25519"), ("ca2", "ecdsa"), ("one", "ed25519"), ("two", "rsa"),
                       ("three", "ecdsa")):  # fmt: skip
        made = _keygen("-q", "-t", kind, "-N", "", "-f", name, "-C", name, folder=folder)
        assert made.returncode == 0, made.stderr
    keys = ("one.pub", "two.pub", "three.pub")
    signed = _keygen("-q", "-s", "ca", "-I", "id of it", "-n", "alice", "-z", str(SERIAL), *keys,
                     folder=folder)  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    return folder


def _key(folder: Path, name: str) -> PublicKey:
    return parse((folder / f"{name}.pub").read_text())


def _says(folder: Path, krl: Krl, file: str) -> bool:
    """Whether ssh-keygen says that the key or certificate in this file is revoked."""
    (folder / "krl").write_bytes(encoded(krl))
    asked = _keygen("-Q", "-f", "krl", file, folder=folder)
    assert asked.stdout.rstrip().endswith(("REVOKED", "ok")), asked.stdout + asked.stderr
    assert asked.returncode == asked.stdout.rstrip().endswith("REVOKED")
    return bool(asked.returncode)


def _one(folder: Path, kind: str) -> Krl:
    """A list that revokes certificates or keys by this one kind of entry."""
    ca, other, key = (_key(folder, name).blob for name in ("ca", "ca2", "one"))
    hashed = frozenset({hashlib.sha256(key).digest()})
    theirs = certificates(key_ids=["id of it"])
    near = certificates(key_ids=["id of i", "Id of it"])
    return {
        "serial": Krl(1, 1, certificates={ca: certificates([SERIAL])}),
        "serial in a range": Krl(1, 1, certificates={ca: certificates(ranges=[(50, 10**12)])}),
        "serial in a bitmap": Krl(1, 1, certificates={ca: certificates(range(1, 400, 2))}),
        "serial of every CA": Krl(1, 1, certificates={EVERY_CA: certificates([SERIAL])}),
        "serial of another CA": Krl(1, 1, certificates={other: certificates([SERIAL])}),
        "another serial": Krl(1, 1, certificates={ca: certificates([SERIAL - 1, SERIAL + 1])}),
        "key id": Krl(1, 1, certificates={ca: theirs}),
        "key id of every CA": Krl(1, 1, certificates={EVERY_CA: theirs}),
        "another key id": Krl(1, 1, certificates={ca: near}),
        "key": Krl(1, 1, keys=frozenset({key})),
        "SHA-256": Krl(1, 1, sha256=hashed),
        "SHA-1": Krl(1, 1, sha1=frozenset({hashlib.sha1(key).digest()})),
        "the CA": Krl(1, 1, keys=frozenset({ca})),
        "another CA": Krl(1, 1, keys=frozenset({other})),
        "nothing": Krl(1, 1),
    }[kind]  # fmt: skip


KINDS = ["serial", "serial in a range", "serial in a bitmap", "serial of every CA",
         "serial of another CA", "another serial", "key id", "key id of every CA",
         "another key id", "key", "SHA-256", "SHA-1", "the CA", "another CA",
         "nothing"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_keygen_and_we_agree_on_what_is_revoked(folder: Path, kind: str) -> None:
    """Keys and certificates, by each kind of entry; and reading gives the list back."""
    krl = _one(folder, kind)
    ca = _key(folder, "ca").blob
    for name in ("one", "two"):
        key = _key(folder, name).blob
        shown = Presented(key, ca, SERIAL, "id of it")
        assert _says(folder, krl, f"{name}-cert.pub") == bool(revoked_by(krl, shown)), name
        assert _says(folder, krl, f"{name}.pub") == bool(revoked_by(krl, Presented(key))), name
    assert revoked_by(krl, Presented(_key(folder, "three").blob, ca, SERIAL, "x")) == (
        revoked_by(krl, Presented(_key(folder, "two").blob, ca, SERIAL, "x"))
    )
    assert read(encoded(krl)) == krl


def test_each_kind_revokes_or_not(folder: Path) -> None:
    """By name, so that agreement is not agreement on nothing."""
    shown = Presented(_key(folder, "one").blob, _key(folder, "ca").blob, SERIAL, "id of it")
    found = {kind for kind in KINDS if revoked_by(_one(folder, kind), shown)}

    assert found == set(KINDS) - {
        "serial of another CA", "another serial", "another key id", "another CA", "nothing",
    }  # fmt: skip


def test_serial_zero_is_never_revoked(folder: Path) -> None:
    """As in OpenSSH; so it cannot be asked for either."""
    ca = _key(folder, "ca").blob
    everything = Krl(1, 1, certificates={ca: certificates(ranges=[(1, 2**64 - 1)])})

    assert not revoked_by(everything, Presented(b"key", ca, 0, ""))
    assert revoked_by(everything, Presented(b"key", ca, 2**64 - 1, ""))
    with pytest.raises(ValueError, match="no serials"):
        certificates([0])
    with pytest.raises(ValueError, match="empty key id"):
        certificates(key_ids=[""])


NEAR = st.integers(1, 3000) | st.integers(2**64 - 40, 2**64 - 1) | st.integers(1, 2**64 - 1)
RANGES = st.lists(
    st.builds(lambda low, more: (low, min(low + more, 2**64 - 1)), NEAR, st.integers(0, 30)),
    max_size=120,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ranges=RANGES)
def test_keygen_lists_the_serials_that_were_written(
    folder: Path, ranges: list[tuple[int, int]]
) -> None:
    """As a list, in ranges or in bitmaps: the same numbers come out."""
    krl = Krl(5, 1_700_000_000, "", {EVERY_CA: certificates(ranges=ranges)})
    (folder / "krl").write_bytes(encoded(krl))
    listed = _keygen("-Q", "-l", "-f", "krl", folder=folder)
    found = [
        (int(one[1]), int(one[2] or one[1]))
        for one in re.finditer(r"^serial: (\d+)(?:-(\d+))?$", listed.stdout, re.MULTILINE)
    ]

    assert listed.returncode == 0, listed.stderr
    assert serials.merged(found) == serials.merged(ranges)


@given(RANGES)
def test_sets_come_back_and_are_written_no_larger_than_one_by_one(
    ranges: list[tuple[int, int]],
) -> None:
    """Whatever the set, in whatever order; a bitmap is used only where it is cheaper."""
    told = certificates(ranges=ranges)
    data = encoded(Krl(1, 1, "", {EVERY_CA: told}))
    plain = sum(min(8 * (high - low + 1), 21) for low, high in told.serials)

    assert read(data).certificates.get(EVERY_CA, certificates()) == told
    assert len(data) <= len(encoded(Krl(1, 1))) + 5 + 8 + 5 + plain
    assert encoded(Krl(1, 1, "", {EVERY_CA: certificates(ranges=ranges[::-1])})) == data


@pytest.mark.parametrize(
    ("numbers", "listed", "ranges", "bitmaps"),
    [([5], 1, 0, 0), ([5, 10**6], 2, 0, 0), (range(1, 10**5), 0, 1, 0), (range(1, 999, 3), 0, 0, 1),
     ([*range(1, 99, 2), *range(10**9, 10**9 + 99, 2)], 0, 0, 2),
     (range(1, 4 * serials.BITMAP_BITS_MAX, 32), 0, 0, 4)],
    ids=["one", "far", "run", "dense", "clusters", "long"],
)  # fmt: skip
def test_the_way_of_writing_is_chosen_by_size(
    numbers: list[int], listed: int, ranges: int, bitmaps: int
) -> None:
    """Alone, in a row, or dense."""
    found = serials.written(certificates(numbers).serials)

    assert (len(found.listed), len(found.ranges), len(found.bitmaps)) == (listed, ranges, bitmaps)


def test_a_list_by_keygen_is_read_and_written_again_byte_for_byte(folder: Path) -> None:
    """Serials, a range, ids, keys and hashes together."""
    one, two = _key(folder, "one"), _key(folder, "two")
    spec = "serial: 1-10\nserial: 900\nid: bad\nsha256: "
    spec += (folder / "one.pub").read_text()
    (folder / "spec").write_text(spec)
    made = _keygen("-q", "-k", "-f", "theirs", "-s", "ca.pub", "-z", "3", "spec", "two.pub",
                   folder=folder)  # fmt: skip
    assert made.returncode == 0, made.stderr
    data = (folder / "theirs").read_bytes()
    krl = read(data)

    assert krl.version == 3
    assert krl.certificates[_key(folder, "ca").blob] == certificates([900], [(1, 10)], ["bad"])
    assert krl.keys == {two.blob}
    assert krl.sha256 == {hashlib.sha256(one.blob).digest()}
    assert read(encoded(krl)) == krl
    assert len(encoded(krl)) == len(data)


HEAD = writing.MAGIC + u32(1) + u64(1) + u64(1) + u64(0) + string(b"") + string(b"")


def _section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + string(body)


def _serial_section(kind: int, body: bytes) -> bytes:
    return HEAD + _section(1, string(b"") + string(b"") + _section(kind, body))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ssh-ed25519 AAAA",
        HEAD[:-1],
        HEAD[:-4] + string(b"a\0b"),
        _serial_section(0x23, string(b"id\0")),
        HEAD + b"\0",
        HEAD.replace(u32(1), u32(2), 1),
        HEAD + _section(4, b"key"),
        HEAD + _section(9, b""),
        HEAD + _section(255, string(b"x") + b"\1" + string(b"")),
        HEAD + _section(2, string(b"no key")),
        HEAD + _section(3, string(b"x" * 19)),
        HEAD + _section(5, string(b"x" * 31)),
        HEAD + _section(1, string(b"no key") + string(b"")),
        _serial_section(0x20, b"x" * 7),
        _serial_section(0x21, u64(5) + u64(4)),
        _serial_section(0x21, u64(5) + u64(6) + b"x"),
        _serial_section(0x22, u64(2**64 - 2) + mpint(0b1111)),
        _serial_section(0x22, u64(1) + string(b"\x80")),
        _serial_section(0x22, u64(1) + mpint(1 << (1 << 24) + 64)),
        _serial_section(0x24, b""),
        _serial_section(0x39, string(b"x") + b"\1" + string(b"")),
    ],
)
def test_what_is_not_wholly_understood_is_refused(data: bytes) -> None:
    """A list that is read by half lets in what it revokes."""
    with pytest.raises(KrlError):
        read(data)


@pytest.mark.parametrize(
    "krl",
    [
        Krl(1, 1, "a\0b"),
        Krl(1, 1, certificates={b"no key": certificates([1])}),
        Krl(1, 1, keys=frozenset({b"no key"})),
        Krl(1, 1, keys=frozenset({b""})),
        Krl(1, 1, sha1=frozenset({bytes(32)})),
        Krl(1, 1, sha256=frozenset({bytes(20)})),
    ],
    ids=["comment", "CA", "key", "empty key", "SHA-1", "SHA-256"],
)
def test_what_sshd_could_not_read_is_not_written(krl: Krl) -> None:
    """It would let nobody in."""
    with pytest.raises(ValueError):  # noqa: PT011
        encoded(krl)
    with pytest.raises(ValueError, match="NUL"):
        certificates(key_ids=["a\0b"])


def test_extensions_that_are_not_critical_are_passed_over() -> None:
    """PROTOCOL.krl: their names are for others."""
    told = string(b"x") + b"\0" + string(b"y")

    assert read(HEAD + _section(255, told)) == Krl(1, 1)
    assert read(_serial_section(0x39, told)).certificates[EVERY_CA] == certificates()


def test_a_bitmap_bomb_is_refused() -> None:
    """Every other number in several bitmaps fills no memory."""
    one = _section(0x22, u64(1) + string(b"\x55" * (1 << 20)))
    with pytest.raises(KrlError, match="ranges"):
        read(HEAD + _section(1, string(b"") + string(b"") + one))


@settings(deadline=None)
@given(st.data())
def test_any_bytes_are_a_list_or_not(folder: Path, data: st.DataObject) -> None:
    """Damaged at any place, cut anywhere, or chance: never another error."""
    whole = encoded(
        replace(
            _one(folder, "serial in a bitmap"),
            keys=frozenset({_key(folder, "two").blob}),
            sha256=frozenset({bytes(32)}),
        )
    )
    at = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=9))
    cut = data.draw(st.sampled_from([len(noise), 0, 1, len(whole)]))
    try:
        read(whole[:at] + noise + whole[at + cut :])
    except KrlError as error:
        assert str(error)
