"""The issuing CA in process: founding and issuing, and every refusal, which signs nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import bless_kit
from contract.cloud import CloudError
from issuing.ca_keys import as_line
from issuing.refusal import CODES
from issuing_kit import ADA, BOB, POLICY, Ca, Key, Memory, certificate, founded
from possession.armour import ARMOUR_CHARACTERS_MAX
from sshca.public_key import parse
from sshca.wire import Reader
from transparency import checking, heads
from transparency.log import Log
from transparency.tree import leaf_hash
from transparency.verify import verify

ca = pytest.fixture(founded)


def _audit_key(ca: Ca) -> Ed25519PublicKey:
    line = ca.do(ADA, "authorities")["audit_key"]
    return Ed25519PublicKey.from_public_bytes(Reader(parse(line).fields).string())


def test_before_there_is_a_ca_everything_but_init_says_so(tmp_path: Path) -> None:
    """Nothing can be asked of a CA that was not made."""
    ca = Ca(tmp_path)
    assert ca.issue()["error"] == "no_ca"
    for doing in ("authorities", "krl", "waiting", "policy", "audit"):
        assert ca.do(ADA, doing)["error"] == "no_ca"


def test_who_makes_the_ca_administers_it(tmp_path: Path) -> None:
    """Without a policy the founder is the only administrator, and nobody gets a certificate."""
    ca = Ca(tmp_path)
    made = ca.do(ADA, "init")
    assert [parse(made[each]).kind.name for each in ("user_ca", "host_ca", "audit_key")] == [
        "ssh-ed25519"
    ] * 3
    assert ca.do(ADA, "policy")["version"] == 1
    assert ca.do(BOB, "policy")["error"] == "denied"
    ca.refused("denied", ca.issue())


def test_a_ca_is_made_once(ca: Ca) -> None:
    """A second init changes nothing, whoever asks."""
    before = ca.do(ADA, "authorities")
    assert ca.do(ADA, "init")["error"] == "exists"
    assert ca.do(BOB, "init")["error"] == "exists"
    assert ca.do(ADA, "authorities") == before


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"key": "dsa"}, "key"),
        ({"origin": "a b"}, "origin"),
        ({"policy": 7}, "policy"),
        ({"policy": "rules = 7"}, "policy"),
        ({"policy": 'administrators = ["arn:aws:iam::*:user/bob"]'}, "administrator"),
        ({"more": 1}, "more"),
    ],
)
def test_what_init_cannot_use_is_named(tmp_path: Path, members: dict[str, Any], names: str) -> None:
    """And then no key was made."""
    ca = Ca(tmp_path)
    answer = ca.do(ADA, "init", **members)
    assert answer["error"] == "invalid"
    assert names in answer["message"]
    assert not ca.memory.kept


def test_a_kms_that_fails_in_the_middle_makes_no_ca(tmp_path: Path) -> None:
    """Then it can be asked again, and the CA is whole."""

    class Failing(Memory):
        left = 2

        def make(self, purpose: str, kind: str) -> tuple[str, str]:
            self.left -= 1
            if self.left < 0:
                raise CloudError("The KMS cannot be reached.")
            return super().make(purpose, kind)

    failing = Failing()
    ca = Ca(tmp_path, failing)
    assert ca.founded()["error"] == "unavailable"
    assert ca.do(ADA, "authorities")["error"] == "no_ca"
    failing.left = 3
    assert ca.founded()["generation"] == 1
    assert "certificate" in ca.issue()


@pytest.mark.parametrize(("kind", "name"), [("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa")])
def test_a_ca_of_another_kind_of_key_issues(tmp_path: Path, kind: str, name: str) -> None:
    """ECDSA and RSA sign too; heads of the log are Ed25519's always."""
    ca = Ca(tmp_path)
    made = ca.do(ADA, "init", key=kind, policy=POLICY)
    assert parse(made["user_ca"]).kind.name == name
    assert parse(made["audit_key"]).kind.name == "ssh-ed25519"
    assert certificate(ca.issue()).ca.blob == parse(made["user_ca"]).blob


