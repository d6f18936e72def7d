"""Parts of the issuing CA by themselves: the KMS's client, canonical JSON, requests, bundles."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.cloud import CloudError
from issuing import bundles, ca_keys, canonical, requested, revoked, sigv4
from issuing.canonical import CanonicalError
from issuing.kms import Kms
from issuing.refusal import INVALID, Refused
from issuing_kit import Key
from tests import origins

FEW = settings(max_examples=60, deadline=None)
SECRET = "a-secret-that-shows-nowhere"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


class _Kms(origins.Handler):
    """Answers as it is told, and closes the connection after each answer without a word of it."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, bytes]]] = []
    seen: ClassVar[list[dict[str, str]]] = []

    def post(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.say(*self.answers.pop(0))
        self.close_connection = True


@pytest.fixture
def kms() -> Iterator[Kms]:
    """A client of a server that answers as `_Kms.answers` says."""
    _Kms.answers, _Kms.seen = [], []
    with origins.listening(_Kms) as port:
        made = Kms({
            "AWS_ENDPOINT_URL_KMS": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-west-1",
        })  # fmt: skip
        yield made
        made.close()


def test_a_connection_that_was_closed_while_idle_is_made_anew(kms: Kms) -> None:
    """Nobody sees that; a signature is asked for once more at most."""
    answer = json.dumps({"Signature": base64.b64encode(b"signed").decode()}).encode()
    _Kms.answers = [(200, answer)] * 3
    for _ in range(3):
        assert kms.sign("key", b"message", "ED25519_SHA_512", digest=False) == b"signed"
    assert {each["x-amz-target"] for each in _Kms.seen} == {"TrentService.Sign"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"__type":"AccessDeniedException","message":"no"}'), (500, b"{}"), (200, b"[]"),
        (200, b"no JSON"), (200, b"{}"), (200, b'{"Signature": "%"}'), (200, b'{"Signature": 7}'),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_no_signature(kms: Kms, status: int, body: bytes) -> None:
    """And the error shows nothing of what was sent."""
    _Kms.answers = [(status, body)]
    with pytest.raises(CloudError) as caught:
        kms.sign("key", SECRET.encode(), "ED25519_SHA_512", digest=False)
    assert SECRET not in str(caught.value)


def test_a_kms_that_is_not_there_is_an_error() -> None:
    """So is a CA without credentials."""
    there = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(CloudError, match="credentials"):
        Kms(there).public_key("key")
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET}
    with pytest.raises(CloudError, match="cannot be reached") as caught:
        Kms(there | keys).public_key("key")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("token", ["", "session+token/="])
def test_signatures_are_those_of_botocore(token: str) -> None:
    """Header by header, for a user's keys and a role's."""
    now, body, given = 1_700_000_000.0, b'{"KeyId":"a"}', {"content-type": "application/json"}
    made = sigv4.headers(
        sigv4.Credentials("AKIAEXAMPLE", SECRET, token), now, host="kms.example:8443",
        region="eu-west-1", service="kms", body=body, given=given,
    )  # fmt: skip
    request = AWSRequest("POST", "https://kms.example:8443/", headers=given, data=body)
    request.context["timestamp"] = made["x-amz-date"]
    theirs = SigV4Auth(BotoCredentials("AKIAEXAMPLE", SECRET, token or None), "kms", "eu-west-1")
    request.headers["X-Amz-Date"] = made["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    wanted = theirs.signature(
        theirs.string_to_sign(request, theirs.canonical_request(request)), request
    )
    assert made["authorization"].endswith(f"Signature={wanted}")


def test_only_the_role_signs() -> None:
    """A key's policy names the role of a session, or the user; what is neither makes no key."""
    session = "arn:aws:sts::000000000000:assumed-role/bless-ca/bless-ca"
    told = json.loads(ca_keys.key_policy(session))
    denied = told["Statement"][1]
    assert (denied["Effect"], denied["Action"]) == ("Deny", "kms:Sign")
    roles = denied["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    assert "arn:aws:iam::000000000000:role/*/bless-ca" in roles
    assert not any(role.endswith("*") for role in roles)
    with pytest.raises(CloudError):
        ca_keys.key_policy("arn:aws:iam::000000000000:root")


@given(JSON)
@FEW
def test_canonical_json_is_one_form(value: Any) -> None:
    """What is read from it has the same bytes again, in whatever order its names came."""
    try:
        data = canonical.encoded(value)
    except CanonicalError:
        return
    assert canonical.encoded(json.loads(data)) == data


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), {"a": {1}}, {1: 2}, "\ud800", [[[[[[[[[]]]]]]]]]]
)
def test_what_has_no_one_form_is_refused(value: Any) -> None:
    """Fractions, sets, names that are no text, half characters, a depth without end."""
    with pytest.raises(CanonicalError):
        canonical.encoded(value)


REQUEST = {
    "type": "user", "public_key": Key().line, "principals": ["ada"], "nonce": "0" * 32, "at": 1,
}  # fmt: skip


@given(st.dictionaries(st.sampled_from([*requested._NEEDED, *requested._OPTIONAL, "x"]), JSON))
@FEW
def test_any_request_is_one_or_is_refused(changed: dict[str, Any]) -> None:
    """With the code for it, whatever stands in a member."""
    try:
        found = requested.read(REQUEST | changed)
    except Refused as error:
        assert error.code == INVALID
    else:
        assert found.principals
        assert all("," not in each and each.isprintable() for each in found.principals)


@given(st.dictionaries(st.sampled_from(sorted(revoked.MEMBERS)), JSON | st.lists(st.text())))
@FEW
def test_any_revocation_is_one_or_is_refused(told: dict[str, Any]) -> None:
    """With the code for it."""
    try:
        found = revoked.entries(told, [])
    except Refused as error:
        assert error.code == INVALID
    else:
        assert all(each.what in revoked.MEMBERS.values() for each in found)


AUTHORITIES = [
    {"kind": kind, "stage": stage, "key": f"{kind}-{stage}"}
    for kind in ("user", "host")
    for stage in ("retired", "overlap", "signing", "published")
]


def test_bundles_have_every_key_that_is_not_retired() -> None:
    """So that a step of a rotation leaves no gap, and what was taken out is out."""
    assert bundles.keys(AUTHORITIES, "user") == "user-overlap\nuser-signing\nuser-published\n"
    assert bundles.known_hosts(AUTHORITIES, "*.example.org,[db]:22") == "".join(
        f"@cert-authority *.example.org,[db]:22 host-{stage}\n"
        for stage in ("overlap", "signing", "published")
    )


@given(st.text(max_size=30))
@FEW
def test_no_domains_make_another_line(domains: str) -> None:
    """Nor another field: whoever asks chooses them."""
    try:
        text = bundles.known_hosts(AUTHORITIES, domains)
    except ValueError:
        return
    assert [line.split(" ")[:2] for line in text.splitlines()] == [["@cert-authority", domains]] * 3
