"""Attacks on approvals and on renewal: a refusal, a row, and no signature."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import bless_kit
from attacked_kit import Attacked, attacked, by, named
from issuing.approvals import OF_ONE_MAX
from issuing_kit import ADA, BOB, CARL, LEAD, POLICY, Key
from sshca.certificate import HOST, USER, Certificate, line, read, signed
from sshca.wire import Reader, string, u32


@pytest.fixture
def made(tmp_path: Path) -> Attacked:
    return attacked(tmp_path)


def _waiting(made: Attacked, key: Key) -> str:
    answer = made.ca.issue(ADA, key, principals=["deploy"])
    return str(answer["pending"])


def _collected(made: Attacked, id_: str, key: Key, caller: Any = ADA, **changed: Any) -> Any:
    asked = made.ca.asked(key)
    request = {"id": id_, "nonce": asked["nonce"], "at": asked["at"]} | changed
    return made.ca.do(caller, "collect", request=request, proof=key.proof(request))


ROLE = "arn:aws:iam::000000000000:role/lead-x"


def test_what_waits_is_not_had_before_its_time(made: Attacked) -> None:
    """Asked by its owner, by an approver, by others; approved by whoever may not."""
    key = Key()
    id_ = _waiting(made, key)
    made.refused("pending", lambda: _collected(made, id_, key))
    made.refused("denied", lambda: made.ca.do(ADA, "approve", id=id_))
    made.refused("unknown", lambda: made.ca.do(BOB, "approve", id=id_))
    made.refused("unknown", lambda: _collected(made, id_, key, LEAD))
    for other in ("", "0" * 32, id_.upper() if id_.upper() != id_ else id_ + "0", id_[:-1]):
        made.refused("unknown", lambda other=other: made.ca.do(LEAD, "approve", id=other))
    session = named("arn:aws:sts::000000000000:assumed-role/lead-x/lead-y", ROLE)
    made.refused("unknown", lambda: made.ca.do(session, "approve", id=id_))
    made.refused("pending", lambda: _collected(made, id_, key))


def test_an_administrator_is_no_approver(made: Attacked) -> None:
    """Who may see what waits may neither approve nor end it for that."""
    answer = made.ca.issue(BOB, Key(), principals=["deploy"])
    assert [each["id"] for each in made.ca.do(ADA, "waiting")["waiting"]] == [answer["pending"]]
    made.refused("denied", lambda: made.ca.do(ADA, "approve", id=answer["pending"]))
    made.refused("denied", lambda: made.ca.do(ADA, "deny", id=answer["pending"]))


def test_what_was_approved_is_had_once_by_its_key(made: Attacked) -> None:
    """Not by another key, not with another proof, not twice, not for more than it was."""
    key, thief = Key(), Key()
    id_ = _waiting(made, key)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.refused("unproved", lambda: _collected(made, id_, thief))
    made.refused("unknown", lambda: _collected(made, id_, key, BOB))
    made.refused("unproved", lambda: _collected(made, id_, key, at=0))
    made.refused("invalid", lambda: _collected(made, id_, key, principals=["root"]))
    told = _collected(made, id_, key)
    assert told["principals"] == ["deploy"]
    assert _collected(made, id_, key)["error"] in {"unknown", "used"}
    assert made.records() == 1


TWO = """
administrators = ["arn:aws:iam::*:user/ada"]
[[rules]]
name = "deploy"
type = "user"
[rules.who]
callers = ["arn:aws:iam::*:user/*"]
[rules.allow]
principals = ["deploy"]
source_addresses = "any"
valid_seconds = 600
[rules.approval]
needs = 2
approvers = ["arn:aws:iam::*:user/lead-*", "arn:aws:sts::*:assumed-role/lead-x/*", \
"arn:aws:iam::*:role/lead-*"]
seconds = 900
"""


def test_two_are_two(tmp_path: Path) -> None:
    """One principal under two sessions' names is one; nobody approves twice."""
    made = attacked(tmp_path, TWO)
    key = Key()
    id_ = _waiting(made, key)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.refused("invalid", lambda: made.ca.do(LEAD, "approve", id=id_))
    made.refused("pending", lambda: _collected(made, id_, key))

    other = _waiting(made, Key())
    sessions = [
        named(f"arn:aws:sts::000000000000:assumed-role/lead-x/{each}", ROLE) for each in "ab"
    ]
    first = made.ca.do(sessions[0], "approve", id=other)
    assert "error" not in first, first
    made.refused("invalid", lambda: made.ca.do(sessions[1], "approve", id=other))

    assert "error" not in made.ca.do(CARL, "approve", id=id_)
    assert "certificate" in _collected(made, id_, key)