def test_a_certificate_says_what_the_rule_gives(ca: Ca, tmp_path: Path) -> None:
    """Principal, times, extensions, serial and key id; ssh-keygen reads the same."""
    key = Key()
    answer = ca.issue(key=key)
    made = certificate(answer).certificate
    assert made.key.blob == key.public.blob
    assert made.principals == ("ada",) == tuple(answer["principals"])
    assert str(made.serial) == answer["serial"] != "0"
    assert made.valid_before - made.valid_after == 3660
    assert made.extensions == {"permit-pty": ""}
    shown = bless_kit.listed(answer["certificate"], tmp_path)
    assert f"Serial: {answer['serial']}" in shown
    assert answer["key_id"] in shown


def test_the_record_is_there_and_proved(ca: Ca) -> None:
    """Of each certificate, by its serial, under a signed head; the export verifies."""
    answers = [ca.issue() for _ in range(5)]
    told = ca.do(BOB, "audit", what="sign")
    head = heads.read(told["head"])
    assert head.holds(_audit_key(ca))
    for answer in answers:
        proof = ca.do(BOB, "audit", what="inclusion", serial=answer["serial"])
        assert proof["record"] == answer["record"]
        body = proof["body"].encode()
        assert json.loads(body)["serial"] == answer["serial"]
        steps = [bytes.fromhex(step) for step in proof["proof"]]
        assert checking.included(
            leaf_hash(body), proof["record"], head.head.size, steps, head.head.root
        )
    lines = ca.do(ADA, "audit", what="export")["lines"]
    report = verify([line.encode() for line in lines], _audit_key(ca))
    assert (report.good, report.records, report.signed) == (True, 5, 5)


def test_an_export_comes_in_parts(ca: Ca) -> None:
    """All parts together are the whole, heads too."""
    for _ in range(7):
        ca.issue()
        ca.clock.now += 5
        ca.do(ADA, "audit", what="sign")
    whole = ca.do(ADA, "audit", what="export")
    assert whole["next"] is None
    lines, at = [], 0
    while at is not None:
        part = ca.do(ADA, "audit", what="export", **{"from": at}, count=2)
        lines += part["lines"]
        at = part["next"]
    assert lines == whole["lines"]
    assert verify([line.encode() for line in lines], _audit_key(ca)).good


def test_heads_continue_each_other(ca: Ca) -> None:
    """A consistency proof between any two signed sizes holds; heads are not signed in a row."""
    ca.issue()
    first = heads.read(ca.do(ADA, "audit", what="sign")["head"]).head
    ca.issue()
    assert heads.read(ca.do(ADA, "audit", what="sign")["head"]).head == first
    ca.clock.now += 5
    second = heads.read(ca.do(ADA, "audit", what="sign")["head"]).head
    told = ca.do(ADA, "audit", what="consistency", old=first.size, new=second.size)
    steps = [bytes.fromhex(step) for step in told["proof"]]
    assert checking.consistent(first.size, first.root, second.size, second.root, steps)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"principals": ["root"]}, "denied"),
        ({"principals": ["bob"]}, "denied"),
        ({"principals": []}, "invalid"),
        ({"principals": ["a,b"]}, "invalid"),
        ({"principals": ["a b"]}, "invalid"),
        ({"principals": ["a\nb"]}, "invalid"),
        ({"principals": ["ada", "ada"]}, "invalid"),
        ({"principals": ["-oProxy"]}, "invalid"),
        ({"principals": "ada"}, "invalid"),
        ({"type": "host", "principals": ["*.web.example.org"]}, "invalid"),
        ({"type": "robot"}, "invalid"),
        ({"public_key": "ssh-ed25519 AAAA"}, "invalid"),
        ({"public_key": 7}, "invalid"),
        ({"nonce": "short"}, "invalid"),
        ({"nonce": ...}, "invalid"),
        ({"at": ...}, "invalid"),
        ({"at": 1.5}, "invalid"),
        ({"at": True}, "invalid"),
        ({"at": 0}, "unproved"),
        ({"valid_seconds": 0}, "invalid"),
        ({"valid_seconds": "60"}, "invalid"),
        ({"force_command": "a\nb"}, "invalid"),
        ({"extensions": ["permit-X11-forwarding"]}, "denied"),
        ({"extensions": ["permit-pty", "permit-pty"]}, "invalid"),
        ({"source_addresses": []}, "invalid"),
        ({"source_addresses": ["0.0.0.0/0"]}, "invalid"),
        ({"source_addresses": ["10.0.0.1/8"]}, "invalid"),
        ({"reason": "x" * 300}, "invalid"),
        ({"more": 1}, "invalid"),
    ],
)  # fmt: skip
def test_a_request_that_is_not_in_order_is_refused(
    ca: Ca, changed: dict[str, Any], code: str
) -> None:
    """With the code for it, a row, and no record."""
    key = Key()
    request = ca.asked(key, **changed)
    signable = {name: str(value) for name, value in request.items()}
    try:
        proof = key.proof(request)
    except ValueError:
        proof = key.proof(signable)
    ca.refused(code, ca.do(ADA, "issue", request=request, proof=proof))
    assert ca.records() == 0


