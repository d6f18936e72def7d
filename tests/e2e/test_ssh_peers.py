"""asyncssh as an SSH server lets in whom our certificates name, and nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from bless_kit import CA_ED25519, NONCE, pem
from sshca.certificate import HOST, USER, Certificate, line, signed
from sshca.public_key import parse
from sshca.signers import load
from tests.e2e.sshds import Sshd, keygen

pytestmark = pytest.mark.e2e

CA = load(pem(CA_ED25519, "pkcs8", None), None)
CA_LINE = asyncssh.import_private_key(pem(CA_ED25519, "pkcs8", None)).export_public_key().decode()
DAY = 86_400


def _certificate(key: str, type_: int, *principals: str) -> Certificate:
    """Valid for a day around now."""
    now = int(time.time())
    return Certificate(
        key=parse(key), type=type_, key_id="k", principals=principals, valid_after=now - DAY,
        valid_before=now + DAY, critical={}, extensions={"permit-pty": ""} if type_ == USER else {},
        nonce=NONCE, serial=7,
    )  # fmt: skip


def _told(certificate: Certificate) -> str:
    return line(certificate, signed(certificate, CA), "c")


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Sshd]:
    """A server with a host certificate of ours, that trusts our CA for the users that are named."""
    host = keygen(folder / "host")
    (folder / "host-cert.pub").write_text(_told(_certificate(host, HOST, "127.0.0.1")) + "\n")
    (folder / "trusted").write_text(f"cert-authority {CA_LINE}\n")

    def answer(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write(f"{process.command}\n")
        process.exit(0)

    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[str(folder / "host")],
        authorized_client_keys=str(folder / "trusted"), process_factory=answer,
    ) as server:  # fmt: skip
        yield Sshd(server.get_port(), folder)


async def test_asyncssh_lets_in_whom_the_certificate_names(tmp_path: Path) -> None:
    """OpenSSH's client, which knows the host by its certificate; nobody else's name will do."""
    key = keygen(tmp_path / "id")
    known = tmp_path / "known"
    known.write_text(f"@cert-authority * {CA_LINE}\n")
    strict = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}")
    async with _serving(tmp_path) as server:
        good = _certificate(key, USER, server.user)
        ended = good._replace(valid_before=int(time.time()) - 60)
        tried = {
            "good": _told(good), "forced": _told(good._replace(critical={"force-command": "pwd"})),
            "another's": _told(good._replace(principals=("somebody-else",))),
            "ended": _told(ended), "a host's": _told(good._replace(type=HOST, extensions={})),
            "elsewhere": _told(good._replace(critical={"source-address": "192.0.2.0/24"})),
            "unknown option": _told(good._replace(critical={"verify-required": ""})),
        }  # fmt: skip
        said = {
            name: await asyncio.to_thread(server.login, tmp_path / "id", text, *strict)
            for name, text in tried.items()
        }
    assert said.pop("good").stdout == "echo inside\n"
    assert said.pop("forced").stdout == "pwd\n"
    for name, ran in said.items():
        assert (ran.stdout, ran.returncode) == ("", 255), name
        assert "Permission denied" in ran.stderr, name
