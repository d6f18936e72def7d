"""`dynimo ssh`: waiting for others, tokens handed over, and what the CA's refusals become."""

from __future__ import annotations

import argparse
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ssh_commands_kit as kit
from bless_kit import CA_ED25519, public
from dynimo.sdk.commands import CommandError, Told
from ssh_commands import __main__ as program
from ssh_commands import ca_calls, requesting, subject, tokens, waiting
from ssh_commands.ca_calls import RefusedError
from sshca.public_key import parse
from sshca.signers import InMemory

CA = InMemory(CA_ED25519, parse(public(CA_ED25519)))
PENDING = {"error": "pending", "message": "1 more must approve."}


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """``says(answers…)``: what the CA answers, one after the other; gives what it was asked."""
    asked: list[dict[str, Any]] = []
    left: list[Any] = []

    def platform(*words: str) -> Told:
        path = Path(words[words.index("--event") + 1])
        asked.append(json.loads(path.read_text()) | {"mode": stat.S_IMODE(path.stat().st_mode)})
        asked[-1]["words"] = words
        told = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(told, CommandError):
            raise told
        return Told(code=0, output=json.dumps(told), errors="")

    def say(*answers: Any) -> list[dict[str, Any]]:
        left[:] = answers
        return asked

    monkeypatch.setattr(ca_calls, "platform", platform)
    return say


def _run(*words: Any) -> int:
    return program.main([str(each) for each in words])


def test_it_waits_until_others_agreed(says: Any) -> None:
    """Each question has a nonce of its own, and a proof by the key."""
    key, typed = subject.made(), argparse.Namespace(data=None, wait=600)
    told, _ = kit.certificate(key.public_key, CA)
    asked = says(PENDING, PENDING, {"certificate": told})

    got = waiting.waited(typed, {"pending": "a1"}, key, "again")

    assert got == {"certificate": told}
    assert [each["do"] for each in asked] == ["collect"] * 3
    assert len({each["request"]["nonce"] for each in asked}) == 3
    assert asked[0]["request"]["id"] == asked[0]["id"] == "a1"


def test_it_ends_when_it_is_denied_or_too_late(says: Any) -> None:
    """With what to type later, if there is a later."""
    key = subject.made()
    says({"error": "unknown", "message": "No request of this id waits."})
    with pytest.raises(RefusedError) as denied:
        waiting.waited(argparse.Namespace(data=None, wait=600), {"pending": "a1"}, key, "again")
    says(PENDING)
    with pytest.raises(RefusedError, match="later: again") as late:
        waiting.waited(argparse.Namespace(data=None, wait=-1), {"pending": "a1"}, key, "again")

    assert (denied.value.code, late.value.code) == (3, 1)


@pytest.mark.parametrize(
    ("kind", "code", "following"),
    [("denied", 4, "dynimo ssh policy show"), ("invalid", 2, ""), ("unproved", 1, "clock"),
     ("used", 1, "made anew"), ("unknown", 3, ""), ("no_ca", 3, "dynimo ssh init"),
     ("unavailable", 69, "dynimo logs bless-ca"), ("exists", 1, "dynimo ssh ca show"),
     ("something new", 1, "")],
)  # fmt: skip
def test_each_refusal_has_a_code_and_says_what_to_do(
    says: Any, capsys: pytest.CaptureFixture[str], kind: str, code: int, following: str
) -> None:
    """The CA's own words first."""
    says({"error": kind, "message": "Because."})
    assert _run("waiting") == code
    told = capsys.readouterr().err
    assert told.startswith("dynimo ssh: Because.")
    assert following in told


def test_what_the_platform_refuses_keeps_its_code(
    says: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function that failed, one that is not there, a server that is not up."""
    codes = []
    for error in (
        CommandError("invoke failed", 1), CommandError("Function not found", 3),
        CommandError("no answer", 69), CommandError("AccessDeniedException: ada may not", 4),
    ):  # fmt: skip
        says(error)
        codes.append(_run("waiting"))
    says(["no object"])
    codes.append(_run("waiting"))
    told = capsys.readouterr().err

    assert codes == [1, 3, 69, 4, 1]
    assert "dynimo access policy attach" in told
    assert "`dynimo logs bless-ca` says how" in told
    assert "has no certificate authority" in told


def test_what_is_asked_stands_in_no_list_of_processes(says: Any) -> None:
    """It goes through a file of one's own, which is gone afterwards."""
    asked = says({"waiting": []})
    assert _run("waiting") == 0
    path = Path(asked[0]["words"][asked[0]["words"].index("--event") + 1])
    assert asked[0]["mode"] == 0o600
    assert not path.exists()


def test_what_others_wrote_commands_no_terminal(
    says: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those who approve see what was asked, and nothing that moves their cursor."""
    says({"waiting": [{"id": "a1", "until": 0, "reason": "\x1b[2Jno", "principals": ["a\rb"]}]})
    assert _run("waiting") == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\r" not in told


def _typed(**given: Any) -> argparse.Namespace:
    none = {"oidc_token": None, "oidc_command": None, "kmsauth_user": None, "kmsauth_token": None}
    return argparse.Namespace(**(none | given))


def test_tokens_are_handed_over_as_they_are(tmp_path: Path) -> None:
    """From a file or a command that knows the nonce; both kinds may stand beside each other."""
    key = subject.made()
    (tmp_path / "token").write_text("a.b.c\n")

    assert tokens.token(_typed(), key) is None
    assert tokens.token(_typed(oidc_token=str(tmp_path / "token")), key) == {"oidc": "a.b.c"}
    assert tokens.token(_typed(oidc_command='printf "%s" "$NONCE"'), key) == {
        "oidc": requesting.nonce_of(key)
    }
    both = _typed(kmsauth_user="ada", kmsauth_token=str(tmp_path / "token"), oidc_command="echo x")
    assert tokens.token(both, key) == {
        "oidc": "x", "kmsauth": {"user": "ada", "token": "a.b.c"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [{"oidc_command": "exit 3"}, {"oidc_command": "true"}, {"oidc_token": "/nowhere/x"},
     {"kmsauth_user": "ada"}],
)  # fmt: skip
def test_a_token_that_cannot_be_had_is_an_error(given: dict[str, Any]) -> None:
    """Never a request without it."""
    with pytest.raises(CommandError):
        tokens.token(_typed(**given), subject.made())
