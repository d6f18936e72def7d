"""Records and keys that the tests of the audit log are made of."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from transparency.record import Record

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "audit.example.org"


def record(serial: int, caller: str = "arn:aws:iam::000000000000:role/bastion") -> Record:
    """The record of a certificate with this serial."""
    return Record(
        serial=serial, type="user", key_id=f"alice {serial}", principals=("alice", "ops"),
        valid_after=1_700_000_000, valid_before=2**64 - 1, key="SHA256:abc", ca="SHA256:def",
        caller=caller, decision="rule bastion", issued=1_700_000_000_000,
    )  # fmt: skip