@pytest.mark.parametrize("event", [None, 7, [], {}, {"do": "sign"}, {"do": ["issue"]}])
def test_what_is_no_operation_is_refused(ca: Ca, event: Any) -> None:
    """Whatever the event is."""
    answer = asyncio.run(ca.operations.answer(event, ADA))
    ca.refused("invalid", answer)


def test_nobody_is_nobody(ca: Ca) -> None:
    """A call that nobody signed does nothing at all."""
    for doing in ("issue", "init", "krl", "authorities", "policy"):
        members = {"request": ca.asked(Key())} if doing == "issue" else {}
        answer = ca.do(None, doing, **members)
        assert answer["error"] == "denied"
    assert ca.records() == 0


def test_possession_is_proved_of_this_key_request_and_purpose(ca: Ca) -> None:
    """A proof by another key, of another request, for another purpose, or none."""
    mine, theirs = Key(), Key()
    request = ca.asked(mine)
    others = request | {"nonce": "0" * 32}
    for proof in (
        theirs.proof(request), mine.proof(others), mine.proof(request, "file"), None, "", 7,
        "x" * (ARMOUR_CHARACTERS_MAX + 1),
    ):  # fmt: skip
        answer = ca.do(ADA, "issue", request=request, proof=proof)
        ca.refused("unproved", answer)
    stolen = ca.asked(mine, public_key=theirs.line)
    ca.refused("unproved", ca.do(ADA, "issue", **mine.proved(stolen)))
    assert ca.records() == 0


def test_a_request_is_used_once(ca: Ca) -> None:
    """The same request again is refused, and so is another one with its nonce."""
    key = Key()
    request = ca.asked(key)
    assert "certificate" in ca.do(ADA, "issue", **key.proved(request))
    ca.refused("used", ca.do(ADA, "issue", **key.proved(request)))
    ca.refused("used", ca.issue(key=key, nonce=request["nonce"], at=request["at"] + 1))
    assert ca.records() == 1


def test_a_clock_that_goes_back_lets_nothing_be_used_again(ca: Ca) -> None:
    """Even when what was used has been forgotten meanwhile."""
    began, signed = ca.clock.now, ca.signed()
    assert "certificate" in ca.do(ADA, "issue", **signed)
    ca.clock.now = began + 3600
    ca.issue()  # forgets
    ca.clock.now = began
    ca.refused("used", ca.do(ADA, "issue", **signed))


@pytest.mark.parametrize("seconds", [-121, 121, 86_400])
def test_a_request_of_another_time_is_refused(ca: Ca, seconds: int) -> None:
    """Two minutes either way are the most."""
    ca.refused("unproved", ca.issue(at=int(ca.clock.now) + seconds))
    assert "certificate" in ca.issue(at=int(ca.clock.now) + (119 if seconds > 0 else -119))


def test_the_cas_own_keys_are_never_certified(ca: Ca) -> None:
    """Not for users, not for hosts, not that of the log."""
    for name, signer in ca.memory.kept.items():
        key = Key()
        key.private = signer.key  # type: ignore[assignment]
        key.line = as_line(signer.public_key, name)
        key.public = parse(key.line)
        ca.refused("denied", ca.issue(key=key))


