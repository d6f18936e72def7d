"""`dynimo ssh` typed wrongly, in the wrong place or too early: what is said; nothing is lost.

No CA is asked here: one that says what a test told it to stands for it.
"""

from __future__ import annotations

import io
import json
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ssh_commands_kit as kit
from asking import policy
from asking.policy import PolicyError
from bless_kit import CA_ED25519, public
from dynimo.sdk.commands import Told
from issuing import requested
from issuing.refusal import Refused
from ssh_commands import __main__ as program
from ssh_commands import ca_calls, login, replacing
from sshca.public_key import parse
from sshca.signers import InMemory

CA = InMemory(CA_ED25519, parse(public(CA_ED25519)))
Answer = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def ca(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Answer], None]:
    """``ca(answer)``: what the CA makes of a question; nobody has an agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def says(answer: Answer) -> None:
        def platform(*words: str) -> Told:
            asked = json.loads(Path(words[words.index("--event") + 1]).read_text())
            return Told(code=0, output=json.dumps(answer(asked)), errors="")

        monkeypatch.setattr(ca_calls, "platform", platform)

    return says


def _certifies(asked: dict[str, Any]) -> dict[str, Any]:
    """As a CA would; for an hour, whatever was asked for."""
    key = parse(asked["request"]["public_key"])
    told, _ = kit.certificate(key, CA, before=int(time.time()) + 3600)
    return {"certificate": told, "serial": "7", "record": 0}


def _run(*words: Any) -> int:
    return program.main([str(each) for each in words])


def _files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@pytest.mark.parametrize("left", [("id", "id.pub"), ("id",), ("id.pub",)])
def test_no_key_of_somebodys_is_written_over(
    ca: Any, tmp_path: Path, left: tuple[str, ...]
) -> None:
    """Not one that was certified by `login --key` either, nor one half of it."""
    ca(_certifies)
    key = kit.keygen(tmp_path / "id")
    assert _run("login", "--key", key) == 0
    for name in {"id", "id.pub"} - set(left):
        (tmp_path / name).unlink()
    before = _files(tmp_path)

    assert _run("login", "--out", key, "--no-agent") == 2
    assert _files(tmp_path) == before


def test_a_key_that_was_made_here_is_made_anew(ca: Any, tmp_path: Path) -> None:
    """As often as somebody logs in."""
    ca(_certifies)
    out = tmp_path / "keys" / "mine"
    codes, keys = [], []
    for _ in range(2):
        codes.append(_run("login", "--out", out, "--no-agent"))
        keys.append(out.read_bytes())
    assert codes == [0, 0]
    assert keys[0] != keys[1]
    assert stat.S_IMODE(out.stat().st_mode) == replacing.SECRET
    made = out.with_name("mine.pub").read_text()
    assert made.rstrip().endswith(login.MADE_HERE)
    assert parse(made).sha256 in kit.ran("ssh-keygen", "-l", "-f", out).stdout


def test_a_request_that_is_given_up_is_named(
    ca: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its key goes, so it cannot be collected any more; nor twice."""
    names = iter(["a1", "b2"])
    ca(lambda asked: {"pending": next(names), "needs": 1, "until": 4_000_000_000}
       if asked["do"] == "issue" else {"error": "denied", "message": "no"})  # fmt: skip
    assert [_run("login", "--out", tmp_path / "id") for _ in range(2)] == [1, 1]
    assert f"Given up: a1, which waited for {tmp_path / 'id'}." in capsys.readouterr().err
    assert _run("login", "--collect", "a1", "--out", tmp_path / "other") == 3
    assert "the --out or --key of its request" in capsys.readouterr().err


