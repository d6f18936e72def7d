"""The issuing CA in a started platform: boto3's invoke, its own role, keys in the KMS, routes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from issuing_kit import POLICY, Key, asked, certificate
from revocation import reading
from sshca.public_key import parse
from tests.e2e.aws import kit
from tests.e2e.serving import Server

pytestmark = pytest.mark.e2e

OPEN = POLICY.replace("user/ada", "user/*").replace("{caller.name}", "ada")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform as shipped, with a CA that the development key founded."""
    made = Server(data=tmp_path_factory.mktemp("ca") / "data").start()
    try:
        assert _do(made, "init", policy=OPEN)["generation"] == 1
        yield made
    finally:
        made.stop()


def _do(server: Server, doing: str, **members: Any) -> Any:
    return kit.call(kit.client(server), "bless-ca", {"do": doing} | members)[0]


def _issue(server: Server) -> Any:
    key = Key()
    return _do(server, "issue", **key.proved(asked(key)))


def test_a_certificate_through_boto3(server: Server) -> None:
    """Signed by the CA's key in the KMS, for the caller whom the platform proved."""
    answer = _issue(server)
    authorities = _do(server, "authorities")["authorities"]
    signs = [each["key"] for each in authorities if each["stage"] == "signing"]
    assert certificate(answer).ca.blob in {parse(line).blob for line in signs}
    body = _do(server, "audit", what="inclusion", serial=answer["serial"])["body"]
    assert json.loads(body)["caller"] == "arn:aws:iam::000000000000:user/development"


def test_nobody_but_the_ca_signs_with_its_keys(server: Server) -> None:
    """Not even whoever may do everything else."""
    kms = kit.client(server, "kms")
    aliases = [
        each for each in kms.list_aliases()["Aliases"]
        if each["AliasName"].startswith("alias/ssh-ca/")
    ]  # fmt: skip
    assert len(aliases) >= 3
    for each in aliases:
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.sign(
                KeyId=each["TargetKeyId"], Message=b"x", MessageType="RAW",
                SigningAlgorithm="ED25519_SHA_512",
            )  # fmt: skip


def test_a_rotation_makes_a_key_in_the_kms(server: Server) -> None:
    """And ends one there: published, signing, and the old one retired by force."""
    first = certificate(_issue(server)).ca.blob
    before = _states(server).count("PendingDeletion")
    for stage in ("publish", "sign"):
        told = _do(server, "rotate", kind="user", stage=stage, force=True)
    assert [each["stage"] for each in told["authorities"] if each["kind"] == "user"] == [
        "overlap", "signing",
    ]  # fmt: skip
    assert certificate(_issue(server)).ca.blob != first
    told = _do(server, "rotate", kind="user", stage="retire", force=True)
    assert _states(server).count("PendingDeletion") == before + 1
    assert "certificate" in _issue(server)


def _states(server: Server) -> list[str]:
    kms = kit.client(server, "kms")
    return [
        kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"]
        for each in kms.list_keys()["Keys"]
    ]


