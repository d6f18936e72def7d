"""The issuing CA in process: revocation, rotation, policy and its explanation."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from issuing.generations import ROTATION_SECONDS
from issuing_kit import ADA, BOB, POLICY, Ca, Key, certificate, founded
from revocation import reading
from revocation.krl import Presented, revoked_by
from sshca.public_key import parse

ca = pytest.fixture(founded)


def test_revoked_is_what_the_list_says(ca: Ca) -> None:
    """By serial, key id, key and fingerprint; the version grows, the list is the same for all."""
    keys = [Key() for _ in range(4)]
    answers = [ca.issue(key=key) for key in keys]
    assert ca.do(ADA, "krl")["version"] == 0
    ca.do(ADA, "revoke", serials=[answers[0]["serial"]], reason="lost")
    ca.do(ADA, "revoke", keys=[keys[1].line], fingerprints=[keys[2].public.sha256])
    told = ca.do(BOB, "krl")
    assert told["version"] == 2
    krl = reading.read(base64.b64decode(told["krl"]))
    assert krl.version == 2
    seen = [certificate(answer) for answer in answers]
    revoked = [
        revoked_by(krl, Presented(key.public.blob, one.ca.blob, one.certificate.serial, ""))
        for key, one in zip(keys, seen, strict=True)
    ]
    assert [bool(each) for each in revoked] == [True, True, True, False]
    ca.do(ADA, "revoke", key_ids=[answers[3]["key_id"]])
    krl = reading.read(base64.b64decode(ca.do(BOB, "krl")["krl"]))
    one = seen[3]
    assert revoked_by(krl, Presented(keys[3].public.blob, one.ca.blob, 1, one.certificate.key_id))


def test_a_revoked_key_is_not_certified_again(ca: Ca) -> None:
    """Whether it was revoked by itself or by its fingerprint."""
    first, second = Key(), Key()
    ca.do(ADA, "revoke", keys=[first.line], fingerprints=[second.public.sha256])
    for key in (first, second):
        assert "revoked" in ca.refused("denied", ca.issue(key=key))
    assert "certificate" in ca.issue()


@pytest.mark.parametrize(
    "members",
    [
        {}, {"serials": ["0"]}, {"serials": [1.5]}, {"serials": "7"}, {"serials": [str(2**64)]},
        {"key_ids": [""]}, {"key_ids": ["a\0b"]}, {"keys": ["ssh-rsa x"]},
        {"fingerprints": ["MD5:x"]}, {"fingerprints": ["SHA256:x"]}, {"serials": [7], "more": 1},
        {"serials": [7], "reason": 7},
    ],
)  # fmt: skip
def test_what_cannot_be_revoked_is_refused(ca: Ca, members: dict[str, Any]) -> None:
    """And the list stays as it is."""
    ca.refused("invalid", ca.do(ADA, "revoke", **members))
    assert ca.do(ADA, "krl")["version"] == 0


def test_only_administrators_change_the_ca(ca: Ca) -> None:
    """Not whoever may have certificates; nor may everybody read the log and the refusals."""
    for doing, members in (
        ("revoke", {"serials": ["7"]}), ("rotate", {"kind": "user", "stage": "publish"}),
        ("policy", {}), ("policy", {"text": POLICY}), ("audit", {"what": "export"}),
        ("audit", {"what": "refusals"}),
    ):  # fmt: skip
        ca.refused("denied", ca.do(BOB, doing, **members))
    assert ca.do(ADA, "policy")["version"] == 1


def test_a_ca_key_is_revoked_as_such(ca: Ca) -> None:
    """Not by mistake as anybody's key, and no other CA's."""
    own = ca.do(ADA, "authorities")["authorities"][0]["key"]
    ca.refused("invalid", ca.do(ADA, "revoke", keys=[own]))
    ca.refused("invalid", ca.do(ADA, "revoke", ca=[Key().line]))
    assert ca.do(ADA, "revoke", ca=[own])["krl_version"] == 1
    krl = reading.read(base64.b64decode(ca.do(ADA, "krl")["krl"]))
    assert parse(own).blob in krl.keys
    ca.refused("no_ca", ca.issue())
    for stage in ("publish", "sign"):
        ca.rotate(stage, force=True)
    assert "certificate" in ca.issue()


def _stages(ca: Ca, kind: str) -> list[str]:
    told = ca.do(ADA, "authorities")["authorities"]
    return [each["stage"] for each in told if each["kind"] == kind]


def test_a_rotation_leaves_no_gap(ca: Ca) -> None:
    """Published, then signing beside the old one, then alone; hosts' keys stay as they are."""
    old = certificate(ca.issue()).ca.blob
    ca.rotate("publish")
    assert _stages(ca, "user") == ["signing", "published"]
    assert certificate(ca.issue()).ca.blob == old
    ca.refused("invalid", ca.rotate("sign"))
    ca.clock.now += ROTATION_SECONDS
    ca.rotate("sign")
    assert _stages(ca, "user") == ["overlap", "signing"]
    assert certificate(ca.issue()).ca.blob != old
    ca.refused("invalid", ca.rotate("retire"))
    ca.clock.now += 3 * 3600
    assert not ca.memory.ended
    ca.rotate("retire")
    assert _stages(ca, "user") == ["retired", "signing"]
    assert len(ca.memory.ended) == 1
    assert _stages(ca, "host") == ["signing"]
    assert "certificate" in ca.issue()


