"""What every engine of the KMS holds, whatever it keeps its keys in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dynimo.identity.keys import signing
from dynimo.identity.keys.embedded import Embedded
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.refusals import KeyUnavailable
from dynimo.identity.keys.remote import Remote
from dynimo.identity.keys.specs import DIGEST_BYTES, SPECS
from dynimo.identity.keys.token import Token
from dynimo.identity.keys.using import Using
from dynimo.identity.vault import Vault
from dynimo.model.names import Place
from dynimo.ports import KeyEngine, KeyMaterial, NotOpened, Unusable
from tests.kms_kit import EVERYTHING, REGION, Platform

SIGNERS = [each.name for each in SPECS.values() if each.signing and each.name <= "RSA_2048"]
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so")
SLOW = {"RSA_3072", "RSA_4096"}
"""Their keys take a second; RSA_2048 stands for them in what does not hang on the length."""


@dataclass(frozen=True)
class Rig:
    """An engine, and how to open the same again."""

    engine: KeyEngine
    again: Callable[[], KeyEngine]

    def key(self, spec: str, usage: str = "") -> KeyMaterial:
        key_id = str(uuid.uuid4())
        usage = usage or ("SIGN_VERIFY" if SPECS[spec].asymmetric else "ENCRYPT_DECRYPT")
        kept, public = self.engine.make(key_id, spec, usage)
        return KeyMaterial(key_id=key_id, spec=spec, kept=kept, public=public)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Token]]:
    """Opens a new token of SoftHSM2, which reads its configuration once in a process."""
    modules = [Path(each) for each in (os.environ.get("SOFTHSM2_MODULE", ""), *MODULES) if each]
    module = next((each for each in modules if each.is_file()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("softhsm2 is not installed")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    opened: list[Token] = []

    def reopen() -> Token:
        while opened:
            opened.pop().close()
        opened.append(Token(str(module), "dynimo", "1234"))
        return opened[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        command = [
            "softhsm2-util", "--module", str(module), "--init-token", "--free",
            "--label", "dynimo", "--so-pin", "1234", "--pin", "1234",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        yield reopen
        while opened:
            opened.pop().close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Remote]]:
    """Opens an engine over another KMS: one of these here, which speaks AWS's API."""
    platform = Platform(tmp_path_factory.mktemp("other"))
    platform.keyring.add("user", "engine")
    platform.keyring.attach("user", "engine", "p", EVERYTHING)
    key, secret = platform.keyring.add_key("engine")
    opened: list[Remote] = []

    def reopen() -> Remote:
        opened.append(
            Remote(
                REGION,
                f"http://127.0.0.1:{platform.port}",
                aws_access_key_id=key.id,
                aws_secret_access_key=secret,
            )
        )
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()
    platform.stop()


@pytest.fixture(params=["embedded", "pkcs11", "aws"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    if request.param == "embedded":
        return Rig(Embedded(Vault(tmp_path)), lambda: Embedded(Vault(tmp_path)))
    name = "token" if request.param == "pkcs11" else "other"
    reopen: Callable[[], KeyEngine] = request.getfixturevalue(name)
    return Rig(reopen(), reopen)


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

    if rig.engine.name == "aws":
        changed = changed[::16]  # each is a request; that KMS's own engine flips every one
    for each in [*changed, sealed[:-1], sealed[:20], b"", sealed + b"\0"]:
        with pytest.raises(NotOpened):
            rig.engine.open(key, each, b"")


def test_a_seal_of_another_key_does_not_open(rig: Rig) -> None:
    """Keys are apart."""
    sealed = rig.engine.seal(rig.key("SYMMETRIC_DEFAULT"), b"s", b"")
    other = rig.key("SYMMETRIC_DEFAULT")

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


def test_long_keys_have_their_length(rig: Rig) -> None:
    """A key is of the kind that was asked for."""
    public = load_der_public_key(rig.key("RSA_3072").public)

    assert public.key_size == 3072  # type: ignore[union-attr]


@pytest.mark.parametrize("algorithm", SPECS["RSA_2048"].encrypting)
def test_what_is_encrypted_for_a_public_half_opens(rig: Rig, algorithm: str) -> None:
    """RSA-OAEP; what was changed does not open."""
    key = rig.key("RSA_2048", "ENCRYPT_DECRYPT")
    ciphertext = signing.encrypted(key.public, algorithm, b"a secret")

    if rig.engine.name == "pkcs11" and algorithm == "RSAES_OAEP_SHA_256":
        with pytest.raises(Unusable, match="does not know"):  # SoftHSM2 has SHA-1 only
            rig.engine.decrypt(key, algorithm, ciphertext)
        return
    assert rig.engine.decrypt(key, algorithm, ciphertext) == b"a secret"
    with pytest.raises(NotOpened):
        rig.engine.decrypt(key, algorithm, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))


def test_a_key_that_is_forgotten_is_gone(rig: Rig) -> None:
    """What an engine keeps itself goes with the key; what it gave to be kept is the caller's."""
    key = rig.key("ECC_NIST_P256")
    rig.engine.forget(key)

    if rig.engine.name != "embedded":
        with pytest.raises(Unusable, match="has no key|KMSInvalidState"):
            rig.engine.sign(key, "ECDSA_SHA_256", b"m", digest=False)
    else:
        assert rig.engine.sign(key, "ECDSA_SHA_256", b"m", digest=False)


async def test_each_key_is_used_by_the_engine_that_made_it(rig: Rig, tmp_path: Path) -> None:
    """New keys are made by the first; where an engine is gone, its keys say so."""
    asked = {"spec": "ECC_NIST_P256", "usage": "SIGN_VERIFY"}
    embedded = Embedded(Vault(tmp_path))
    before = Keys(tmp_path, embedded)
    old = before.create(Place(), **asked)
    before.close()
    both = Keys(tmp_path, rig.engine, others=[embedded])
    new = both.create(Place(), **asked)
    for key in (old, new):
        signature = await Using(both.engine_of).sign(key, "ECDSA_SHA_256", b"m", digest=False)
        assert signing.verifies(key.public, "ECDSA_SHA_256", b"m", signature, digest=False)
    both.close()

    assert (old.engine, new.engine) == ("embedded", rig.engine.name)
    with pytest.raises(KeyUnavailable):
        await Using(lambda _: None).sign(old, "ECDSA_SHA_256", b"m", digest=False)