def test_a_weak_key_is_not_certified(ca: Ca) -> None:
    """It is refused before anything that it signs is believed."""
    weak = bless_kit.public(rsa.generate_private_key(65537, 1024))
    request = ca.asked(Key(), public_key=weak)
    answer = ca.do(ADA, "issue", **Key().proved(request))
    assert answer["error"] in {"invalid", "unproved"}
    assert ca.records() == 0


def test_a_kms_that_is_down_gives_no_certificate(ca: Ca) -> None:
    """The record stays: its serial was never on a certificate."""

    class Down:
        public_key = next(iter(ca.memory.kept.values())).public_key

        def sign(self, data: bytes) -> bytes:
            del data
            raise CloudError("The KMS cannot be reached.")

    name = ca.authority.now().generations[0].kms_key
    ca.authority.signer(ca.authority.now(), ca.authority.now().generations[0])
    ca.authority._opened[name] = Down()
    ca.refused("unavailable", ca.issue())
    assert ca.records() == 1


def test_what_a_kms_signs_wrongly_does_not_leave(ca: Ca) -> None:
    """A signature by another key, or over other bytes, is kept back."""
    name = ca.authority.now().generations[0].kms_key
    right = ca.memory.kept[name]
    other = next(each for each in ca.memory.kept.values() if each is not right)

    class Wrong:
        public_key = right.public_key
        made: Any = staticmethod(other.sign)

        def sign(self, data: bytes) -> bytes:
            return bytes(self.made(data))

    for made in (other.sign, lambda data: right.sign(data + b"x"), lambda _: b"", right.sign):
        Wrong.made = staticmethod(made)
        ca.authority._opened[name] = Wrong()
        answer = ca.issue()
        assert ("certificate" in answer) == (made == right.sign), made
        if made != right.sign:
            ca.refused("unavailable", answer)


def test_a_certificate_that_is_too_large_is_refused_before_it_is_recorded(ca: Ca) -> None:
    """A KMS signs 4,096 bytes with an Ed25519 key."""
    many = [f"{'p' * 30}-{number}" for number in range(200)]
    policy = POLICY.replace('["{caller.name}"]', json.dumps(many))
    assert ca.do(ADA, "policy", text=policy)["version"] == 2
    assert "4096" in ca.refused("invalid", ca.issue(principals=many))
    assert ca.records() == 0


def test_no_secret_is_in_a_refusal(ca: Ca, capsys: pytest.CaptureFixture[str]) -> None:
    """Proofs, tokens and keys stand in no row and no line of the log."""
    key, token = Key(), "very-secret-token"
    signed = ca.signed(key, principals=["root"])
    told = {"kmsauth": {"user": "ada", "token": token}}
    ca.do(ADA, "issue", **signed, token=told)
    ca.do(ADA, "issue", **signed)
    rows = json.dumps(ca.do(ADA, "audit", what="refusals"))
    for text in (rows, capsys.readouterr().out):
        assert "refus" in text
        assert key.public.sha256 in text
        for secret in (token, signed["proof"].split("\n")[1], key.line.split(" ")[1]):
            assert secret not in text


def test_refusals_are_kept_up_to_a_limit(ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, so that nobody fills the disk by asking in vain."""
    monkeypatch.setattr("issuing.refused.ROWS_MAX", 3)
    for _ in range(5):
        ca.issue(principals=["root"])
    rows = ca.do(ADA, "audit", what="refusals")["refusals"]
    assert [row["number"] for row in rows] == [3, 4, 5]


def test_every_code_is_one_of_the_contract() -> None:
    """Programs know these words."""
    assert set(CODES) == {
        "denied", "invalid", "unproved", "used", "pending", "unknown", "no_ca", "unavailable",
        "exists",
    }  # fmt: skip


def test_a_log_that_is_another_ones_stops_the_ca(tmp_path: Path) -> None:
    """A file that was put in place of the audit log is not written to, and nothing is issued."""
    ca = Ca(tmp_path)
    Log(tmp_path / "audit.db", "another").close()
    ca.founded()
    assert ca.issue()["error"] == "unavailable"
