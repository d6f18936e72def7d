"""The issuing CA in process: approval by others, and hosts that renew."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from issuing_kit import ADA, BOB, CARL, HOSTNAME, LEAD, POLICY, Ca, Key, certificate, founded

ca = pytest.fixture(founded)


def test_what_needs_approval_waits_for_it(ca: Ca) -> None:
    """Then whoever asked collects it, once; the record names who agreed."""
    key = Key()
    id_ = ca.waits(key)
    assert ca.records() == 0
    assert "1 more" in ca.refused("pending", ca.collect(id_, key))
    assert [each["id"] for each in ca.do(LEAD, "waiting")["waiting"]] == [id_]
    assert ca.do(LEAD, "approve", id=id_)["approved_by"] == [LEAD.arn]
    answer = ca.collect(id_, key)
    assert certificate(answer).certificate.principals == ("deploy",)
    body = ca.do(ADA, "audit", what="inclusion", serial=answer["serial"])["body"]
    assert LEAD.arn in json.loads(body)["decision"]
    assert ca.collect(id_, key)["error"] == "unknown"


def test_who_may_approve(ca: Ca) -> None:
    """Approvers by the rule, never who asks, never twice; for others it is not there."""
    key = Key()
    id_ = ca.waits(key)
    ca.refused("denied", ca.do(ADA, "approve", id=id_))
    ca.refused("unknown", ca.do(BOB, "approve", id=id_))
    assert not ca.do(BOB, "waiting")["waiting"]
    assert "approved_by" in ca.do(LEAD, "approve", id=id_)
    ca.refused("invalid", ca.do(LEAD, "approve", id=id_))
    own = ca.waits(key, LEAD)
    ca.refused("denied", ca.do(LEAD, "approve", id=own))
    assert "approved_by" in ca.do(CARL, "approve", id=own)


def test_what_was_approved_is_for_the_same_key_and_caller(ca: Ca) -> None:
    """Another key proves nothing, another caller finds nothing."""
    key = Key()
    id_ = ca.waits(key)
    ca.do(LEAD, "approve", id=id_)
    ca.refused("unproved", ca.collect(id_, Key()))
    ca.refused("unknown", ca.collect(id_, key, BOB))
    assert ca.records() == 0


def test_an_approval_ends(ca: Ca) -> None:
    """With its time, with a denial, or with the rule that wanted it."""
    key = Key()
    late = ca.waits(key)
    ca.do(LEAD, "approve", id=late)
    ca.clock.now += 901
    ca.refused("unknown", ca.collect(late, key))
    denied = ca.waits(key)
    assert ca.do(LEAD, "deny", id=denied) == {"denied": denied}
    ca.refused("unknown", ca.collect(denied, key))
    gone = ca.waits(key)
    ca.do(LEAD, "approve", id=gone)
    ca.do(ADA, "policy", text=POLICY.replace('"deploy"]', '"other"]'))
    ca.refused("denied", ca.collect(gone, key))
    assert ca.records() == 0


def test_an_approver_who_is_none_any_more_does_not_count(ca: Ca) -> None:
    """What is decided when it is collected is what the policy says then."""
    key = Key()
    id_ = ca.waits(key)
    ca.do(LEAD, "approve", id=id_)
    ca.do(ADA, "policy", text=POLICY.replace("user/lead-*", "user/lead-carl"))
    ca.refused("pending", ca.collect(id_, key))


def test_a_hosts_certificate_is_renewed_by_the_host(ca: Ca) -> None:
    """With its key and its certificate, for no more names than it has."""
    key, other = Key(), "b.web.example.org"
    first = ca.host(key, HOSTNAME, other)
    again = ca.renew(key, first["certificate"])
    assert certificate(again).certificate.principals == (HOSTNAME,)
    assert again["serial"] != first["serial"]
    ca.refused("denied", ca.renew(key, again["certificate"], principals=[other]))


def test_what_is_not_renewed(ca: Ca) -> None:
    """Another's key, a user's, expired, revoked, tampered, by a rule that is gone."""
    key = Key()
    answer = ca.host(key)
    first = answer["certificate"]
    ca.refused("denied", ca.renew(Key(), first))
    user = ca.issue(key=key)["certificate"]
    ca.refused("denied", ca.renew(key, user))
    ca.refused("invalid", ca.renew(key, "nothing"))
    ca.refused("invalid", ca.renew(key, 7))
    kind, blob, *_ = first.split(" ")
    data = bytearray(base64.b64decode(blob))
    data[-1] ^= 1
    bent = f"{kind} {base64.b64encode(bytes(data)).decode()}"
    ca.refused("denied", ca.renew(key, bent))
    other = ca.host(key)["certificate"]
    ca.do(ADA, "revoke", serials=[answer["serial"]])
    ca.refused("denied", ca.renew(key, first))
    ca.do(ADA, "policy", text=POLICY.replace('name = "hosts"', 'name = "others"'))
    ca.refused("denied", ca.renew(key, other))
    ca.do(ADA, "policy", text=POLICY)
    assert "certificate" in ca.renew(key, other)
    ca.clock.now += 86_400
    ca.refused("denied", ca.renew(key, other))


def test_another_cas_host_is_not_renewed(ca: Ca, tmp_path: Path) -> None:
    """Its certificate is by none of this CA's keys."""
    (tmp_path / "other").mkdir()
    other = Ca(tmp_path / "other")
    other.founded()
    key = Key()
    foreign = other.host(key)["certificate"]
    ca.refused("denied", ca.renew(key, foreign))
