"""What the tests of `dynimo ssh` share: an agent, a small web server, certificates. No asserts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sshca.certificate import USER, Certificate, line, signed
from sshca.public_key import PublicKey
from sshca.signers import InMemory
from tests import origins

SECONDS = 60
AFTER, BEFORE = 1_700_000_000, 4_000_000_000


def ran(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of OpenSSH's."""
    return subprocess.run(
        [str(each) for each in words], capture_output=True, text=True, timeout=SECONDS,
        check=False, env={**os.environ, **environment},
    )  # fmt: skip


def keygen(path: Path, kind: str = "ed25519") -> Path:
    """A key pair by ssh-keygen."""
    bits = ("-b", "2048") if kind == "rsa" else ()
    made = ran("ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-C", path.name, "-f", path)
    if made.returncode:
        raise RuntimeError(made.stderr)
    return path


@contextmanager
def ssh_agent(folder: Path) -> Iterator[dict[str, str]]:
    """An agent of its own; the variables that lead to it."""
    path = folder / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it listens by then
        yield {"SSH_AUTH_SOCK": str(path)}
    finally:
        process.terminate()
        process.communicate()


def certificate(
    key: PublicKey, ca: InMemory, *, serial: int = 7, key_id: str = "ada", before: int = BEFORE
) -> tuple[str, bytes]:
    """A user's certificate: its line and its bytes."""
    made = Certificate(
        key=key, type=USER, key_id=key_id, principals=("ada",), valid_after=AFTER,
        valid_before=before, critical={}, extensions={"permit-pty": ""}, nonce=bytes(32),
        serial=serial,
    )  # fmt: skip
    data = signed(made, ca)
    return line(made, data, "ada"), data


@dataclass
class Web:
    """A server on loopback that says what a test told it to."""

    body: bytes = b""
    etag: str = ""
    status: int = 200
    announced: int | None = None
    age: str = ""
    type: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web() -> Iterator[Web]:
    """One that gives ``body`` with ``etag``, and 304 to who has it."""
    told = Web()

    class Handler(origins.Handler):
        def get(self) -> None:
            tag = self.headers.get("if-none-match", "")
            told.asked.append((self.path, tag))
            same = bool(tag) and tag == told.etag and told.status == 200
            said = {"etag": told.etag, "content-type": told.type, "age": told.age}
            headers = {name: value for name, value in said.items() if value}
            if told.announced is not None and not same:
                headers["content-length"] = str(told.announced)
            self.say(304 if same else told.status, b"" if same else told.body, headers)

    with origins.listening(Handler) as told.port:
        yield told
