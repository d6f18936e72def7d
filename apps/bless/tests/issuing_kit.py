"""What tests of the issuing CA share: a CA in a folder, keys in memory, callers, what they ask.

No asserts but three: it was founded, a refusal is one and has its row, what needs approval waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import bless_kit
from dynimo.sdk.context import Caller
from issuing import canonical
from issuing.authority import Authority
from issuing.ca_keys import as_line
from issuing.issuer import Issuer
from issuing.operations import Operations
from issuing.state import State
from issuing.tokens import Checked
from possession.armour import Envelope, written
from sshca.certificate import Read, read
from sshca.public_key import parse
from sshca.signers import InMemory, Signer, load
from sshca.wire import string

ADA, BOB, LEAD, CARL = (
    Caller(arn=f"arn:aws:iam::000000000000:user/{name}", account="000000000000",
           principal=f"arn:aws:iam::000000000000:user/{name}", address="192.0.2.7")
    for name in ("ada", "bob", "lead-eve", "lead-carl")
)  # fmt: skip
ADMINISTRATORS = 'administrators = ["arn:aws:iam::*:user/ada"]\n'
OWN_NAME = """\
[[rules]]
name = "own name"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
[rules.allow]
principals = ["{caller.name}"]
source_addresses = "any"
valid_seconds = 60
"""
"""To which a test adds lines of what is allowed."""
POLICY = ADMINISTRATORS + OWN_NAME.replace("60", "3600") + """\
extensions = ["permit-pty"]
backdate_seconds = 60
[[rules]]
name = "hosts"
type = "host"
[rules.who]
callers = ["arn:aws:iam::*:user/ada"]
[rules.allow]
principals = ["*.web.example.org"]
valid_seconds = 86400
[[rules]]
name = "deploy"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
[rules.allow]
principals = ["deploy"]
source_addresses = "any"
valid_seconds = 600
[rules.approval]
needs = 1
approvers = ["arn:aws:iam::*:user/lead-*"]
seconds = 900
"""  # fmt: skip
HOSTNAME = "a.web.example.org"


@dataclass
class Memory:
    """`issuing.ca_keys.Signers` in memory."""

    kept: dict[str, InMemory] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def make(self, purpose: str, kind: str) -> tuple[str, str]:
        key: Any = {"ecdsa": bless_kit.CA_P256, "rsa": bless_kit.CA_RSA}.get(kind)
        made = load(bless_kit.pem(key or Ed25519PrivateKey.generate(), "pkcs8", None), None)
        name = f"{purpose}-{secrets.token_hex(4)}"
        self.kept[name] = made
        return name, as_line(made.public_key, purpose)

    def open(self, name: str, line: str) -> Signer:
        return self.kept[name]

    def end(self, name: str) -> None:
        self.ended.append(name)


@dataclass
class Clock:
    """A clock that a test sets, in seconds since the epoch."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


