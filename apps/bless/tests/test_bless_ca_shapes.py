"""Events of every shape at the issuing CA: an answer for each, a row, and no signature."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacked_kit import Attacked, attacked_by_all
from issuing import operations
from issuing.refusal import CODES
from issuing_kit import ADA, BOB, Key

shared = pytest.fixture(attacked_by_all, scope="module")

MEMBERS = ["type", "public_key", "principals", "nonce", "at"]
VALUES: list[Any] = [None, {}, [], "", "x", -1, True, 2**70, [[]], {"a": {"b": []}}]


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_members_of_another_shape(shared: Attacked, member: str, value: Any) -> None:
    """Each has one."""
    code = "invalid"
    if member == "at" and value is None:
        code = "unproved"  # no time is long ago
    shared.issue(code, **{member: value})


@pytest.mark.parametrize("member", MEMBERS)
def test_members_that_are_missing(shared: Attacked, member: str) -> None:
    """All five must be there."""
    shared.issue("invalid", **{member: ...})


@pytest.mark.parametrize("member", [
    "valid_before", "valid_after", "serial", "key_id", "critical", "no_touch", "rule", "caller",
    "who", "Principals", "principals ", "__class__", "",
])  # fmt: skip
def test_members_that_nobody_knows(shared: Attacked, member: str) -> None:
    """Nothing is slipped in."""
    key = Key()
    request = shared.ca.asked(key) | {member: 2**64 - 1}
    shared.do("invalid", ADA, "issue", **key.proved(request))


EVENTS: list[Any] = [
    None, [], "x", 1, float("nan"), {}, {"do": None}, {"do": []}, {"do": {}}, {"do": "Issue"},
    {"do": "issue"}, {"do": "issue", "request": None}, {"do": "issue", "request": []},
    {"do": "issue", "request": "x"}, {"do": "sign"}, {"do": "_done"}, {"do": "issue", "x": 1},
    {"do": "init", "key": []}, {"do": "audit", "what": []}, {"do": "audit", "what": {}},
    {"do": "rotate", "kind": []}, {"do": "rotate", "kind": "user", "stage": {}},
    {"do": "rotate", "kind": "user", "stage": "publish", "key": []},
    {"do": "rotate", "kind": "user", "stage": "sign", "force": "no"},
    {"do": "revoke"}, {"do": "revoke", "serials": {}}, {"do": "revoke", "serials": [[]]},
    {"do": "revoke", "serials": ["0"]}, {"do": "revoke", "serials": [2**64]},
    {"do": "revoke", "ca": {}}, {"do": "revoke", "key_ids": [""]}, {"do": "revoke", "keys": ["x"]},
    {"do": "revoke", "reason": 1},
    {"do": "revoke", "fingerprints": ["SHA256:x"]}, {"do": "policy", "text": None},
    {"do": "policy", "text": "x"}, {"do": "policy", "text": "administrators = []"},
    {"do": "approve", "id": []}, {"do": "audit", "what": "inclusion", "record": -1},
    {"do": "collect", "request": {"id": [], "nonce": "0" * 32, "at": 0}},
    {"do": "audit", "what": "inclusion", "record": 2**63},
    {"do": "audit", "what": "consistency", "old": 9, "new": 1}, {"do": "explain", "caller": []},
    {"do": "explain", "request": {}, "caller": "x"}, {"do": "renew", "request": {}},
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: ascii(event)[:60])
def test_events_of_no_shape(shared: Attacked, event: Any) -> None:
    """An answer for each: no traceback, and a row."""
    rows = len(shared.rows())
    answer = asyncio.run(shared.ca.operations.answer(event, ADA))
    assert set(answer) == {"error", "message"}
    assert answer["error"] in {"invalid", "unknown", "exists"}
    assert len(shared.rows()) == rows + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**65) | st.floats() | st.text(max_size=9)
    | st.sampled_from(["user", "sign", "publish", "head", "inclusion", "export", "ed25519"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
MEMBER = st.sampled_from(
    sorted({"do", *(each for names in operations.MEMBERS.values() for each in names)})
)


@given(
    doing=st.sampled_from(sorted(operations.MEMBERS)),
    members=st.dictionaries(MEMBER, JSON, max_size=4),
)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_event_is_answered(shared: Attacked, doing: str, members: dict[str, Any]) -> None:
    """Whatever JSON it is: an object, and no signature but of a head."""
    allowed = operations.MEMBERS[doing]
    event = {"do": doing} | {name: value for name, value in members.items() if name in allowed}
    signatures = len(shared.memory.signatures)
    answer = asyncio.run(shared.ca.operations.answer(event, BOB))
    assert isinstance(answer, dict)
    assert answer.get("error", "invalid") in CODES
    assert "certificate" not in answer
    assert len(shared.memory.signatures) - signatures <= (doing == "audit")