def test_force_takes_a_step_before_its_time(ca: Ca) -> None:
    """For when a key was stolen; one step after the other still."""
    for stage in ("publish", "sign", "retire"):
        ca.issue()
        assert "authorities" in ca.rotate(stage, force=True)
    assert _stages(ca, "user") == ["retired", "signing"]


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "user", "stage": "sign"}, {"kind": "user", "stage": "retire"},
        {"kind": "robot", "stage": "publish"}, {"kind": "user", "stage": "other"},
        {"kind": "user", "stage": "publish", "key": "dsa"},
        {"kind": "user", "stage": "publish", "force": "yes"},
    ],
)  # fmt: skip
def test_a_step_that_is_none_changes_nothing(ca: Ca, members: dict[str, Any]) -> None:
    """Nothing to sign with, nothing to retire, no such kind."""
    before = ca.do(ADA, "authorities")
    ca.refused("invalid", ca.do(ADA, "rotate", **members))
    assert ca.do(ADA, "authorities") == before


def test_a_policy_replaces_the_other_after_a_check(ca: Ca) -> None:
    """One that cannot be used, or would lock its giver out, changes nothing."""
    ca.refused("invalid", ca.do(ADA, "policy", text="nonsense ="))
    locked = POLICY.replace("user/ada", "user/bob")
    assert "administrator" in ca.refused("invalid", ca.do(ADA, "policy", text=locked))
    assert ca.do(ADA, "policy") == {"policy": POLICY, "version": 1}
    assert ca.do(ADA, "policy", text=POLICY + "\n")["version"] == 2


def test_explain_says_what_would_be_and_signs_nothing(ca: Ca) -> None:
    """Of oneself; administrators may ask about others."""
    told = ca.do(BOB, "explain", request=ca.asked(Key(), principals=["bob"], nonce=..., at=...))
    assert (told["allowed"], told["rule"], told["needs"]) == (True, "own name", 0)
    told = ca.do(BOB, "explain", request=ca.asked(Key()))
    assert told["allowed"] is False
    assert {each["rule"] for each in told["passed_over"]} == {"own name", "hosts", "deploy"}
    about = {"request": ca.asked(Key(), principals=["bob"]), "caller": BOB.arn}
    assert ca.do(ADA, "explain", **about)["allowed"] is True
    ca.refused("denied", ca.do(BOB, "explain", request=ca.asked(Key()), caller=ADA.arn))
    assert ca.records() == 0


@pytest.mark.parametrize(
    ("doing", "members"),
    [
        ("policy", {"text": "# \ud800"}), ("revoke", {"key_ids": ["\ud800"]}),
        ("revoke", {"serials": [7], "reason": "\ud800"}), ("approve", {"id": "\ud800"}),
        ("explain", {"request": {}, "caller": "arn:\ud800"}), ("krl", {"\ud800": 1}),
        ("collect", {"request": {"id": "\ud800", "nonce": "0" * 32, "at": 1}, "proof": ""}),
        ("issue", {"request": {}, "proof": "\ud800", "\ud800": 1}),
    ],
)  # fmt: skip
def test_half_a_character_is_refused(ca: Ca, doing: str, members: dict[str, Any]) -> None:
    """JSON lets it in, and no file keeps it."""
    answer = ca.do(ADA, doing, **members)
    assert answer["error"] in {"invalid", "unknown"}
    answer["message"].encode()
