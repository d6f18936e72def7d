"""Attacks on approvals and on renewal: a refusal, a row, and no signature."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import bless_kit
from attacked_kit import Attacked, attacked, by, named
from issuing.approvals import OF_ONE_MAX
from issuing_kit import ADA, BOB, CARL, HOSTNAME, LEAD, POLICY, Key, certificate
from sshca.certificate import HOST, USER, Certificate, line, read, signed
from sshca.wire import Reader, string, u32

made = pytest.fixture(attacked)

ROLE = "arn:aws:iam::000000000000:role/lead-x"


def test_what_waits_is_not_had_before_its_time(made: Attacked) -> None:
    """Asked by its owner, by an approver, by others; approved by whoever may not."""
    key = Key()
    id_ = made.ca.waits(key)
    made.refused("pending", lambda: made.ca.collect(id_, key))
    made.do("denied", ADA, "approve", id=id_)
    made.do("unknown", BOB, "approve", id=id_)
    made.refused("unknown", lambda: made.ca.collect(id_, key, LEAD))
    for other in ("", "0" * 32, id_.upper() if id_.upper() != id_ else id_ + "0", id_[:-1]):
        made.do("unknown", LEAD, "approve", id=other)
    session = named("arn:aws:sts::000000000000:assumed-role/lead-x/lead-y", ROLE)
    made.do("unknown", session, "approve", id=id_)
    made.refused("pending", lambda: made.ca.collect(id_, key))


def test_an_administrator_is_no_approver(made: Attacked) -> None:
    """Who may see what waits may neither approve nor end it for that."""
    id_ = made.ca.waits(caller=BOB)
    assert [each["id"] for each in made.ca.do(ADA, "waiting")["waiting"]] == [id_]
    made.do("denied", ADA, "approve", id=id_)
    made.do("denied", ADA, "deny", id=id_)


def test_what_was_approved_is_had_once_by_its_key(made: Attacked) -> None:
    """Not by another key, not with another proof, not twice, not for more than it was."""
    key, thief = Key(), Key()
    id_ = made.ca.waits(key)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.refused("unproved", lambda: made.ca.collect(id_, thief))
    made.refused("unknown", lambda: made.ca.collect(id_, key, BOB))
    made.refused("unproved", lambda: made.ca.collect(id_, key, at=0))
    made.refused("invalid", lambda: made.ca.collect(id_, key, principals=["root"]))
    told = made.ca.collect(id_, key)
    assert told["principals"] == ["deploy"]
    assert made.ca.collect(id_, key)["error"] in {"unknown", "used"}
    assert made.records() == 1


MORE = """approvers = ["arn:aws:sts::*:assumed-role/lead-x/*", "arn:aws:iam::*:role/lead-*", """
TWO = POLICY.replace("needs = 1", "needs = 2").replace("approvers = [", MORE)


def test_two_are_two(tmp_path: Path) -> None:
    """One principal under two sessions' names is one; nobody approves twice."""
    made = attacked(tmp_path, TWO)
    key = Key()
    id_ = made.ca.waits(key, needs=2)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.do("invalid", LEAD, "approve", id=id_)
    made.refused("pending", lambda: made.ca.collect(id_, key))

    other = made.ca.waits(needs=2)
    sessions = [
        named(f"arn:aws:sts::000000000000:assumed-role/lead-x/{each}", ROLE) for each in "ab"
    ]
    first = made.ca.do(sessions[0], "approve", id=other)
    assert "error" not in first, first
    made.do("invalid", sessions[1], "approve", id=other)

    assert "error" not in made.ca.do(CARL, "approve", id=id_)
    assert "certificate" in made.ca.collect(id_, key)


def test_who_asks_does_not_approve_under_another_name(tmp_path: Path) -> None:
    """A role is one principal, whatever its sessions are called."""
    callers = 'callers = ["arn:aws:iam::*:user/*", "arn:aws:sts::*:assumed-role/lead-x/*"]'
    made = attacked(tmp_path, TWO.replace('callers = ["arn:aws:iam::*:user/*"]', callers))
    one, other = (
        named(f"arn:aws:sts::000000000000:assumed-role/lead-x/{each}", ROLE) for each in "ab"
    )
    id_ = made.ca.waits(caller=one, needs=2)
    made.do("denied", one, "approve", id=id_)
    made.do("denied", other, "approve", id=id_)


def test_what_changed_while_it_waited(made: Attacked) -> None:
    """The key was revoked, the rule went, the time ended, an approver denied it."""
    revoked, gone, late, denied = (Key() for _ in range(4))
    ids = {key: made.ca.waits(key) for key in (revoked, late, gone, denied)}
    for id_ in ids.values():
        assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.ca.do(ADA, "revoke", keys=[revoked.line], reason="lost")
    made.refused("denied", lambda: made.ca.collect(ids[revoked], revoked))
    assert "error" not in made.ca.do(LEAD, "deny", id=ids[denied])
    made.refused("unknown", lambda: made.ca.collect(ids[denied], denied))
    text = made.ca.do(ADA, "policy")["policy"]
    made.ca.do(
        ADA, "policy", text=text.replace('principals = ["deploy"]', 'principals = ["other"]')
    )
    made.refused("denied", lambda: made.ca.collect(ids[gone], gone))
    made.ca.do(ADA, "policy", text=text)
    made.ca.clock.now += 901
    made.refused("unknown", lambda: made.ca.collect(ids[late], late))


def test_another_rule_needs_approval_of_its_own(made: Attacked) -> None:
    """Whoever agreed to one rule did not agree to another, not even with the same approvers."""
    key = Key()
    id_ = made.ca.waits(key)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    text = POLICY.replace('name = "deploy"', 'name = "deploy at night"')
    assert "version" in made.ca.do(ADA, "policy", text=text)
    made.refused("pending", lambda: made.ca.collect(id_, key))


def test_nobody_fills_the_queue(made: Attacked) -> None:
    """So many of one principal wait at once; others are heard."""
    for _ in range(OF_ONE_MAX):
        made.ca.waits()
    made.issue("denied", principals=["deploy"])
    assert made.ca.waits(caller=BOB)


# Renewal


def _forged(made: Attacked, key: Key, purpose: str = "host-1", **changed: Any) -> str:
    """A certificate by one of the CA's own keys that the CA never issued."""
    now = int(made.ca.clock.now)
    values: dict[str, Any] = {
        "type": HOST, "key_id": "k", "principals": (HOSTNAME, "root.example.org"),
        "valid_after": now - 60, "valid_before": now + 60, "critical": {}, "extensions": {},
        "nonce": bytes(32), "serial": 7,
    } | changed  # fmt: skip
    signer = next(made.memory.kept[name] for name in made.memory.kept if name.startswith(purpose))
    forged = Certificate(key=key.public, **values)
    return line(forged, signed(forged, signer), "c")


def test_renewals_for_more_than_there_is(made: Attacked) -> None:
    """Other names, another key, as a user, by whom no rule lets."""
    key = Key()
    good = made.ca.host(key)["certificate"]
    made.refused(
        "denied", lambda: made.ca.renew(key, good, principals=[HOSTNAME, "b.web.example.org"])
    )
    made.refused("invalid", lambda: made.ca.renew(key, good, principals=["*.web.example.org"]))
    made.refused("denied", lambda: made.ca.renew(Key(), good))
    made.refused("denied", lambda: made.ca.renew(key, good, type="user", principals=["ada"]))
    made.refused("denied", lambda: made.ca.renew(key, good, BOB))
    user = made.ca.issue(ADA, key)["certificate"]
    made.refused("denied", lambda: made.ca.renew(key, user))
    assert "certificate" in made.ca.renew(key, good)


def test_a_renewal_that_was_used(made: Attacked) -> None:
    """Once, as any request; nor is it a request to issue after that."""
    key = Key()
    good = made.ca.host(key)["certificate"]
    asked = made.ca.signed(key, type="host", principals=[HOSTNAME])
    assert "certificate" in made.ca.do(ADA, "renew", certificate=good, **asked)
    made.do("used", ADA, "renew", certificate=good, **asked)
    made.do("used", ADA, "issue", **asked)


APPROVED = (
    'valid_seconds = 86400\n[rules.approval]\nneeds = 1\napprovers = ["arn:aws:iam::*:user/x"]'
)


@pytest.mark.parametrize(
    ("old", "new"),
    [("valid_seconds = 86400", APPROVED), ('name = "hosts"', 'name = "other hosts"'),
     ('principals = ["*.web.example.org"]', 'principals = ["*.db.example.org"]'),
     ('callers = ["arn:aws:iam::*:user/ada"]', 'callers = ["arn:aws:iam::*:user/bob"]')],
)  # fmt: skip
def test_renewals_that_the_rule_no_longer_allows(made: Attacked, old: str, new: str) -> None:
    """It wants approval now, is gone, or is for other hosts or callers."""
    key = Key()
    good = made.ca.host(key)["certificate"]
    assert old in POLICY
    assert "version" in made.ca.do(ADA, "policy", text=POLICY.replace(old, new))
    made.refused("denied", lambda: made.ca.renew(key, good))


def test_renewals_of_what_is_no_certificate_of_ours(made: Attacked, tmp_path: Path) -> None:
    """By another CA, by our key for users, never recorded, over, changed, or none at all."""
    key = Key()
    good = made.ca.host(key)["certificate"]
    kind, encoded, *_ = good.split(" ")
    data = base64.b64decode(encoded)
    (tmp_path / "other").mkdir()
    other = attacked(tmp_path / "other")
    now = int(made.ca.clock.now)
    denied = {
        "another CA's": other.ca.host(key)["certificate"],
        "by the key for users": _forged(made, key, "user-1"),
        "by the log's key": _forged(made, key, "audit"),
        "over": _forged(made, key, valid_before=now - 1),
        "not yet": _forged(made, key, valid_after=now + 30),
        "a user's, by the key for hosts": _forged(made, key, type=USER),
        "changed": f"{kind} {base64.b64encode(data.replace(b'a.web', b'b.web')).decode()} c",
    }  # fmt: skip
    for name, told in denied.items():
        answer = made.refused("denied", lambda told=told: made.ca.renew(key, told))
        assert answer["message"], name
    made.refused("unknown", lambda: made.ca.renew(key, _forged(made, key)))
    invalid = {
        "type 3": data.replace(u32(HOST) + string(read(data).certificate.key_id.encode()),
                               u32(3) + string(read(data).certificate.key_id.encode())),
        "by a certificate": _by_a_certificate(data), "cut": data[:-1], "more": data + b"x", "": b"",
    }  # fmt: skip
    for bent in invalid.values():
        text = f"{kind} {base64.b64encode(bent).decode()} c"
        made.refused("invalid", lambda text=text: made.ca.renew(key, text))
    for none in (None, 1, [], "", "x", key.line, f"{kind} !!!! c"):
        made.refused("invalid", lambda none=none: made.ca.renew(key, none))


def _by_a_certificate(data: bytes) -> bytes:
    """The same, with a certificate in the place of the CA's key."""
    seen = read(data)
    ca = string(seen.ca.blob)
    assert seen.signed.endswith(ca)
    body = seen.signed[: -len(ca)] + string(data)
    reader = Reader(data[len(seen.signed) :])
    return body + string(reader.string())


@pytest.mark.parametrize("how", ["serials", "key_ids", "keys", "ca"])
def test_renewals_of_what_was_revoked(made: Attacked, how: str) -> None:
    """By each sort of entry."""
    key = Key()
    answer = made.ca.host(key)
    seen = certificate(answer)
    told: dict[str, Any] = {
        "serials": [str(seen.certificate.serial)], "key_ids": [seen.certificate.key_id],
        "keys": [key.line], "ca": made.ca.do(ADA, "authorities")["authorities"][1]["key"],
    }  # fmt: skip
    assert seen.ca.blob in base64.b64decode(told["ca"].split(" ")[1]) or how != "ca"
    assert "krl_version" in made.ca.do(ADA, "revoke", **{how: told[how]}, reason="lost")
    made.refused("denied", lambda: made.ca.renew(key, answer["certificate"]))


def test_a_critical_option_that_nobody_knows_is_not_carried_on(made: Attacked) -> None:
    """What a certificate has beside its names is not renewed: the rule says what there is."""
    key = Key()
    odd = _forged(made, key, critical={"x@example.org": "y"})
    made.refused("unknown", lambda: made.ca.renew(key, odd))
    told = made.ca.renew(key, made.ca.host(key)["certificate"])
    assert certificate(told).certificate.critical == {}


def test_keys_that_are_not_ed25519_prove_themselves_too(made: Attacked) -> None:
    """Or the refusals above would be of the kit."""
    assert "certificate" in made.ca.issue(key=by(bless_kit.USER_RSA))
