"""`dynimo ssh`: keys, proofs and the agent, against OpenSSH's own programs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ssh_commands_kit as kit
from bless_kit import CA_ED25519, public
from dynimo.sdk.commands import CommandError
from possession.proof import Policy, ProofError, proved
from ssh_commands import agent, certificates, requesting, subject
from sshca.certificate import read
from sshca.public_key import parse
from sshca.signers import InMemory
from sshca.wire import WireError

CA = InMemory(CA_ED25519, parse(public(CA_ED25519)))
POLICY = Policy(namespace="issue@dynimo-ssh")
MESSAGE = b'{"at":1,"nonce":"00"}'


@pytest.fixture(scope="module")
def running_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with kit.ssh_agent(tmp_path_factory.mktemp("agent")) as variables:
        yield variables


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_in_a_file_proves_itself(tmp_path: Path, kind: str) -> None:
    """By ssh-keygen, named with .pub or without; over this message and no other."""
    path = kit.keygen(tmp_path / "id", kind)
    key = subject.in_file(path.with_name("id.pub"))

    proof = key.prove(MESSAGE)

    assert subject.in_file(path) == key
    assert proved(proof, MESSAGE, key.public_key, POLICY).key.blob == key.public_key.blob
    with pytest.raises(ProofError):
        proved(proof, MESSAGE + b" ", key.public_key, POLICY)


def test_a_key_in_the_agent_proves_itself(
    tmp_path: Path, running_agent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its public half is in a file, as of a key in a token or of a forwarded agent."""
    path = kit.keygen(tmp_path / "id")
    assert kit.ran("ssh-add", "-q", path, **running_agent).returncode == 0
    path.unlink()
    monkeypatch.setenv("SSH_AUTH_SOCK", running_agent["SSH_AUTH_SOCK"])
    key = subject.in_file(path)

    assert proved(key.prove(MESSAGE), MESSAGE, key.public_key, POLICY)


def test_a_new_key_proves_itself_without_a_file(tmp_path: Path) -> None:
    """ssh-keygen takes the signature that was made in memory."""
    key = subject.made()
    (tmp_path / "proof").write_text(key.prove(MESSAGE))
    (tmp_path / "signers").write_text(f"ada {requesting.line_of(key)}\n")
    (tmp_path / "message").write_bytes(MESSAGE)

    with (tmp_path / "message").open() as message:
        told = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-n", "issue@dynimo-ssh", "-I", "ada",
             "-f", tmp_path / "signers", "-s", tmp_path / "proof"],
            stdin=message, capture_output=True, text=True, timeout=kit.SECONDS, check=False,
        )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert proved(key.prove(MESSAGE), MESSAGE, key.public_key, POLICY)


def test_a_key_without_its_public_half_is_told_how_to_make_it(tmp_path: Path) -> None:
    """And one that is not there, and what is no key."""
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(CommandError, match="ssh-keygen -y -f"):
        subject.in_file(tmp_path / "id")
    (tmp_path / "text").write_text("root:x:0:0\n")
    with pytest.raises(CommandError, match="is no private key, and there is no"):
        subject.in_file(tmp_path / "text")
    with pytest.raises(CommandError, match="is a folder"):
        subject.in_file(tmp_path)
    with pytest.raises(CommandError, match="is a certificate: name its key, .*/id$"):
        subject.in_file(tmp_path / "id-cert.pub")
    with pytest.raises(CommandError, match="there is no") as caught:
        subject.in_file(tmp_path / "other")
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA x\n")
    with pytest.raises(CommandError, match="damaged"):
        subject.in_file(tmp_path / "id")
    assert caught.value.code == 3


def test_a_key_that_waited_in_a_file_is_the_same_key(tmp_path: Path) -> None:
    """It proves itself again; anything else in the file is refused."""
    key = subject.made()
    (tmp_path / "id").write_bytes(key.private())

    assert subject.kept(tmp_path / "id").public_key == key.public_key
    for other in (b"", b"no key", kit.keygen(tmp_path / "rsa", "rsa").read_bytes()):
        (tmp_path / "id").write_bytes(other)
        with pytest.raises(CommandError, match="no key of"):
            subject.kept(tmp_path / "id")


def test_the_agent_holds_the_certificate_with_its_key(
    running_agent: dict[str, str], tmp_path: Path
) -> None:
    """It lists it and signs with it."""
    key = subject.made()
    told, data = kit.certificate(key.public_key, CA)
    agent.add(key.key, data, "ada's", 3600, running_agent)

    listed = kit.ran("ssh-add", "-L", **running_agent).stdout
    (tmp_path / "id.pub").write_text(told + "\n")
    tried = kit.ran("ssh-add", "-T", tmp_path / "id.pub", **running_agent)

    assert f"{' '.join(told.split()[:2])} ada's" in listed
    assert tried.returncode == 0, tried.stderr