class Key:
    """A user's key that can sign."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.line = bless_kit.public(self.private)
        self.public = parse(self.line)

    def proof(self, message: object, namespace: str = "issue@dynimo-ssh") -> str:
        """The SSHSIG over a message's canonical form."""
        unsigned = Envelope(self.public, namespace, "sha512", b"")
        digest = hashlib.sha512(canonical.encoded(message)).digest()
        signature = string(b"ssh-ed25519") + string(self.private.sign(unsigned.signed(digest)))
        return written(Envelope(self.public, namespace, "sha512", signature))

    def proved(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request with its proof."""
        return {"request": request, "proof": self.proof(request)}


def asked(key: Key, **changed: Any) -> dict[str, Any]:
    """A request that is in order, with changes; ... leaves a member out."""
    usual = {
        "type": "user", "public_key": key.line, "principals": ["ada"],
        "nonce": secrets.token_hex(16), "at": int(time.time()),
    }  # fmt: skip
    return {name: value for name, value in (usual | changed).items() if value is not ...}


def at_once(answers: Iterable[Awaitable[Any]]) -> list[Any]:
    """What is answered to all that is asked at the same time, in this order."""

    async def gathered() -> list[Any]:
        return await asyncio.gather(*answers)

    return asyncio.run(gathered())


def opened(folder: Path, memory: Memory, clock: Any = time.time) -> tuple[Authority, Operations]:
    """A CA over keys in memory."""
    authority = Authority(State(folder), lambda origin: memory)
    authority.mend()
    tokens = Checked(bless_kit.FakeCloud())
    return authority, Operations(authority, tokens, Issuer(authority, tokens, clock))


def certificate(answer: Any) -> Read:
    """The certificate of an answer, read."""
    return read(bless_kit.blob(answer["certificate"]))


@dataclass
class Ca:
    """A CA at work, and what a test asks of it."""

    folder: Path
    memory: Memory = field(default_factory=Memory)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.authority, self.operations = opened(self.folder, self.memory, self.clock)

    def records(self) -> int:
        """How many certificates are recorded."""
        return int(self.do(ADA, "audit", what="head")["size"])

    def last_refusal(self) -> Any:
        """The row of the refusal that was last."""
        return self.do(ADA, "audit", what="refusals")["refusals"][-1]

    def do(self, caller: Caller | None, doing: str, /, **members: Any) -> Any:
        """One operation."""
        event = {"do": doing} | members
        return asyncio.run(self.operations.answer(event, caller))

    def refused(self, code: str, answer: Any) -> str:
        """The message of an answer that is this refusal, and of which a row says so."""
        assert answer.get("error") == code, answer
        row = self.last_refusal()
        assert (row["code"], row["message"]) == (code, answer["message"])
        return str(answer["message"])

    def asked(self, key: Key, **changed: Any) -> dict[str, Any]:
        """A request that is in order by the CA's clock, with changes; ... leaves a member out."""
        return asked(key, **{"at": int(self.clock.now)} | changed)

    def signed(self, key: Key | None = None, **changed: Any) -> dict[str, Any]:
        """The same with its proof."""
        key = key or Key()
        return key.proved(self.asked(key, **changed))

    def issue(self, caller: Caller | None = ADA, key: Key | None = None, **changed: Any) -> Any:
        """Ask for a certificate."""
        return self.do(caller, "issue", **self.signed(key, **changed))

    def waits(self, key: Key | None = None, caller: Caller = ADA, *, needs: int = 1) -> str:
        """Ask for what so many must approve; the name of what waits."""
        answer = self.issue(caller, key, principals=["deploy"])
        assert answer["needs"] == needs
        return str(answer["pending"])

    def collect(self, id_: str, key: Key, caller: Caller = ADA, **changed: Any) -> Any:
        """Ask for what waited."""
        request = {"id": id_, "nonce": secrets.token_hex(16), "at": int(self.clock.now)} | changed
        return self.do(caller, "collect", **key.proved(request))

    def host(self, key: Key, *names: str) -> Any:
        """Ask for a host's certificate."""
        return self.issue(ADA, key, type="host", principals=list(names or [HOSTNAME]))

    def renew(self, key: Key, certificate: object, caller: Caller = ADA, **changed: Any) -> Any:
        """Ask for another one with a host's certificate."""
        signed = self.signed(key, **{"type": "host", "principals": [HOSTNAME]} | changed)
        return self.do(caller, "renew", certificate=certificate, **signed)

    def rotate(self, stage: str, *, force: bool = False) -> Any:
        """Take a step to the next key for users."""
        return self.do(ADA, "rotate", kind="user", stage=stage, force=force)

    def founded(self, policy: str = POLICY) -> Any:
        """Make the CA."""
        return self.do(ADA, "init", policy=policy, origin="test")


def founded(tmp_path: Path) -> Ca:
    """A CA that was founded, over keys in memory; for `pytest.fixture`."""
    made = Ca(tmp_path)
    assert made.founded()["generation"] == 1
    return made
