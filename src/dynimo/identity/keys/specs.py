"""What a key of each kind can do: a table, so that a new kind is a row. Pure.

Source: AWS KMS's developer guide, "Key spec reference"; the names are those of its service model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ENCRYPT = "ENCRYPT_DECRYPT"
SIGN = "SIGN_VERIFY"
SYMMETRIC = "SYMMETRIC_DEFAULT"
Family = Literal["aes", "rsa", "ecdsa", "ed25519"]

_RSA_ENCRYPT = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGN = tuple(
    f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One kind of key: which algorithms serve which usage; ``bits`` is the modulus's or curve's."""

    name: str
    family: Family
    bits: int
    encrypting: tuple[str, ...] = ()
    signing: tuple[str, ...] = ()

    @property
    def asymmetric(self) -> bool:
        """Whether it has a public half."""
        return self.family != "aes"

    def algorithms(self, usage: str) -> tuple[str, ...]:
        """What it can do in one usage; nothing if that is none of its own."""
        return {ENCRYPT: self.encrypting, SIGN: self.signing}.get(usage, ())


def _rsa(bits: int) -> Spec:
    return Spec(
        name=f"RSA_{bits}", family="rsa", bits=bits, encrypting=_RSA_ENCRYPT, signing=_RSA_SIGN
    )


def _curve(bits: int, digest_bits: int) -> Spec:
    algorithm = f"ECDSA_SHA_{digest_bits}"
    return Spec(name=f"ECC_NIST_P{bits}", family="ecdsa", bits=bits, signing=(algorithm,))


SPECS = {
    each.name: each
    for each in (
        Spec(name=SYMMETRIC, family="aes", bits=256, encrypting=(SYMMETRIC,)),
        _rsa(2048),
        _rsa(3072),
        _rsa(4096),
        _curve(256, 256),
        _curve(384, 384),
        _curve(521, 512),
        Spec(
            name="ECC_NIST_EDWARDS25519", family="ed25519", bits=255, signing=("ED25519_SHA_512",)
        ),
    )
}

DIGEST_BYTES = {
    name: int(name.rpartition("_")[2]) // 8
    for spec in SPECS.values()
    for name in spec.signing
    if spec.family != "ed25519"
}
"""Algorithm → bytes of the digest that it signs; an algorithm that is not here signs no digest."""
