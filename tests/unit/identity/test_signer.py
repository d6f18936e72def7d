"""Our own signer: what it signs is what botocore would have signed, and what our door lets in."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dynimo.identity import signer, sigv4
from dynimo.web.message import Headers, Request

CREDENTIALS = signer.Credentials(access_key="AKIAEXAMPLE", secret="secret/+", token="token==")
NOW = 1_700_000_000.0


@settings(max_examples=150, deadline=None)
@given(
    target=st.text("abc/.~-_%:$é ", max_size=20),
    query=st.text("ab=&%20~.", max_size=12),
    body=st.binary(max_size=32),
)
def test_what_we_sign_our_door_lets_in(target: str, query: str, body: bytes) -> None:
    """Every address that the command line can make."""
    path = "/x/" + target.encode("ascii", "ignore").decode().replace(" ", "%20")
    url = f"http://127.0.0.1:4566{path}?{query}"
    headers = signer.sign(
        "POST", url, {"Content-Type": "a  b"}, body,
        credentials=CREDENTIALS, region="us-east-1", now=NOW,
    )  # fmt: skip
    request = Request(
        method="POST", path=path, query=query, headers=Headers(headers.items()), body=body
    )

    claim = sigv4.read(request)
    assert claim is not None
    sigv4.verify(request, claim, CREDENTIALS.secret, NOW, 900)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/2015-03-31/functions/f%3Ag/invocations?Qualifier=a%20b&A=",
        "http://example.com/",
        "http://example.com:80/a//b/./c/",
        "http://[::1]:4566/a?b=c&b=a",
    ],
)
def test_the_signature_is_botocores(url: str) -> None:
    """Bit by bit, at the same moment."""
    asked = AWSRequest(method="PUT", url=url, data=b"{}", headers={"content-type": "a"})
    moment = datetime.fromtimestamp(NOW, UTC)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        botocore.auth.SigV4Auth(
            BotoCredentials(CREDENTIALS.access_key, CREDENTIALS.secret, CREDENTIALS.token),
            "lambda",
            "eu-west-1",
        ).add_auth(asked)

    made = signer.sign(
        "PUT", url, {"content-type": "a"}, b"{}",
        credentials=CREDENTIALS, region="eu-west-1", now=NOW,
    )  # fmt: skip

    assert made["authorization"].replace(", ", ",") == asked.headers["Authorization"].replace(
        ", ", ","
    )
    assert made["host"] == urlsplit(url).netloc.removesuffix(":80")


def test_a_secret_is_not_shown_by_chance() -> None:
    """Neither in a log line nor in a traceback's locals."""
    assert "secret" not in repr(CREDENTIALS).replace("Credentials", "")
    assert "token" not in repr(CREDENTIALS)


def test_the_signer_is_light() -> None:
    """The command line starts at once: nothing but the standard library, and little of that."""
    code = (
        "import sys, dynimo.identity.signer;"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & {'botocore', 'cryptography',"
        " 'sqlite3', 'asyncio', 'msgspec'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout.strip() == "[]"
