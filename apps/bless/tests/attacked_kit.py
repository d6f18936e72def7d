"""What attacks on the issuing CA share: a CA that counts, strangers, keys of other kinds.

No asserts but those of an attack: its code, a row, no record and no signature.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import bless_kit
from dynimo.sdk.context import Caller
from issuing import canonical, refused
from issuing_kit import ADA, BOB, Ca, Clock, Key, Memory
from possession.armour import Envelope, written
from sshca.public_key import from_blob, parse
from sshca.signers import Signer, load
from sshca.wire import string, u32


@dataclass
class Counted:
    """A key of the CA that counts what it signs, and may do it wrong."""

    signer: Signer
    signatures: list[bytes]
    broken: Callable[[bytes], bytes] | None = None

    @property
    def public_key(self) -> Any:
        return self.signer.public_key

    def sign(self, data: bytes) -> bytes:
        self.signatures.append(data)
        made = self.signer.sign(data)
        return self.broken(made) if self.broken else made


class Counting(Memory):
    """Keys in memory, all of which count into one list."""

    def __init__(self) -> None:
        super().__init__()
        self.signatures: list[bytes] = []
        self.broken: Callable[[bytes], bytes] | None = None

    def open(self, name: str, line: str) -> Signer:
        return Counted(
            super().open(name, line),
            self.signatures,
            lambda made: self.broken(made) if self.broken else made,
        )


@dataclass
class Attacked:
    """A CA, and what is looked at after each attack."""

    ca: Ca
    memory: Counting

    def rows(self) -> list[dict[str, object]]:
        return refused.read(self.ca.authority.state, 0, 100_000)

    def records(self) -> int:
        return self.ca.authority.log(self.ca.authority.now()).size()

    def refused(self, code: str, ask: Callable[[], Any], *, record: int = 0) -> dict[str, Any]:
        """Ask; the refusal, after everything was as it must be."""
        rows, records, signatures = len(self.rows()), self.records(), len(self.memory.signatures)
        answer = ask()
        assert set(answer) == {"error", "message"}, answer
        assert answer["error"] == code, answer
        assert len(self.memory.signatures) == signatures
        assert self.records() == records + record
        assert len(self.rows()) == rows + 1
        assert self.rows()[-1]["code"] == code
        assert "-----BEGIN" not in str(self.rows()[-1])
        return answer

    def event(self, code: str, caller: Caller | None, event: Any) -> dict[str, Any]:
        """Any event at all."""
        return self.refused(code, lambda: asyncio.run(self.ca.operations.answer(event, caller)))

    def do(self, code: str, caller: Caller | None, doing: str, /, **members: Any) -> dict[str, Any]:
        """One operation."""
        return self.refused(code, lambda: self.ca.do(caller, doing, **members))

    def issue(self, code: str, caller: Caller | None = ADA, key: Key | None = None, **changed: Any
              ) -> dict[str, Any]:  # fmt: skip
        """A request that is in order but for the changes."""
        return self.refused(code, lambda: self.ca.issue(caller, key, **changed))


def attacked(tmp_path: Path, policy: str | None = None, now: float | None = None) -> Attacked:
    """A CA that works; for `pytest.fixture` too."""
    memory = Counting()
    ca = Ca(tmp_path, memory, Clock() if now is None else Clock(now))
    made = ca.founded(policy) if policy else ca.founded()
    assert "user_ca" in made, made
    return Attacked(ca, memory)


def attacked_by_all(tmp_path_factory: pytest.TempPathFactory) -> Attacked:
    """One for a whole file, for attacks that leave nothing behind but a row."""
    return attacked(tmp_path_factory.mktemp("ca"))


def named(arn: str, principal: str = "") -> Caller:
    return Caller(arn=arn, account="000000000000", principal=principal or arn, function="",
                  address="192.0.2.7")  # fmt: skip


BY_TOKEN = """\
[kmsauth]
key_ids = ["KEY"]
service = "ssh"
[[rules]]
name = "by token"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
kmsauth = true
[rules.allow]
principals = ["{kmsauth.user}"]
source_addresses = "any"
valid_seconds = 60
"""
ROLE = "arn:aws:iam::000000000000:role/bastion"
STRANGERS = {
    "nobody": None,
    "a role": named("arn:aws:sts::000000000000:assumed-role/bastion/s", ROLE),
    "a session that is called as a user is": named(
        "arn:aws:sts::000000000000:assumed-role/bastion/ada", ROLE
    ),
    "a role of the user's name": named("arn:aws:sts::000000000000:assumed-role/ada/ada",
                                        "arn:aws:iam::000000000000:role/ada"),
    "a user of that name elsewhere": named("arn:aws:iam::000000000000:user/guests/ada"),
    "another user": BOB,
    "a user whose name begins so": named("arn:aws:iam::000000000000:user/ada2"),
    "a user in other letters": named("arn:aws:iam::000000000000:user/Ada"),
    "no user": named("arn:aws:iam::000000000000:user/"),
    "another partition": named("arn:aws-cn:iam::000000000000:user/ada"),
    "a line feed": named("arn:aws:iam::000000000000:user/ada\n"),
    "the root": named("arn:aws:iam::000000000000:root"),
    "nothing": named(""),
}  # fmt: skip


def by(private: Any) -> Key:
    """A key of another kind than Ed25519, that signs requests too."""
    key = Key()
    key.private, key.line = private, bless_kit.public(private)
    key.public = parse(key.line)
    signer = load(bless_kit.pem(private, "pkcs8", None), None)

    def proof(message: object, namespace: str = "issue@dynimo-ssh") -> str:
        unsigned = Envelope(key.public, namespace, "sha512", b"")
        digest = hashlib.sha512(canonical.encoded(message)).digest()
        return written(replace(unsigned, signature=signer.sign(unsigned.signed(digest))))

    key.proof = proof  # type: ignore[method-assign]
    return key


def in_token(flags: int) -> Key:
    """A key as a security key has it, which signs with these flags (PROTOCOL.u2f)."""
    key, name = Key(), b"sk-ssh-ed25519@openssh.com"
    key.public = from_blob(string(name) + key.public.fields + string(b"ssh:"))
    key.line = f"{name.decode()} {base64.b64encode(key.public.blob).decode()} token"
    told = bytes([flags]) + u32(7)

    def proof(message: object, namespace: str = "issue@dynimo-ssh") -> str:
        unsigned = Envelope(key.public, namespace, "sha512", b"")
        data = unsigned.signed(hashlib.sha512(canonical.encoded(message)).digest())
        body = hashlib.sha256(b"ssh:").digest() + told + hashlib.sha256(data).digest()
        made = string(name) + string(key.private.sign(body)) + told
        return written(replace(unsigned, signature=made))

    key.proof = proof  # type: ignore[method-assign]
    return key
