"""Signatures against botocore's own signer: every right one is let in, every change kept out."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPMessage, parse_headers
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dynimo.identity import canonical, sigv4
from dynimo.identity.refusals import IncompleteSignature, InvalidSignature
from dynimo.web.message import Headers, Request

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = "AKIAIOSFODNN7EXAMPLE"
SKEW = 900.0


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _received(signed: AWSRequest) -> Request:
    """What a server reads of a request that botocore sends: as http.client writes it."""
    prepared = signed.prepare()
    parts = urlsplit(prepared.url)
    headers = Headers(
        (name, value.decode("latin-1") if isinstance(value, bytes) else value)
        for name, value in prepared.headers.items()
    )
    if "host" not in headers:
        headers.add("host", parts.netloc)
    body = prepared.body or b""
    return Request(
        method=prepared.method,
        path=parts.path or "/",
        query=parts.query,
        headers=headers,
        body=body.encode() if isinstance(body, str) else bytes(body),
        peer="127.0.0.1",
    )


def _signed(
    method: str = "POST",
    url: str = "http://127.0.0.1:4566/2015-03-31/functions/f/invocations",
    *,
    body: bytes = b"{}",
    params: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    token: str | None = None,
    presigned: int | None = None,
    secret: str = SECRET,
) -> Request:
    asked = AWSRequest(
        method=method, url=url, data=body, params=params or {}, headers=headers or {}
    )
    credentials = Credentials(KEY, secret, token)
    if presigned is None:
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(asked)
    else:
        SigV4QueryAuth(credentials, "lambda", "us-east-1", expires=presigned).add_auth(asked)
    return _received(asked)


def _verify(request: Request, *, secret: str = SECRET, after_seconds: float = 0.0) -> sigv4.Claim:
    claim = sigv4.read(request)
    assert claim is not None
    sigv4.verify(request, claim, secret, _now() + after_seconds, SKEW)
    return claim


_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\xa0"), max_size=12
)
_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@settings(max_examples=300, deadline=None)
@given(
    segments=st.lists(_TEXT.filter(lambda text: text not in {".", ".."}), max_size=4),
    params=st.dictionaries(_TEXT.filter(bool), _TEXT, max_size=4),
    headers=st.dictionaries(
        st.from_regex(r"x-amz-[a-z]{1,8}", fullmatch=True).filter(
            lambda name: name not in {"x-amz-date", "x-amz-content"}
        ),
        _HEADER.map(str.strip),
        max_size=3,
    ),
    body=st.binary(max_size=64),
    token=st.none() | st.text("abcdefABCDEF0123456789+/=", min_size=1, max_size=40),
)
def test_whatever_botocore_signs_is_let_in(
    segments: list[str],
    params: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
) -> None:
    """Unicode, blanks, empty bodies, any path and query: one canonical form on both sides."""
    path = "/".join(quote(segment, safe="") for segment in segments)
    request = _signed(
        url=f"http://127.0.0.1:4566/{path}", params=params, headers=headers, body=body, token=token
    )

    claim = _verify(request)

    assert (claim.access_key, claim.region, claim.service) == (KEY, "us-east-1", "lambda")
    assert claim.token == (token or "")


@settings(max_examples=150, deadline=None)
@given(
    path=st.text("abc/.~%$:", max_size=20),
    query=st.lists(st.text("ab=+%20.~", max_size=8), max_size=5).map("&".join),
)
def test_a_query_and_path_as_they_are_sent(path: str, query: str) -> None:
    """Names repeated, without value, with a plus; slashes and dots: as botocore normalises them."""
    url = f"http://127.0.0.1:4566/x/{path}" + (f"?{query}" if query else "")
    _verify(_signed(url=url))


@settings(max_examples=100, deadline=None)
@given(params=st.dictionaries(st.text("abc é", min_size=1, max_size=5), _TEXT, max_size=3))
def test_whatever_botocore_presigns_is_let_in(params: dict[str, str]) -> None:
    """An address that carries its signature, good for as long as it says."""
    request = _signed("GET", body=b"", params=params, presigned=60, token="abc/+=")

    assert _verify(request, after_seconds=50).expires_seconds == 60


def test_a_date_header_serves_as_well() -> None:
    """Clients that set Date sign that instead of X-Amz-Date."""
    request = _signed(headers={"Date": "any"})

    assert "x-amz-date" not in request.headers
    _verify(request)


def test_headers_that_repeat_are_signed_in_their_order() -> None:
    """Values are joined by commas; another order is another request."""
    pairs = [("x-amz-a", "1"), ("x-amz-a", "2")]
    request = _by_hand(pairs)
    _verify(request)

    request.headers.pairs.reverse()
    with pytest.raises(InvalidSignature):
        _verify(request)


def test_text_beyond_ascii_in_a_header() -> None:
    """Signed as the bytes that are sent, or as the text that is meant: both are this request."""
    as_meant = _by_hand([("x-amz-a", "é")])
    _verify(as_meant)
    as_sent = replace(as_meant, headers=Headers(as_meant.headers.pairs))
    as_sent.headers.set("x-amz-a", "é".encode().decode("latin-1"))
    _verify(as_sent)


def test_a_path_that_its_client_does_not_normalise() -> None:
    """Some sign `//` as it is; it is the same request."""
    _verify(_by_hand([], path="/a//b/../c"))


def _by_hand(pairs: list[tuple[str, str]], path: str = "/a") -> Request:
    """Sign as the documentation says, without botocore."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = Headers([("host", "h"), ("x-amz-date", stamp), *pairs])
    names = sorted({name for name, _ in headers})
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lines = [f"{name}:{','.join(headers.get_all(name))}" for name in names]
    text = "\n".join(("GET", quote(path), "", *lines, "", ";".join(names), digest))
    scope = f"{stamp[:8]}/us-east-1/lambda/aws4_request"
    made = canonical.signature(SECRET, scope, canonical.string_to_sign(stamp, scope, text.encode()))
    headers.add(
        "authorization",
        f"AWS4-HMAC-SHA256 Credential={KEY}/{scope},SignedHeaders={';'.join(names)},"
        f"Signature={made}",
    )
    return Request(method="GET", path=path, headers=headers)