def test_who_asks_does_not_approve_under_another_name(tmp_path: Path) -> None:
    """A role is one principal, whatever its sessions are called."""
    callers = 'callers = ["arn:aws:iam::*:user/*", "arn:aws:sts::*:assumed-role/lead-x/*"]'
    made = attacked(tmp_path, TWO.replace('callers = ["arn:aws:iam::*:user/*"]', callers))
    one, other = (
        named(f"arn:aws:sts::000000000000:assumed-role/lead-x/{each}", ROLE) for each in "ab"
    )
    id_ = made.ca.issue(one, Key(), principals=["deploy"])["pending"]
    made.refused("denied", lambda: made.ca.do(one, "approve", id=id_))
    made.refused("denied", lambda: made.ca.do(other, "approve", id=id_))


def test_what_changed_while_it_waited(made: Attacked) -> None:
    """The key was revoked, the rule went, the time ended, an approver denied it."""
    revoked, gone, late, denied = (Key() for _ in range(4))
    ids = {key: _waiting(made, key) for key in (revoked, late, gone, denied)}
    for id_ in ids.values():
        assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    made.ca.do(ADA, "revoke", keys=[revoked.line], reason="lost")
    made.refused("denied", lambda: _collected(made, ids[revoked], revoked))
    assert "error" not in made.ca.do(LEAD, "deny", id=ids[denied])
    made.refused("unknown", lambda: _collected(made, ids[denied], denied))
    text = made.ca.do(ADA, "policy")["policy"]
    made.ca.do(
        ADA, "policy", text=text.replace('principals = ["deploy"]', 'principals = ["other"]')
    )
    made.refused("denied", lambda: _collected(made, ids[gone], gone))
    made.ca.do(ADA, "policy", text=text)
    made.ca.clock.now += 901
    made.refused("unknown", lambda: _collected(made, ids[late], late))


def test_another_rule_needs_approval_of_its_own(made: Attacked) -> None:
    """Whoever agreed to one rule did not agree to another, not even with the same approvers."""
    key = Key()
    id_ = _waiting(made, key)
    assert "error" not in made.ca.do(LEAD, "approve", id=id_)
    text = POLICY.replace('name = "deploy"', 'name = "deploy at night"')
    assert "version" in made.ca.do(ADA, "policy", text=text)
    made.refused("pending", lambda: _collected(made, id_, key))


def test_nobody_fills_the_queue(made: Attacked) -> None:
    """So many of one principal wait at once; others are heard."""
    for _ in range(OF_ONE_MAX):
        _waiting(made, Key())
    made.issue("denied", principals=["deploy"])
    assert "pending" in made.ca.issue(BOB, principals=["deploy"])


# Renewal


HOSTNAME = "a.web.example.org"


def _host(made: Attacked, key: Key) -> str:
    told = made.ca.issue(ADA, key, type="host", principals=[HOSTNAME])
    return str(told["certificate"])


def _renewed(made: Attacked, key: Key, certificate: Any, caller: Any = ADA, **changed: Any) -> Any:
    request = made.ca.asked(key, **{"type": "host", "principals": [HOSTNAME], **changed})
    return made.ca.do(
        caller, "renew", request=request, proof=key.proof(request), certificate=certificate
    )


def _forged(made: Attacked, key: Key, purpose: str = "host-1", **changed: Any) -> str:
    """A certificate by one of the CA's own keys that the CA never issued."""
    now = int(made.ca.clock.now)
    values: dict[str, Any] = {
        "type": HOST, "key_id": "k", "principals": (HOSTNAME, "root.example.org"),
        "valid_after": now - 60, "valid_before": now + 60, "critical": {}, "extensions": {},
        "nonce": bytes(32), "serial": 7,
    } | changed  # fmt: skip
    signer = next(made.memory.kept[name] for name in made.memory.kept if name.startswith(purpose))
    certificate = Certificate(key=key.public, **values)
    return line(certificate, signed(certificate, signer), "c")


