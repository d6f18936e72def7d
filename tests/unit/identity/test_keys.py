"""Keys: what ciphertexts are bound to, what a request may hold, what the file keeps."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
import stat
import string
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.api.aws.calls import Call
from dynimo.api.aws.kms_asked import Asked, Unreadable
from dynimo.identity.keys import envelope, keys, references
from dynimo.identity.keys.embedded import Embedded
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.records import State
from dynimo.identity.keys.refusals import KeyUnavailable, TooManyOfThem
from dynimo.identity.keys.using import Using
from dynimo.identity.vault import Vault
from dynimo.model.caller import Caller
from dynimo.model.errors import AwsError, ConfigError
from dynimo.model.names import Place
from dynimo.web.message import Headers, Request

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
CONTEXTS = st.dictionaries(TEXTS, TEXTS, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEY = "00000000-0000-4000-8000-000000000001"


@given(CONTEXTS, CONTEXTS, st.uuids(), st.uuids())
def test_two_contexts_never_bind_to_the_same_bytes(
    one: dict[str, str], other: dict[str, str], first: uuid.UUID, second: uuid.UUID
) -> None:
    """Nor do two keys; the order of pairs is nothing."""
    same = (one, first) == (other, second)
    assert (envelope.bound(str(first), one) == envelope.bound(str(second), other)) is same
    turned = dict(reversed(one.items()))
    assert envelope.bound(KEY, one) == envelope.bound(KEY, turned)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": "bc"}, {"ab": "c"}), ({"a": "", "b": ""}, {"a": "b", "": ""}), ({}, {"": ""})],
)
def test_borders_inside_a_context_count(one: dict[str, str], other: dict[str, str]) -> None:
    """What joins to the same text is not the same context."""
    assert envelope.bound(KEY, one) != envelope.bound(KEY, other)


@given(st.binary(max_size=64))
def test_any_bytes_are_an_envelope_or_not(blob: bytes) -> None:
    """Nothing else is raised, and what is read is what was there."""
    try:
        key_id, sealed = envelope.read(blob)
    except envelope.NotAnEnvelope:
        return
    assert envelope.header(key_id) + sealed == blob


@given(st.text(max_size=60) | st.text(string.ascii_lowercase + ":/-0123456789").map("arn:".__add__))
def test_any_text_names_a_key_or_is_refused(text: str) -> None:
    """A KeyId is read or refused in AWS's words."""
    try:
        found = references.read(text, Place(), aliases=True)
    except AwsError:
        return
    assert found.name == text or text.endswith(found.name)


@given(st.dictionaries(st.sampled_from(["A", "Tags", "Marker", "Limit", "GrantTokens"]), JSON))
def test_any_members_are_read_or_refused(members: dict[str, Any]) -> None:
    """A request of any shape is an answer or a refusal, never a fault of ours."""
    for read in (
        lambda asked: asked.text("A", None, allowed=("x",)),
        lambda asked: asked.number("A", 1, 1, 5),
        lambda asked: asked.flag("A"),
        lambda asked: asked.blob("A", 8),
        lambda asked: asked.context("A"),
        lambda asked: asked.tags(),
        lambda asked: asked.texts("A"),
        lambda asked: asked.page(["a", "b", "c"]),
    ):
        with contextlib.suppress(AwsError):
            read(_asked(json.dumps(members).encode()))


