"""What every engine of the KMS holds, whatever it keeps its keys in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dynimo.identity.keys import signing
from dynimo.identity.keys.embedded import Embedded
from dynimo.identity.keys.specs import DIGEST_BYTES, SPECS
from dynimo.identity.vault import Vault
from dynimo.ports import KeyEngine, KeyMaterial, NotOpened

SIGNERS = [each.name for each in SPECS.values() if each.signing and each.name <= "RSA_2048"]
SLOW = {"RSA_3072", "RSA_4096"}
"""Their keys take a second; RSA_2048 stands for them in what does not hang on the length."""


@dataclass(frozen=True)
class Rig:
    """An engine, and how to open the same again."""

    engine: KeyEngine
    again: Callable[[], KeyEngine]

    def key(self, spec: str, key_id: str = "00000000-0000-4000-8000-000000000001") -> KeyMaterial:
        kept, public = self.engine.make(key_id, spec)
        return KeyMaterial(key_id=key_id, spec=spec, kept=kept, public=public)


@pytest.fixture(params=["embedded"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return Rig(Embedded(Vault(tmp_path)), lambda: Embedded(Vault(tmp_path)))


def test_what_was_sealed_opens_in_the_next_process_too(rig: Rig) -> None:
    """A key is all in what is kept of it and in the engine's own place."""
    key = rig.key("SYMMETRIC_DEFAULT")
    sealed = rig.engine.seal(key, b"a secret", b"bound")

    assert rig.engine.open(key, sealed, b"bound") == b"a secret"
    assert rig.again().open(key, sealed, b"bound") == b"a secret"
    assert key.public == b""
    assert b"a secret" not in sealed


def test_a_seal_opens_only_bound_to_the_same(rig: Rig) -> None:
    """The additional data is part of the seal."""
    key = rig.key("SYMMETRIC_DEFAULT")
    sealed = rig.engine.seal(key, b"a secret", b"bound")

    with pytest.raises(NotOpened):
        rig.engine.open(key, sealed, b"other")


def test_no_bit_of_a_seal_can_be_changed(rig: Rig) -> None:
    """Each bit, and each length that is shorter."""
    key = rig.key("SYMMETRIC_DEFAULT")
    sealed = rig.engine.seal(key, b"s", b"")
    changed = [
        sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :]
        for at in range(len(sealed))
        for bit in range(8)
    ]

    for each in [*changed, *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(NotOpened):
            rig.engine.open(key, each, b"")


def test_a_seal_of_another_key_does_not_open(rig: Rig) -> None:
    """Keys are apart."""
    sealed = rig.engine.seal(rig.key("SYMMETRIC_DEFAULT"), b"s", b"")
    other = rig.key("SYMMETRIC_DEFAULT", "00000000-0000-4000-8000-000000000002")

    with pytest.raises(NotOpened):
        rig.engine.open(other, sealed, b"")


def test_two_seals_of_the_same_differ(rig: Rig) -> None:
    """Nobody learns that two secrets are equal."""
    key = rig.key("SYMMETRIC_DEFAULT")

    assert rig.engine.seal(key, b"s", b"") != rig.engine.seal(key, b"s", b"")


@pytest.mark.parametrize("spec", SIGNERS)
def test_signatures_verify_by_the_public_half(rig: Rig, spec: str) -> None:
    """Of a message and of its digest, by each algorithm; of another message never."""
    key = rig.key(spec)
    for algorithm in SPECS[spec].signing:
        signature = rig.engine.sign(key, algorithm, b"message", digest=False)
        assert signing.verifies(key.public, algorithm, b"message", signature, digest=False)
        assert not signing.verifies(key.public, algorithm, b"massage", signature, digest=False)
        if algorithm in DIGEST_BYTES:
            name = f"sha{DIGEST_BYTES[algorithm] * 8}"
            digest = hashlib.new(name, b"message").digest()
            signature = rig.engine.sign(key, algorithm, digest, digest=True)
            assert signing.verifies(key.public, algorithm, b"message", signature, digest=False)


@pytest.mark.parametrize("spec", sorted(SLOW))
def test_long_keys_have_their_length(rig: Rig, spec: str) -> None:
    """A key is of the kind that was asked for."""
    public = load_der_public_key(rig.key(spec).public)

    assert public.key_size == SPECS[spec].bits  # type: ignore[union-attr]


@pytest.mark.parametrize("algorithm", SPECS["RSA_2048"].encrypting)
def test_what_is_encrypted_for_a_public_half_opens(rig: Rig, algorithm: str) -> None:
    """RSA-OAEP; what was changed does not open."""
    key = rig.key("RSA_2048")
    ciphertext = signing.encrypted(key.public, algorithm, b"a secret")

    assert rig.engine.decrypt(key, algorithm, ciphertext) == b"a secret"
    with pytest.raises(NotOpened):
        rig.engine.decrypt(key, algorithm, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))