def test_renewals_for_more_than_there_is(made: Attacked) -> None:
    """Other names, another key, as a user, by whom no rule lets."""
    key = Key()
    good = _host(made, key)
    made.refused(
        "denied", lambda: _renewed(made, key, good, principals=[HOSTNAME, "b.web.example.org"])
    )
    made.refused("invalid", lambda: _renewed(made, key, good, principals=["*.web.example.org"]))
    made.refused("denied", lambda: _renewed(made, Key(), good))
    made.refused("denied", lambda: _renewed(made, key, good, type="user", principals=["ada"]))
    made.refused("denied", lambda: _renewed(made, key, good, BOB))
    user = made.ca.issue(ADA, key)["certificate"]
    made.refused("denied", lambda: _renewed(made, key, user))
    assert "certificate" in _renewed(made, key, good)


def test_a_renewal_that_was_used(made: Attacked) -> None:
    """Once, as any request; nor is it a request to issue after that."""
    key = Key()
    certificate = _host(made, key)
    request = made.ca.asked(key, type="host", principals=[HOSTNAME])
    asked = {"request": request, "proof": key.proof(request)}
    assert "certificate" in made.ca.do(ADA, "renew", certificate=certificate, **asked)
    made.refused("used", lambda: made.ca.do(ADA, "renew", certificate=certificate, **asked))
    made.refused("used", lambda: made.ca.do(ADA, "issue", **asked))


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
    certificate = _host(made, key)
    assert old in POLICY
    assert "version" in made.ca.do(ADA, "policy", text=POLICY.replace(old, new))
    made.refused("denied", lambda: _renewed(made, key, certificate))


def test_renewals_of_what_is_no_certificate_of_ours(made: Attacked, tmp_path: Path) -> None:
    """By another CA, by our key for users, never recorded, over, changed, or none at all."""
    key = Key()
    good = _host(made, key)
    kind, encoded, *_ = good.split(" ")
    data = base64.b64decode(encoded)
    (tmp_path / "other").mkdir()
    other = attacked(tmp_path / "other")
    now = int(made.ca.clock.now)
    denied = {
        "another CA's": _host(other, key), "by the key for users": _forged(made, key, "user-1"),
        "by the log's key": _forged(made, key, "audit"),
        "over": _forged(made, key, valid_before=now - 1),
        "not yet": _forged(made, key, valid_after=now + 30),
        "a user's, by the key for hosts": _forged(made, key, type=USER),
        "changed": f"{kind} {base64.b64encode(data.replace(b'a.web', b'b.web')).decode()} c",
    }  # fmt: skip
    for name, certificate in denied.items():
        answer = made.refused("denied", lambda c=certificate: _renewed(made, key, c))
        assert answer["message"], name
    made.refused("unknown", lambda: _renewed(made, key, _forged(made, key)))
    invalid = {
        "type 3": data.replace(u32(HOST) + string(read(data).certificate.key_id.encode()),
                               u32(3) + string(read(data).certificate.key_id.encode())),
        "by a certificate": _by_a_certificate(data), "cut": data[:-1], "more": data + b"x", "": b"",
    }  # fmt: skip
    for told in invalid.values():
        text = f"{kind} {base64.b64encode(told).decode()} c"
        made.refused("invalid", lambda text=text: _renewed(made, key, text))
    for told in (None, 1, [], "", "x", key.line, f"{kind} !!!! c"):
        made.refused("invalid", lambda told=told: _renewed(made, key, told))


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
    certificate = _host(made, key)
    seen = read(base64.b64decode(certificate.split(" ")[1]))
    told: dict[str, Any] = {
        "serials": [str(seen.certificate.serial)], "key_ids": [seen.certificate.key_id],
        "keys": [key.line], "ca": made.ca.do(ADA, "authorities")["authorities"][1]["key"],
    }  # fmt: skip
    assert seen.ca.blob in base64.b64decode(told["ca"].split(" ")[1]) or how != "ca"
    assert "krl_version" in made.ca.do(ADA, "revoke", **{how: told[how]}, reason="lost")
    made.refused("denied", lambda: _renewed(made, key, certificate))


def test_a_critical_option_that_nobody_knows_is_not_carried_on(made: Attacked) -> None:
    """What a certificate has beside its names is not renewed: the rule says what there is."""
    key = Key()
    odd = _forged(made, key, critical={"x@example.org": "y"})
    made.refused("unknown", lambda: _renewed(made, key, odd))
    told = _renewed(made, key, _host(made, key))
    assert read(base64.b64decode(told["certificate"].split(" ")[1])).certificate.critical == {}


def test_keys_that_are_not_ed25519_prove_themselves_too(made: Attacked) -> None:
    """Or the refusals above would be of the kit."""
    assert "certificate" in made.ca.issue(key=by(bless_kit.USER_RSA))