def _set(name: str, value: str) -> Callable[[Request], None]:
    return lambda request: request.headers.set(name, value)


def _put(name: str, value: Any) -> Callable[[Request], None]:
    return lambda request: setattr(request, name, value)


def _in_authorization(old: str, new: str) -> Callable[[Request], None]:
    def change(request: Request) -> None:
        text = request.headers.get("authorization")
        assert old in text
        request.headers.set("authorization", text.replace(old, new))

    return change


@pytest.mark.parametrize(
    "tamper",
    [
        _put("method", "PUT"),
        _put("path", "/2015-03-31/functions/g/invocations"),
        _put("path", "/2015-03-31/functions/f/../g/invocations"),
        _put("path", "/2015-03-31/functions/%66/invocations"),
        _put("query", "Qualifier=2"),
        _put("query", "Qualifier=1&Qualifier=2"),
        _put("query", "Qualifier="),
        _put("query", ""),
        _put("query", "qualifier=1"),
        _put("body", b""),
        _put("body", b"{} "),
        _set("host", "127.0.0.1:4567"),
        _set("x-amz-invocation-type", "Event"),
        _set("x-amz-invocation-type", ""),
        _set("content-type", "text/plain"),
        lambda request: request.headers.remove("x-amz-invocation-type"),
        lambda request: request.headers.add("x-amz-invocation-type", "Event"),
        lambda request: request.headers.add("x-amz-log-type", "Tail"),
        lambda request: request.headers.add("x-amz-security-token", "abc"),
        _in_authorization("us-east-1", "us-east-2"),
        _in_authorization("/lambda/", "/sts/"),
        _in_authorization("content-type;", ""),
        _in_authorization("host;", ""),
        _in_authorization("Signature=", "Signature=0"),
        _in_authorization("x-amz-date;x", "x"),
        _set("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ],
)
def test_every_change_is_refused(tamper: Callable[[Request], None]) -> None:
    """A signature is of one request: method, path, query, signed headers, body, scope."""
    request = _signed(
        url="http://127.0.0.1:4566/2015-03-31/functions/f/invocations?Qualifier=1",
        headers={"content-type": "application/json", "x-amz-invocation-type": "RequestResponse"},
    )
    _verify(request)
    tamper(request)

    with pytest.raises(InvalidSignature):
        _verify(request)


def test_a_changed_time_is_refused() -> None:
    """The time is signed too."""
    request = _signed()
    stamp = datetime.fromtimestamp(_now() + 1, UTC).strftime("%Y%m%dT%H%M%SZ")
    request.headers.set("x-amz-date", stamp)

    with pytest.raises(InvalidSignature):
        _verify(request)


def test_a_blank_and_a_plus_cannot_be_exchanged() -> None:
    """Whoever reads the query takes a plus for a blank; so does the signature."""
    request = _signed(url="http://127.0.0.1:4566/x?a=b%2Bc")
    request.query = "a=b+c"
    with pytest.raises(InvalidSignature):
        _verify(request)

    request = _signed(url="http://127.0.0.1:4566/x?a=b%20c")
    request.query = "a=b+c"
    _verify(request)


def test_another_secret_is_refused_and_the_refusal_helps_without_telling() -> None:
    """The canonical request is shown; secrets and tokens are not."""
    request = _signed(token="TOKENTOKEN")

    with pytest.raises(InvalidSignature) as caught:
        _verify(request, secret="another")

    text = str(caught.value)
    assert text.startswith("The request signature we calculated does not match")
    assert "/2015-03-31/functions/f/invocations" in text
    assert "host:127.0.0.1:4566" in text
    assert SECRET not in text
    assert "TOKENTOKEN" not in text
    claim = sigv4.read(request)
    assert claim is not None
    right = canonical.signature(SECRET, claim.scope, "x")
    assert right not in text


@pytest.mark.parametrize(
    ("after_seconds", "said"),
    [(901, "Signature expired: "), (86_400, "Signature expired: "), (-901, "not yet current: ")],
)
def test_a_clock_that_is_off_is_named(after_seconds: float, said: str) -> None:
    """Fifteen minutes to either side, and AWS's words for it."""
    request = _signed()
    _verify(request, after_seconds=890)
    _verify(request, after_seconds=-890)

    with pytest.raises(InvalidSignature) as caught:
        _verify(request, after_seconds=after_seconds)
    assert said in str(caught.value)
    assert "15 min.)" in str(caught.value)


def test_a_presigned_address_ends() -> None:
    """It holds for as long as it says, however long ago it was made."""
    request = _signed("GET", body=b"", presigned=3600)
    _verify(request, after_seconds=3590)

    with pytest.raises(InvalidSignature, match="Signature expired"):
        _verify(request, after_seconds=3610)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        ("Qualifier=1", "Qualifier=2"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bx"),
    ],
)
def test_a_presigned_address_cannot_be_changed(old: str, new: str) -> None:
    """Neither its time nor what it asks."""
    request = _signed("GET", "http://127.0.0.1:4566/x?Qualifier=1", body=b"", presigned=60)
    _verify(request)
    assert old in request.query
    request.query = request.query.replace(old, new)

    with pytest.raises(InvalidSignature):
        _verify(request)


def test_a_body_behind_a_presigned_address_must_be_the_signed_one() -> None:
    """Botocore signs the empty body; nobody can put one under it."""
    request = _signed("POST", body=b"", presigned=60)
    _verify(request)
    request.body = b'{"evil": 1}'

    with pytest.raises(InvalidSignature):
        _verify(request)


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        ("AWS4-HMAC-SHA1 Credential=a", "Unsupported AWS 'algorithm'"),
        ("AWS4-HMAC-SHA256 nonsense", "not a valid key=value pair"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c", "requires 'Signature' parameter."),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
            "exactly 5 slash-delimited elements",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a, Credential=b, SignedHeaders=host, Signature=0",
            "'Credential' twice",
        ),
    ],
)
def test_a_broken_header_is_named(authorization: str, said: str) -> None:
    """400, with what is wrong."""
    request = _signed()
    request.headers.set("authorization", authorization)

    with pytest.raises(IncompleteSignature, match=said):
        sigv4.read(request)


def test_one_signature_only() -> None:
    """Two of them, in any places, are refused: none of them counts."""
    twice = _signed()
    twice.headers.add("authorization", twice.headers.get("authorization"))
    both = _signed("GET", body=b"", presigned=60)
    both.headers.add("authorization", _signed().headers.get("authorization"))
    repeated = _signed("GET", body=b"", presigned=60)
    repeated.query += "&X-Amz-Signature=0"

    for request in (twice, both, repeated):
        with pytest.raises(IncompleteSignature):
            sigv4.read(request)


def test_no_signature_is_no_claim() -> None:
    """Whoever claims nothing is a stranger, not a liar."""
    assert sigv4.read(Request(method="GET", path="/")) is None
    basic = Request(method="GET", path="/", headers=Headers([("authorization", "Basic abc")]))
    assert sigv4.read(basic) is None


def test_what_http_client_reads_is_what_is_signed() -> None:
    """Runs of blanks in a header's value count as one, wherever they come from."""
    raw: HTTPMessage = parse_headers(io.BytesIO(b"X-Amz-A:  a   b \r\n\r\n"))
    assert canonical.value([("x-amz-a", raw["X-Amz-A"] or "")], "x-amz-a") == "a b"