def test_the_agent_keeps_the_newest_of_what_does_the_same(tmp_path: Path) -> None:
    """Of one CA, key id and rights; what has another comment, and all else, stays."""
    made = subject.made()
    other = InMemory(made.key, made.public_key)
    kept: list[tuple[dict[str, Any], InMemory, str]] = [
        ({"serial": 1}, CA, "other comment"), ({"serial": 2}, other, "ada"),
        ({"serial": 3, "key_id": "eve"}, CA, "eve"),
    ]  # fmt: skip
    same: list[tuple[dict[str, Any], InMemory, str]] = [
        ({"serial": number}, CA, "ada") for number in (4, 5)
    ]
    with kit.ssh_agent(tmp_path) as running:
        kit.ran("ssh-add", kit.keygen(tmp_path / "own"), **running)
        for more, ca, comment in (*kept, *same):
            key = subject.made()
            _, newest = kit.certificate(key.public_key, ca, **more)
            agent.add(key.key, newest, comment, 3600, running)
        dropped = agent.drop_older(newest, "ada", running)
        listed = kit.ran("ssh-add", "-L", **running).stdout.splitlines()

    lines = [each.split() for each in listed if "-cert-" in each]
    serials = {read(base64.b64decode(each[1])).certificate.serial for each in lines}
    assert (dropped, serials, len(listed)) == (1, {1, 2, 3, 5}, 5)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda data: b"\x0c\0\0\0\1" + data))
@settings(max_examples=60)
def test_whatever_an_agent_lists_is_a_list_or_an_error(answer: bytes) -> None:
    """And nothing else is raised."""
    with contextlib.suppress(agent.AgentError):
        assert all(len(each) == 2 for each in agent.listed(answer))


def test_the_agent_is_told_how_long(tmp_path: Path) -> None:
    """The lifetime is the last of the message, in seconds."""
    path = tmp_path / "agent"
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(65_536))
                connection.sendall(b"\0\0\0\1\6")

        thread = threading.Thread(target=answer)
        thread.start()
        key = subject.made()
        agent.add(
            key.key, kit.certificate(key.public_key, CA)[1], "", 3600, {"SSH_AUTH_SOCK": str(path)}
        )
        thread.join()

    assert heard[0].endswith(b"\1" + (3600).to_bytes(4, "big"))
    assert heard[0][4] == 25


def test_no_agent_and_a_locked_one_say_so(running_agent: dict[str, str]) -> None:
    """So that the caller can write files instead."""
    key = subject.made()
    _, data = kit.certificate(key.public_key, CA)
    for variables in ({}, {"SSH_AUTH_SOCK": "/nonexistent/agent"}):
        with pytest.raises(agent.AgentError, match="agent"):
            agent.add(key.key, data, "", 60, variables)
    with pytest.raises(agent.AgentError, match="refuses"):
        agent.add(key.key, b"no certificate", "", 60, running_agent)


@given(st.binary(max_size=40) | st.binary(max_size=9).map(lambda data: b"\0\0\0\1" + data))
@settings(max_examples=60)
def test_whatever_an_agent_answers_is_success_or_an_error(answer: bytes) -> None:
    """A whole message of one byte that says success is taken, and nothing else."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.close()
        try:
            told = agent.answered(ours)
        except (agent.AgentError, WireError):
            length = int.from_bytes(answer[:4], "big")
            assert len(answer) < 5 or not 0 < length <= len(answer) - 4
        else:
            assert told == answer[4 : 4 + int.from_bytes(answer[:4], "big")]


def test_a_request_has_one_form() -> None:
    """With a nonce of 128 bits that never comes again."""
    key = subject.made()
    asked = [requesting.request("user", requesting.line_of(key), ["ädä"]) for _ in range(2)]

    assert asked[0]["nonce"] != asked[1]["nonce"]
    assert len(bytes.fromhex(asked[0]["nonce"])) == 16
    assert set(asked[0]) == {"type", "public_key", "principals", "nonce", "at"}


def test_a_tokens_nonce_is_the_hash_of_the_key() -> None:
    """Base64url without padding."""
    key = subject.made()
    padded = requesting.nonce_of(key) + "="
    assert base64.urlsafe_b64decode(padded) == hashlib.sha256(key.public_key.blob).digest()


def test_a_certificate_of_another_key_is_not_used() -> None:
    """Whatever the CA answers."""
    key, other = subject.made(), subject.made()
    told, _ = kit.certificate(other.public_key, CA)

    assert certificates.issued({"certificate": told}, other.public_key).serial == 7
    with pytest.raises(CommandError, match="another key"):
        certificates.issued({"certificate": told}, key.public_key)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: f"x {data!r}"))
@settings(max_examples=100)
def test_any_line_is_a_certificate_or_an_error(line: str) -> None:
    """Of ours."""
    with pytest.raises(CommandError):
        certificates.parsed(line)
