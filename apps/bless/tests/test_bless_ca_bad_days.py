"""The issuing CA when something fails or changes under it: no certificate that should not be."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attacked_kit import Attacked, attacked
from bless_kit import CA_ED25519, pem
from contract.cloud import CloudError
from issuing.published import KRL
from issuing_kit import ADA, POLICY, Ca, Key, at_once, certificate
from possession.signatures import verify
from revocation import reading
from sshca.certificate import Read
from sshca.signers import load
from sshca.wire import Reader, string
from transparency.store import StoreError

made = pytest.fixture(attacked)


def _seen(answer: Any) -> Read:
    found = certificate(answer)
    verify(found.ca, found.signed, found.signature)
    return found


# The KMS


def _nothing(_: bytes) -> bytes:
    raise CloudError("The KMS does not answer.")


def _turned(made: bytes) -> bytes:
    return made[:-1] + bytes([made[-1] ^ 1])


def _renamed(made: bytes) -> bytes:
    reader = Reader(made)
    reader.string()
    return string(b"ecdsa-sha2-nistp256") + string(reader.string())


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "down": _nothing, "another signature": _turned, "another name": _renamed,
    "nothing": lambda _: b"", "half": lambda made: made[:20], "more": lambda made: made + b"x",
    "another key's": lambda _: load(pem(CA_ED25519, "pkcs8", None), None).sign(b"x"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_kms_that_signs_badly(made: Attacked, name: str) -> None:
    """The record is there, the certificate is not; then all is as before."""
    made.memory.broken = BROKEN[name]
    rows, records = len(made.rows()), made.records()
    answer = made.ca.issue()
    assert set(answer) == {"error", "message"}
    assert answer["error"] == "unavailable"
    assert (len(made.rows()), made.records()) == (rows + 1, records + 1)
    made.memory.broken = None
    _seen(made.ca.issue())


def test_a_kms_that_is_down_makes_no_ca(tmp_path: Path) -> None:
    """Nothing is founded by half."""
    ca = Ca(tmp_path)
    whole, ca.memory.make = ca.memory.make, _unmade  # type: ignore[method-assign]
    assert ca.do(ADA, "init")["error"] == "unavailable"
    assert ca.issue()["error"] == "no_ca"
    ca.memory.make = whole  # type: ignore[method-assign]
    assert "user_ca" in ca.founded()


def _unmade(purpose: str, kind: str) -> tuple[str, str]:
    raise CloudError("The KMS does not answer.")


# The disk


def _full(made: Attacked) -> None:
    """No more pages for the log: SQLite's own word for a full disk."""
    log = made.ca.authority.log(made.ca.authority.now())
    pages = log._writer._sql.execute("PRAGMA page_count").fetchone()[0]
    log._writer._sql.execute(f"PRAGMA max_page_count = {pages}")


def test_a_disk_that_is_full(made: Attacked) -> None:
    """What cannot be recorded is not signed; what was recorded was signed."""
    _full(made)
    codes, signed = [], 0
    for _ in range(400):
        signatures, records = len(made.memory.signatures), made.records()
        answer = made.ca.issue()
        if "certificate" in answer:
            signed += 1
            assert made.records() == records + 1
            continue
        codes.append(answer["error"])
        assert len(made.memory.signatures) == signatures
        assert made.rows()[-1]["code"] == answer["error"]
        if len(codes) == 3:
            break
    assert codes == ["unavailable"] * 3
    assert made.records() == signed


