"""A real sshd on loopback for tests, with its own keys and configuration. No asserts."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 20.0
SSH_SECONDS = 30
_SEPARATION = Path("/run/sshd")
"""Where Debian's sshd locks its unprivileged half up."""


def program() -> str:
    """Where sshd is; skips with a reason when it is not here."""
    found = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("needs sshd: apt-get install openssh-server")
    if os.geteuid() == 0:
        _SEPARATION.mkdir(mode=0o755, exist_ok=True)
    return found


def keygen(path: Path, kind: str = "ed25519") -> str:
    """A key pair by ssh-keygen; the public line."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, "-f", str(path)],
        check=True, timeout=SSH_SECONDS,
    )  # fmt: skip
    return path.with_name(path.name + ".pub").read_text()


def sign(ca: Path, key: Path, key_id: str, *words: str) -> None:
    """A certificate by ssh-keygen, beside the key, for whoever runs the tests."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(ca), "-I", key_id, "-n", user(), *words, f"{key}.pub"],
        check=True, timeout=SSH_SECONDS,
    )  # fmt: skip


def user() -> str:
    """Who may be logged in as: whoever runs the tests."""
    return getpass.getuser()


def beside(key: Path) -> Path:
    """Where ssh looks for a key's certificate."""
    return key.with_name(f"{key.name}-cert.pub")


@dataclass(frozen=True)
class Sshd:
    """A server: its port, its log, and the folder that its keys are in."""

    port: int
    folder: Path

    @property
    def user(self) -> str:
        """Who may be logged in as."""
        return user()

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "sshd.log").read_text()

    def login(self, key: Path, certificate: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Log in with a certificate and say a word."""
        path = beside(key)
        path.write_text(certificate + "\n")
        path.chmod(0o600)
        chosen = [
            "BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ControlPath=none",
            f"CertificateFile={path}",
        ]  # fmt: skip
        known = options or ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
        given = [word for each in (*chosen, *known) for word in ("-o", each)]
        return subprocess.run(
            ["ssh", "-F", "none", "-p", str(self.port), "-i", str(key), *given,
             f"{self.user}@127.0.0.1", "echo", "inside"],
            capture_output=True, text=True, timeout=SSH_SECONDS, check=False,
        )  # fmt: skip


@contextmanager
def running(folder: Path, ca: str, *lines: str) -> Iterator[Sshd]:
    """An sshd that trusts one CA for its users, with more ``lines`` of configuration."""
    found = program()
    if not (folder / "host").exists():
        keygen(folder / "host")
    (folder / "user_ca.pub").write_text(ca + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = [
        "ListenAddress 127.0.0.1", f"Port {port}", f"HostKey {folder / 'host'}",
        f"TrustedUserCAKeys {folder / 'user_ca.pub'}", "PidFile none", "UsePAM no",
        "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password", "AuthorizedKeysFile none", "LogLevel VERBOSE", *lines,
    ]  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(configuration) + "\n")
    with (folder / "sshd.log").open("w") as log:
        process = subprocess.Popen(
            [found, "-D", "-e", "-f", str(folder / "sshd_config")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Server listening" not in (folder / "sshd.log").read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start: {(folder / 'sshd.log').read_text()}")
            time.sleep(0.01)
        yield Sshd(port, folder)
    finally:
        process.kill()
        process.wait()