def test_hosts_fetch_what_they_need_without_a_key(server: Server) -> None:
    """Through the edge, with a strong ETag; what is not there is 404, what is nonsense 400."""
    _do(server, "audit", what="sign")
    for path in ("krl", "ca/user", "ca/host", "ca/known_hosts", "ca/sshd_config",
                 "ca/ssh_config", "audit/head", "audit/key"):  # fmt: skip
        got = server.get(f"/ssh/{path}")
        assert (got.status, got.headers["cache-control"]) == (200, "no-cache"), path
        assert not got.headers["etag"].startswith("W/")
        assert "dynimo-cache-control" not in got.headers
        again = server.get(f"/ssh/{path}", {"If-None-Match": got.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
    known = server.get("/ssh/ca/known_hosts?domains=*.example.org,db").body.decode()
    assert known.startswith("@cert-authority *.example.org,db ssh-ed25519 ")
    assert server.get("/ssh/ca/known_hosts?domains=a%20b").status == 400
    assert server.get("/ssh/ca/known_hosts?domains=a%0a*%20evil").status == 400
    assert server.get("/ssh/other").status == 404
    assert server.get("/ssh/krl", method="POST").status == 405


def test_the_list_is_that_of_the_ca(server: Server) -> None:
    """What Invoke gives and what the route gives are the same file."""
    serial = _issue(server)["serial"]
    version = _do(server, "revoke", serials=[serial], reason="test")["krl_version"]
    told = _do(server, "krl")
    data = base64.b64decode(told["krl"])
    assert told["version"] == version == reading.read(data).version
    got = server.get("/ssh/krl")
    assert (got.body, got.headers["etag"]) == (data, told["etag"])


def test_who_fetches_has_what_was_revoked_a_moment_ago(server: Server) -> None:
    """With the very next request, through the edge; whoever has that list is told so by 304."""
    for _ in range(3):
        before = server.get("/ssh/krl").headers["etag"]
        serial = int(_issue(server)["serial"])
        version = _do(server, "revoke", serials=[str(serial)], reason="test")["krl_version"]
        fetched = server.get("/ssh/krl", {"if-none-match": before})
        again = server.get("/ssh/krl", {"if-none-match": fetched.headers["etag"]})

        listed = reading.read(fetched.body)
        (section,) = listed.certificates.values()
        assert (fetched.status, listed.version) == (200, version)
        assert any(low <= serial <= high for low, high in section.serials)
        assert (again.status, again.body) == (304, b"")
        assert "fwd=stale; fwd-status=304" in again.headers["cache-status"]
        assert again.headers["cache-control"] == "no-cache"


def test_who_fetches_bundles_has_the_key_of_a_moment_ago(server: Server) -> None:
    """In all that names the CA's keys; so a key that is trusted no more is in none of them."""
    paths = ("/ssh/ca/host", "/ssh/ca/known_hosts?domains=*.example.org")
    sizes = [[server.get(path).body.count(b"ssh-ed25519 ") for path in paths]]
    for stage in ("publish", "sign", "retire"):
        _do(server, "rotate", kind="host", stage=stage, force=True)
        sizes.append([server.get(path).body.count(b"ssh-ed25519 ") for path in paths])
    assert sizes == [[1, 1], [2, 2], [2, 2], [1, 1]]


def test_the_last_list_is_given_while_the_function_cannot_answer(server: Server) -> None:
    """For a while, with its age; and the newest again as soon as it can."""
    kept = server.data / "state" / "bless" / "published" / "krl"
    whole = server.get("/ssh/krl").body
    kept.rename(kept.with_name("away"))
    kept.mkdir()
    try:
        given = server.get("/ssh/krl")
    finally:
        kept.rmdir()
        kept.with_name("away").rename(kept)
    assert (given.status, given.body) == (200, whole)
    assert "detail=stale-if-error" in given.headers["cache-status"]
    assert given.headers["age"].isdecimal()
    assert "stale-if-error" not in server.get("/ssh/krl").headers["cache-status"]


def test_an_event_for_later_is_nobodys(server: Server, wait_until: Callable[..., None]) -> None:
    """Who is not there for the answer is not asked for, and gets no certificate."""
    kit.call(kit.client(server), "bless-ca", {"do": "krl"}, InvocationType="Event")

    def refused() -> bool:
        rows = _do(server, "audit", what="refusals")["refusals"]
        return ("krl", "denied", "") in [(row["doing"], row["code"], row["caller"]) for row in rows]

    wait_until(refused)


def test_a_restart_changes_nothing(server: Server) -> None:
    """The state, the keys and the log outlive the server."""
    before, size = _do(server, "authorities"), _do(server, "audit", what="head")["size"]
    server.stop()
    server.start()
    assert _do(server, "authorities") == before
    assert _issue(server)["record"] == size
