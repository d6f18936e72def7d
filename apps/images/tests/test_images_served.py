"""Pictures from real web servers through both handlers, and TLS with its names checked."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import limits
import refusals
import remote
from dynimo.sdk import http as sdk_http
from tests.origins import serving

Ask = Callable[..., sdk_http.Reply]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def test_a_picture_from_a_server_is_like_one_from_a_folder(
    tmp_path: Path, decide: Ask, make: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same bytes, a validator of its own, 304 for it, 404 for what the server does not have."""
    (tmp_path / "b.jpg").write_bytes(SAMPLE.read_bytes())
    with serving(tmp_path) as port:
        sources = {"web": f"http://127.0.0.1:{port}/", "disk": str(tmp_path)}
        monkeypatch.setenv("DYNIMO_SOURCES", json.dumps(sources))
        paths = {
            name: dict(decide(f"{name}/b.jpg", "w=90").headers)[sdk_http.FORWARD_HEADER]
            for name in sources
        }
        web, disk = (make(paths[name]) for name in ("web", "disk"))
        headers = dict(web.headers)
        assert (web.status, web.body) == (200, disk.body)
        assert headers["last-modified"] == dict(disk.headers)["last-modified"]
        assert make(paths["web"], {"if-none-match": headers["etag"]}).status == 304
        assert make(paths["web"].replace("b.jpg", "c.jpg")).status == 404


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for the name pictures.example, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    root = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=x",
            "-addext", "subjectAltName=DNS:pictures.example",
            "-keyout", root / "key.pem", "-out", root / "certificate.pem",
        ],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return root


def secure(certificate: Path, host: str, folder: Path, *, trusted: bool = True) -> bytes:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    tls = ssl.create_default_context()
    if trusted:
        tls.load_verify_locations(certificate / "certificate.pem")
    with serving(folder, server) as port:
        client = remote.Client(
            limits.Limits(),
            private_hosts=frozenset({f"{host}:{port}"}),
            resolve=lambda _, __: ["127.0.0.1"],
            tls=tls,
        )
        found = client.open_file(f"https://{host}:{port}", "a.txt")
        try:
            return found.read().data
        finally:
            found.close()
            client.close()


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """Put a small file where a server finds it."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    return tmp_path


def test_tls_is_spoken_with_the_hosts_name(certificate: Path, held: Path) -> None:
    """The address is pinned, and the certificate is checked against the name all the same."""
    assert secure(certificate, "pictures.example", held) == b"abc"


@pytest.mark.parametrize(
    ("host", "trusted"), [("other.example", True), ("pictures.example", False)]
)
def test_a_certificate_that_does_not_fit_is_refused(
    certificate: Path, held: Path, host: str, *, trusted: bool
) -> None:
    """Another name, or nobody known who signed it: 502."""
    with pytest.raises(refusals.Refusal) as caught:
        secure(certificate, host, held, trusted=trusted)
    assert (caught.value.status, caught.value.code) == (502, "source_tls")