def test_a_log_that_somebody_else_holds(made: Attacked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, and nothing is signed meanwhile."""
    log = made.ca.authority.log(made.ca.authority.now())
    log._writer._sql.execute("PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(made.ca.folder / "audit.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        made.issue("unavailable")
    finally:
        holder.rollback()
        holder.close()
    _seen(made.ca.issue())


def test_a_log_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even once."""
    ca = Ca(tmp_path)
    ca.founded()

    def gone(*_: object) -> None:
        raise StoreError("The audit log cannot be opened.")

    monkeypatch.setattr("issuing.authority.Log", gone)
    assert ca.issue()["error"] == "unavailable"


def test_a_refusal_that_cannot_be_written(
    made: Attacked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is a refusal all the same, and a line of the log says so."""

    def gone(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    writer = made.ca.authority.state._writer
    writer.execute("PRAGMA max_page_count = 1")
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    for _ in range(4 * pages + 400):
        assert made.ca.issue(principals=["root"])["error"] == "denied"
        if "unrecorded" in capsys.readouterr().out:
            break
    else:
        pytest.fail("the disk was never full")
    assert made.records() == 0


# Several at once, and what changes meanwhile


def test_another_process_of_the_same_ca(made: Attacked) -> None:
    """It takes no request a second time, and knows of every change at once."""
    other = Ca(made.ca.folder, made.memory)
    key = Key()
    event = made.ca.signed(key)
    _seen(made.ca.do(ADA, "issue", **event))
    assert other.do(ADA, "issue", **event)["error"] == "used"

    assert "krl_version" in made.ca.do(ADA, "revoke", keys=[key.line], reason="lost")
    assert other.issue(key=key)["error"] == "denied"

    made.ca.do(ADA, "policy", text=POLICY.replace("{caller.name}", "somebody"))
    assert other.issue()["error"] == "denied"
    made.ca.do(ADA, "policy", text=POLICY)
    old = _seen(other.issue()).ca.blob
    made.ca.rotate("publish")
    assert _seen(other.issue()).ca.blob == old
    made.ca.rotate("sign", force=True)
    assert _seen(other.issue()).ca.blob != old


def test_what_is_asked_while_the_key_is_replaced(made: Attacked) -> None:
    """Every certificate is by a key that hosts are told of; none is by a retired one."""
    events = [{"do": "issue"} | made.ca.signed() for _ in range(30)]
    for number, stage in ((26, "retire"), (16, "sign"), (6, "publish")):
        step = {"do": "rotate", "kind": "user", "stage": stage, "force": stage == "sign"}
        events.insert(number, step)
    answers = at_once(made.ca.operations.answer(event, ADA) for event in events)
    told = made.ca.do(ADA, "authorities")["authorities"]
    known = {each["key"].split(" ")[1] for each in told if each["stage"] != "retired"}
    issued = [_seen(each) for each in answers if "certificate" in each]
    assert {base64.b64encode(each.ca.blob).decode() for each in issued} <= known
    assert len({each.certificate.serial for each in issued}) == len(issued) > 0


def test_a_key_is_not_retired_while_its_certificates_hold(made: Attacked) -> None:
    """Nor does a new one sign before hosts may know it."""
    answer = made.ca.issue()
    assert "error" not in made.ca.rotate("publish")
    for stage in ("publish", "sign", "retire"):
        made.refused("invalid", lambda stage=stage: made.ca.rotate(stage))
    assert "error" not in made.ca.rotate("sign", force=True)
    made.ca.clock.now = answer["valid_before"]
    made.refused("invalid", lambda: made.ca.rotate("retire"))
    made.ca.clock.now += 2 * 86_400
    assert "error" not in made.ca.rotate("retire")
    assert made.memory.ended == ["user-1" + made.memory.ended[0][6:]]


def test_many_changes_at_once_are_all_published(made: Attacked) -> None:
    """The list is whole at any time, and at the end has everything: sshd reads nothing by half."""
    serials = range(1, 25)
    events = [{"do": "revoke", "serials": [str(each)], "reason": "x"} for each in serials]
    answers = at_once(made.ca.operations.answer(event, ADA) for event in events)
    versions = [answer["krl_version"] for answer in answers]
    assert sorted(versions) == list(serials)
    found = reading.read(made.ca.authority.published.read(KRL) or b"")
    assert found.version == len(serials)
    assert [each.serials for each in found.certificates.values()] == [((1, 24),)]


def test_a_clock_that_was_set_back_over_a_restart(made: Attacked) -> None:
    """What was forgotten stays behind: a new process does not begin to remember earlier."""
    event = made.ca.signed()
    _seen(made.ca.do(ADA, "issue", **event))
    made.ca.clock.now += 86_400
    _seen(made.ca.issue())
    made.ca.clock.now -= 86_400
    other = Ca(made.ca.folder, made.memory, made.ca.clock)
    assert other.issue()["error"] == "used"
    assert other.do(ADA, "issue", **event)["error"] == "used"
