"""The issuing CA in process: approval by others, and hosts that renew."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dynimo.sdk.context import Caller
from issuing_kit import ADA, BOB, CARL, LEAD, POLICY, Ca, Key, certificate
from sshca.certificate import read


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    """A CA that was founded, over keys in memory."""
    made = Ca(tmp_path)
    assert made.founded()["generation"] == 1
    return made


def _refused(ca: Ca, answer: Any, code: str) -> str:
    """The answer is this refusal, and a row says so; the message."""
    assert answer.get("error") == code, answer
    row = ca.last_refusal()
    assert (row["code"], row["message"]) == (code, answer["message"])
    return str(answer["message"])


def _waits(ca: Ca, key: Key, caller: Caller = ADA) -> str:
    answer = ca.issue(caller, key, principals=["deploy"])
    assert answer["needs"] == 1
    return str(answer["pending"])


def _collect(ca: Ca, key: Key, id_: str, caller: Caller = ADA, **changed: Any) -> Any:
    request = {"id": id_, "nonce": "ab" * 16, "at": int(ca.clock.now)} | changed
    return ca.do(caller, "collect", request=request, proof=key.proof(request))


def test_what_needs_approval_waits_for_it(ca: Ca) -> None:
    """Then whoever asked collects it, once; the record names who agreed."""
    key = Key()
    id_ = _waits(ca, key)
    assert ca.records() == 0
    assert "1 more" in _refused(ca, _collect(ca, key, id_), "pending")
    assert [each["id"] for each in ca.do(LEAD, "waiting")["waiting"]] == [id_]
    assert ca.do(LEAD, "approve", id=id_)["approved_by"] == [LEAD.arn]
    answer = _collect(ca, key, id_, nonce="cd" * 16)
    assert certificate(answer).certificate.principals == ("deploy",)
    body = ca.do(ADA, "audit", what="inclusion", serial=answer["serial"])["body"]
    assert LEAD.arn in json.loads(body)["decision"]
    assert _collect(ca, key, id_, nonce="ef" * 16)["error"] == "unknown"


def test_who_may_approve(ca: Ca) -> None:
    """Approvers by the rule, never who asks, never twice; for others it is not there."""
    key = Key()
    id_ = _waits(ca, key)
    _refused(ca, ca.do(ADA, "approve", id=id_), "denied")
    _refused(ca, ca.do(BOB, "approve", id=id_), "unknown")
    assert not ca.do(BOB, "waiting")["waiting"]
    assert "approved_by" in ca.do(LEAD, "approve", id=id_)
    _refused(ca, ca.do(LEAD, "approve", id=id_), "invalid")
    own = _waits(ca, key, LEAD)
    _refused(ca, ca.do(LEAD, "approve", id=own), "denied")
    assert "approved_by" in ca.do(CARL, "approve", id=own)


def test_what_was_approved_is_for_the_same_key_and_caller(ca: Ca) -> None:
    """Another key proves nothing, another caller finds nothing."""
    key = Key()
    id_ = _waits(ca, key)
    ca.do(LEAD, "approve", id=id_)
    _refused(ca, _collect(ca, Key(), id_), "unproved")
    _refused(ca, _collect(ca, key, id_, BOB), "unknown")
    assert ca.records() == 0


def test_an_approval_ends(ca: Ca) -> None:
    """With its time, with a denial, or with the rule that wanted it."""
    key = Key()
    late = _waits(ca, key)
    ca.do(LEAD, "approve", id=late)
    ca.clock.now += 901
    _refused(ca, _collect(ca, key, late), "unknown")
    denied = _waits(ca, key)
    assert ca.do(LEAD, "deny", id=denied) == {"denied": denied}
    _refused(ca, _collect(ca, key, denied), "unknown")
    gone = _waits(ca, key)
    ca.do(LEAD, "approve", id=gone)
    ca.do(ADA, "policy", text=POLICY.replace('"deploy"]', '"other"]'))
    _refused(ca, _collect(ca, key, gone), "denied")
    assert ca.records() == 0


def test_an_approver_who_is_none_any_more_does_not_count(ca: Ca) -> None:
    """What is decided when it is collected is what the policy says then."""
    key = Key()
    id_ = _waits(ca, key)
    ca.do(LEAD, "approve", id=id_)
    ca.do(ADA, "policy", text=POLICY.replace("user/lead-*", "user/lead-carl"))
    _refused(ca, _collect(ca, key, id_), "pending")


def _host(ca: Ca, key: Key, *names: str, **changed: Any) -> Any:
    return ca.issue(ADA, key, type="host", principals=list(names), **changed)


def _renew(ca: Ca, key: Key, certificate: object, *names: str, **changed: Any) -> Any:
    request = ca.asked(key, type="host", principals=list(names), **changed)
    return ca.do(ADA, "renew", request=request, proof=key.proof(request), certificate=certificate)


def test_a_hosts_certificate_is_renewed_by_the_host(ca: Ca) -> None:
    """With its key and its certificate, for no more names than it has."""
    key = Key()
    first = _host(ca, key, "a.web.example.org", "b.web.example.org")
    again = _renew(ca, key, first["certificate"], "a.web.example.org")
    assert certificate(again).certificate.principals == ("a.web.example.org",)
    assert again["serial"] != first["serial"]
    _refused(ca, _renew(ca, key, again["certificate"], "b.web.example.org"), "denied")


def test_what_is_not_renewed(ca: Ca) -> None:
    """Another's key, a user's, expired, revoked, tampered, by a rule that is gone."""
    key, name = Key(), "a.web.example.org"
    first = _host(ca, key, name)["certificate"]
    _refused(ca, _renew(ca, Key(), first, name), "denied")
    user = ca.issue(key=key)["certificate"]
    _refused(ca, _renew(ca, key, user, name), "denied")
    _refused(ca, _renew(ca, key, "nothing", name), "invalid")
    _refused(ca, _renew(ca, key, 7, name), "invalid")
    kind, blob, *_ = first.split(" ")
    data = bytearray(base64.b64decode(blob))
    data[-1] ^= 1
    bent = f"{kind} {base64.b64encode(bytes(data)).decode()}"
    _refused(ca, _renew(ca, key, bent, name), "denied")
    serial = str(read(base64.b64decode(blob)).certificate.serial)
    other = _host(ca, key, name)["certificate"]
    ca.do(ADA, "revoke", serials=[serial])
    _refused(ca, _renew(ca, key, first, name), "denied")
    ca.do(ADA, "policy", text=POLICY.replace('name = "hosts"', 'name = "others"'))
    _refused(ca, _renew(ca, key, other, name), "denied")
    ca.do(ADA, "policy", text=POLICY)
    assert "certificate" in _renew(ca, key, other, name)
    ca.clock.now += 86_400
    _refused(ca, _renew(ca, key, other, name), "denied")


def test_another_cas_host_is_not_renewed(ca: Ca, tmp_path: Path) -> None:
    """Its certificate is by none of this CA's keys."""
    (tmp_path / "other").mkdir()
    other = Ca(tmp_path / "other")
    other.founded()
    key, name = Key(), "a.web.example.org"
    foreign = _host(other, key, name)["certificate"]
    _refused(ca, _renew(ca, key, foreign, name), "denied")