@given(st.binary(max_size=40) | st.just(b"[" * 100_000))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Bytes that are no JSON, or nested without end."""
    with contextlib.suppress(Unreadable):
        _asked(body)


@pytest.mark.parametrize("blob", ["", "A", "YQ=", "Y Q==", "é", 3, None, ["YQ=="]])
def test_bytes_are_strict_base64(blob: Any) -> None:
    """Two spellings of the same bytes would be two requests to whoever compares them."""
    with pytest.raises(AwsError):
        _asked(json.dumps({"A": blob}).encode()).blob("A", 8)


def test_no_refusal_repeats_what_is_secret() -> None:
    """A plaintext that is too long is not shown."""
    secret = base64.b64encode(b"top-secret" * 9).decode()
    with pytest.raises(AwsError) as caught:
        _asked(json.dumps({"Plaintext": secret}).encode()).blob("Plaintext", 8)

    assert "top-secret" not in str(caught.value)
    assert secret[:12] not in str(caught.value)


def test_pages_go_on_where_they_ended_though_keys_come_and_go() -> None:
    """The marker is the last name, whether it is still there or not."""
    part, told = _asked(b'{"Limit": 2}').page(["a", "b", "c"])
    assert (part, told["Truncated"]) == (slice(0, 2), True)
    body = json.dumps({"Limit": 2, "Marker": told["NextMarker"]}).encode()

    assert _asked(body).page(["a", "bb", "c"]) == (slice(1, 3), {"Truncated": False})


def test_keys_are_there_again_after_a_restart(tmp_path: Path) -> None:
    """With state, policy and tags; in a file that only its owner reads, without a key in clear."""
    made = _open(tmp_path)
    key = made.create(Place(), spec="ECC_NIST_P256", usage="SIGN_VERIFY", tags=(("a", "b"),))
    made.add_alias(Place(), "alias/x", key)
    made.close()
    again = _open(tmp_path)

    assert again.get(key.id) == key
    assert again.find(references.read("alias/x", Place(), aliases=True)) == key
    again.close()
    for path in tmp_path.glob("keys.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_kept_of_a_key_opens_for_nobody_else(tmp_path: Path) -> None:
    """Under another master key, or moved to another key's row, it says so and does nothing."""
    made = _open(tmp_path)
    first, second = (made.create(Place(), spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT")
                     for _ in range(2))  # fmt: skip
    made.close()
    with sqlite3.connect(tmp_path / "keys.sqlite3") as database:
        database.execute("update key set kept = ? where id = ?", (first.kept, second.id))
    database.close()
    moved = _open(tmp_path)
    _unusable(moved, second.id)
    moved.close()

    (tmp_path / "master.key").unlink()
    other = _open(tmp_path)
    _unusable(other, first.id)
    other.close()


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Fail closed: nothing is opened with a key that may have been copied."""
    _open(tmp_path).close()
    (tmp_path / "master.key").chmod(0o640)

    with pytest.raises(ConfigError, match="may be read by others"):
        _open(tmp_path)


def test_an_erased_key_leaves_no_trace(tmp_path: Path) -> None:
    """Its row, its aliases and its material are gone from every file, at the next start too."""
    now = [1000.0]
    made = Keys(tmp_path, Embedded(Vault(tmp_path)), now=lambda: now[0])
    key = made.create(Place(), spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT")
    made.add_alias(Place(), "alias/x", key)

    made.change(key.id, lambda held: replace(held, state=State.PENDING_DELETION, deletion=2000.0))
    now[0] = 2000.0
    assert made.get(key.id) is None
    made.close()
    Keys(tmp_path, Embedded(Vault(tmp_path)), now=lambda: now[0]).close()

    for path in tmp_path.glob("keys.sqlite3*"):
        assert key.kept not in path.read_bytes()
        assert key.id.encode() not in path.read_bytes()


def test_keys_and_aliases_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an account, and of a key."""
    monkeypatch.setattr(keys, "KEYS_MAX", 1)
    monkeypatch.setattr(keys, "ALIASES_MAX", 1)
    made = _open(tmp_path)
    asked = {"spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT"}
    key = made.create(Place(), **asked)
    made.add_alias(Place(), "alias/x", key)

    with pytest.raises(TooManyOfThem):
        made.create(Place(), **asked)
    with pytest.raises(TooManyOfThem):
        made.add_alias(Place(), "alias/y", key)
    made.create(Place("111111111111"), **asked)
    made.close()


def _open(folder: Path) -> Keys:
    return Keys(folder, Embedded(Vault(folder)))


def _unusable(held: Keys, key_id: str) -> None:

    key = held.get(key_id)
    assert key is not None
    with pytest.raises(KeyUnavailable):
        asyncio.run(Using(held.engine_of).encrypt(key, "SYMMETRIC_DEFAULT", b"s", {}))


def _asked(body: bytes) -> Asked:
    request = Request(method="POST", path="/", query="", headers=Headers(), body=body)
    return Asked(Call(request=request, place=Place(), caller=Caller(arn="", account="")))
