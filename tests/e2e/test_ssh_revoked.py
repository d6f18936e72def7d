"""A real sshd and our key revocation lists: each kind of entry keeps out whom it names, at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from revocation.krl import EVERY_CA, Krl, certificates
from revocation.writing import encoded
from sshca.public_key import PublicKey, parse
from tests.e2e import sshds
from tests.e2e.sshds import Sshd

pytestmark = pytest.mark.e2e

SERIAL = 2**64 - 77


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One that reads a list, a CA that it trusts, and a person with a certificate of it."""
    folder = tmp_path_factory.mktemp("revoked")
    ca = sshds.keygen(folder / "ca")
    sshds.keygen(folder / "ada")
    _publish(folder, Krl(1, 1))
    with sshds.running(folder, ca.strip(), f"RevokedKeys {folder / 'krl'}") as server:
        sshds.sign(folder / "ca", folder / "ada", "ada at work", "-z", str(SERIAL))
        yield server


def _publish(folder: Path, krl: Krl) -> None:
    (folder / "new").write_bytes(encoded(krl))
    (folder / "new").replace(folder / "krl")


def _enters(sshd: Sshd) -> bool:
    certificate = sshds.beside(sshd.folder / "ada").read_text().strip()
    return sshd.login(sshd.folder / "ada", certificate).stdout == "inside\n"


def _key(sshd: Sshd, name: str) -> PublicKey:
    return parse((sshd.folder / f"{name}.pub").read_text())


def test_each_kind_of_entry_keeps_out_whom_it_names(sshd: Sshd) -> None:
    """And nobody else: between them she enters, with lists as long that name others."""
    ca, ada = _key(sshd, "ca").blob, _key(sshd, "ada").blob
    refused = {
        "serial": Krl(2, 2, "", {ca: certificates([5, SERIAL])}),
        "range": Krl(2, 2, "", {ca: certificates(ranges=[(SERIAL - 9, SERIAL + 9)])}),
        "bitmap": Krl(2, 2, "", {EVERY_CA: certificates(range(SERIAL - 200, SERIAL + 50, 2))}),
        "key id": Krl(2, 2, "", {ca: certificates(key_ids=["ada at work"])}),
        "key": Krl(2, 2, keys=frozenset({ada})),
        "SHA-256": Krl(2, 2, sha256=frozenset({hashlib.sha256(ada).digest()})),
        "the CA": Krl(2, 2, keys=frozenset({ca})),
    }
    others = certificates(range(SERIAL - 201, SERIAL + 50, 2), key_ids=["ada at wor"])
    harmless = Krl(3, 3, "others", {ca: others, EVERY_CA: others})

    entered = {}
    for name, krl in refused.items():
        _publish(sshd.folder, krl)
        entered[name] = _enters(sshd)
    _publish(sshd.folder, harmless)

    assert entered == dict.fromkeys(refused, False)
    assert _enters(sshd)
    assert "revoked" in sshd.log
