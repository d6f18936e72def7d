"""The program serves https with a certificate that may change while it runs."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import certificates
from tests.e2e.aws.kit import development_key
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

SETTINGS = """\
[tls]
port = 0
certificate = "cert.pem"
key = "key.pem"
reload_seconds = 3600
[access_log]
form = "combined"
"""
WAIT_SECONDS = 60.0


class Site:
    """A server with https."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.folder = folder
        certificates.write(folder)
        (folder / "settings.toml").write_text(f"workers = {workers}\n{SETTINGS}")
        arguments = ("--config", str(folder / "settings.toml"))
        self.server = Server(folder / "data", arguments).start()
        line = next(each for each in self.server.words().splitlines() if "https://" in each)
        self.port = int(line.strip().removesuffix("/").rpartition(":")[2])

    def certificate(self) -> bytes:
        """What a new client is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            shown = wrapped.getpeercert(binary_form=True)
        assert shown is not None
        return shown

    def file(self) -> bytes:
        """What the file holds."""
        return ssl.PEM_cert_to_DER_cert((self.folder / "cert.pem").read_text())

    def wait_until_shown(self) -> None:
        """Until new clients are shown what the file holds."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.certificate() != self.file():
            assert time.monotonic() < deadline, "the certificate was not read again"
            time.sleep(0.02)

    def curl(self, *arguments: str) -> str:
        """What curl says of the health page, the certificate being checked.

        Asked again while it is not trusted: a front that is being replaced still shows the old one.
        """
        command = ["curl", "-sSf", "--cacert", str(self.folder / "cert.pem"), *arguments]
        url = f"https://127.0.0.1:{self.port}/livez"
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            ran = subprocess.run([*command, url], capture_output=True, text=True, timeout=60)
            if ran.returncode == 0 or time.monotonic() > deadline:
                return ran.stdout or ran.stderr
            time.sleep(0.05)


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "fronts"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("https"), workers=request.param)
    yield made
    made.server.stop()


def test_sighup_brings_the_new_certificate(site: Site) -> None:
    """New clients see it; the program goes on."""
    before = site.certificate()
    certificates.write(site.folder)
    assert site.certificate() == before

    assert site.server.process is not None
    site.server.process.send_signal(signal.SIGHUP)
    site.wait_until_shown()

    told = site.curl("--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}")
    assert told == "2 200"


def test_a_certificate_that_cannot_be_used_changes_nothing(site: Site) -> None:
    """Somebody may be in the midst of writing it."""
    before, whole = site.certificate(), (site.folder / "cert.pem").read_text()
    (site.folder / "cert.pem").write_text(whole[: len(whole) // 2])
    assert site.server.process is not None
    site.server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + WAIT_SECONDS
    while "not read again" not in site.server.words():
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert site.certificate() == before
    (site.folder / "cert.pem").write_text(whole)


def test_the_command_line_trusts_what_aws_tools_trust(site: Site) -> None:
    """AWS_CA_BUNDLE; without it the refusal names it."""
    key, secret = development_key(site.server.data)
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{site.port}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    site.wait_until_shown()

    def versions(bundle: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dynimo", "versions"],
            env={**environment, "AWS_CA_BUNDLE": bundle},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    distrusted, absent = versions(""), versions("/no/such")

    assert versions(str(site.folder / "cert.pem")).returncode == 0
    assert (distrusted.returncode, absent.returncode) == (69, 78)
    assert "in AWS_CA_BUNDLE" in distrusted.stderr
    assert "/no/such: No such file or directory. Mend AWS_CA_BUNDLE." in absent.stderr


def test_what_was_asked_is_in_the_access_log(site: Site) -> None:
    """By whichever door; without the values of secrets."""
    site.curl("--http2", "-H", "user-agent: over-tls")
    site.server.get("/livez?signature=s3cret", {"user-agent": "plain"})

    def told() -> str:  # each front has a log of its own
        return "".join(log.read_text() for log in site.server.data.glob("access*.log"))

    deadline = time.monotonic() + WAIT_SECONDS
    while not all(word in told() for word in ("over-tls", "plain")):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert "GET /livez HTTP/2.0" in told()
    assert "s3cret" not in told()
    assert "s3cret" not in site.server.words()


def test_without_its_files_the_program_says_so_and_does_not_start(tmp_path: Path) -> None:
    """With the name of the setting, and the exit code of a configuration."""
    (tmp_path / "settings.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "dynimo", "up", "--port", "0", "--data", str(tmp_path / "d")]
    ran = subprocess.run(
        [*command, "--config", str(tmp_path / "settings.toml")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert ran.returncode == 78
    assert "tls.certificate" in ran.stderr
    assert "Traceback" not in ran.stderr