def test_whoever_is_called_otherwise_here_is_told_so(
    ca: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of an account here is asked for if no other is; what was typed is not explained."""
    ca(lambda asked: {"error": "denied", "message": "No rule of the policy allows this. 'a': "
       f"{asked['request']['principals'][0]!r} is none of its principals: ada."})  # fmt: skip
    out = tmp_path / "id"
    said = []
    for words in ((), ("--principal", "root")):
        assert _run("login", "--out", out, *words) == 4
        said.append(capsys.readouterr().err)
    assert ["--principal NAME asks for another" in each for each in said] == [True, False]
    assert all("dynimo ssh explain" in each for each in said)


def test_less_time_than_was_asked_for_is_said(
    ca: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On both sides of what was given."""
    ca(_certifies)
    said = []
    for valid in ("1h", "9w"):
        assert _run("login", "--out", tmp_path / "id", "--valid", valid) == 0
        said.append("less time than you asked for" in capsys.readouterr().err)
    assert said == [False, True]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["loign"], "did you mean login? See `dynimo ssh --help`"),
        (["frobnicate"], "there is no verb 'frobnicate'. See `dynimo ssh --help`"),
        ([], "See `dynimo ssh --help`"),
        (["krl"], "See `dynimo ssh krl --help`"),
        (["krl", "show", "--fiel", "x"], "unrecognized arguments: --fiel x. See `dynimo ssh krl"),
        (["host", "renew", "--then", "a 'b"], "no command: No closing quotation"),
        (["host", "renew", "--then", ""], "at least one word"),
    ],
    ids=str,
)
def test_what_cannot_be_read_names_what_to_read(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the help of the verb that it was."""
    try:
        code: Any = _run(*words)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert told in capsys.readouterr().err


def test_a_folder_or_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it was typed, and not as the new file beside it would have been called."""
    nowhere = tmp_path / "no" / "krl"
    with pytest.raises(FileNotFoundError) as caught:
        replacing.replace(nowhere, b"", replacing.PUBLIC)
    assert caught.value.filename == str(nowhere.parent)
    assert _run("krl", "show", "--file", nowhere) == 3
    assert f"there is no {nowhere}" in capsys.readouterr().err


def test_why_not_is_shown_and_the_file_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server's own first line, without what a terminal would obey."""
    to = tmp_path / "krl"
    to.write_bytes(b"as it was")
    with kit.web() as web:
        web.status, web.type = 404, "text/plain; charset=utf-8"
        web.body = b"There is no CA here yet\x1b[2J: `dynimo ssh init` makes one.\nMore."
        assert _run("krl", "fetch", "--url", f"{web.url}/ssh/krl", "--to", to) == 1
    told = capsys.readouterr().err
    assert "404 Not Found: There is no CA here yet" in told
    assert told.endswith(f"makes one; {to} is as it was\n")
    assert "\x1b" not in told
    assert to.read_bytes() == b"as it was"


def test_https_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said that this is what it may be."""
    with kit.web() as web:
        url = web.url.replace("http:", "https:")
        assert _run("krl", "fetch", "--url", url, "--to", tmp_path / "krl") == 69
    assert "does it speak https?" in capsys.readouterr().err


def test_what_a_host_runs_afterwards_comes_not_between(
    ca: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program that reads the JSON reads nothing else; what cannot be run is said."""
    ca(_certifies)
    key = kit.keygen(tmp_path / "host")
    words = ("host", "issue", "--key", key, "--name", "web1", "--json")
    assert _run(*words, "--then", "echo reloaded") == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["changed"] is True
    assert err == "reloaded\n"
    assert _run(*words, "--then", "no-such-program 1") == 1
    assert "no shell runs it" in capfd.readouterr().err


def test_nobody_reads_and_not_every_letter_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback: the one is nothing, of the other the code is written."""
    (tmp_path / "rules").write_text("administrators = [1]\n")
    words = ("policy", "check", tmp_path / "rules")
    monkeypatch.setattr(sys, "stdout", None)
    assert _run(*words) == 1
    sys.stdout.close()
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    with pytest.raises(SystemExit) as ended:
        _run("krl", "revoke", "--help")
    plain.flush()
    assert ended.value.code == 0
    assert b"SHA256:\\u2026" in plain.buffer.getvalue()  # type: ignore[attr-defined]
    assert "Traceback" not in capsys.readouterr().err


def test_the_log_is_shown_in_words(ca: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals a line each, without what a terminal would obey; in JSON as the CA has them."""
    row = {"number": 1, "at": 0, "doing": "issue", "code": "denied", "caller": "",
           "key": "", "message": "\x1b[2Jno\nrule"}  # fmt: skip
    head = json.dumps({"size": 3, "root": "ab", "time": 1000})
    told = {"refusals": [row], "head": head, "origin": "o", "size": 4, "key": "k"}
    ca(lambda asked: told)
    for what in ("refusals", "head"):
        assert _run("audit", what) == 0
    out = capsys.readouterr().out
    assert out.startswith("1970-01-01 00:00:00 UTC  issue  denied  nobody  \ufffd[2Jno\ufffdrule\n")
    assert "o: 4 records\n  signed  the first 3, 1970-01-01 00:00:01 UTC\n  root    ab\n" in out
    assert _run("audit", "refusals", "--json") == 0
    assert json.loads(capsys.readouterr().out) == told


def test_a_wrong_key_of_a_rule_is_named() -> None:
    """Where the right one is missing for it."""
    text = """
        administrators = ["arn:aws:iam::*:user/ops"]
        [[rules]]
        name = "a"
        type = "user"
        [rules.who]
        callers = ["arn:aws:iam::*:user/*"]
        [rules.allow]
        principals = ["x"]
        source_addresses = "any"
        valid_secs = 60
        """
    with pytest.raises(PolicyError, match="valid_seconds: is missing; .* 'valid_secs'"):
        policy.read(text)


@pytest.mark.parametrize("source", ["1.2.3", "10.0.0.1/8", "x", "10.0.0.0/8,10.1.0.0/16", ""])
def test_a_network_that_is_none_is_answered_with_one(source: str) -> None:
    """What is wanted is shown."""
    asked = {
        "type": "user", "public_key": public(CA_ED25519), "principals": ["ada"],
        "source_addresses": [source], "nonce": "0" * 32, "at": 1,
    }  # fmt: skip
    with pytest.raises(Refused, match="192.0.2.0/24, with no bit set"):
        requested.read(asked)


def test_rules_that_let_nobody_in_are_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an empty file does."""
    (tmp_path / "rules").write_text("")
    assert _run("policy", "check", tmp_path / "rules") == 0
    assert "0 rules, as they should be: nobody gets a certificate" in capsys.readouterr().out
