"""`dynimo ssh krl fetch` and what it stands on: whole, newer, atomic; else all stays as it was."""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ssh_commands_kit as kit
from asking import policy
from bless_kit import CA_ED25519, public
from dynimo.sdk.commands import CommandError
from revocation.krl import EVERY_CA, Krl, certificates
from revocation.writing import encoded
from ssh_commands import __main__ as program
from ssh_commands import ca, fetching, host, krl, options, replacing, seen, starting, verifying
from ssh_commands.certificates import Issued
from transparency.heads import Head, signed

OLD = encoded(Krl(4, 1, "", {EVERY_CA: certificates([5])}))
NEW = encoded(Krl(5, 2, "", {EVERY_CA: certificates([5, 9], key_ids=["ada"])}))


@pytest.fixture
def web() -> Iterator[kit.Web]:
    with kit.web() as started:
        started.body, started.etag = OLD, '"4"'
        yield started


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "revoked"


def _run(*words: Any) -> int:
    return program.main([str(each) for each in words])


def _fetch(web: kit.Web, to: Path, *words: str) -> int:
    return _run("krl", "fetch", "--url", f"{web.url}/ssh/krl", "--to", to, "--exit-code", *words)


def test_it_changes_then_it_does_not_then_it_does(web: kit.Web, to: Path) -> None:
    """By exit code; what is unchanged was answered with 304."""
    codes = [_fetch(web, to), _fetch(web, to)]
    web.body, web.etag = NEW, '"5"'
    codes.append(_fetch(web, to))

    assert codes == [0, 10, 0]
    assert web.asked == [("/ssh/krl", ""), ("/ssh/krl", '"4"'), ("/ssh/krl", '"4"')]
    assert to.read_bytes() == NEW
    assert to.stat().st_mode & 0o777 == 0o644


def test_without_exit_code_nothing_to_do_is_done(
    web: kit.Web, to: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As scripts and timers have it; what happened is said."""
    words = ("krl", "fetch", "--url", web.url, "--to", to, "--json")
    assert [_run(*words), _run(*words)] == [0, 0]
    told = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert told == [
        {"changed": each, "file": str(to), "version": 4, "age_seconds": 0} for each in (True, False)
    ]


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("", 0), ("60", 60), ("725", 725), ("x", 0), ("-9", 0), ("9" * 40, 10**10 - 1)],
)
def test_what_a_cache_gave_without_the_ca_is_said(
    web: kit.Web, to: Path, capsys: pytest.CaptureFixture[str], age: str, seconds: int
) -> None:
    """New or not, it is taken; how old it is stands beside it, and in JSON."""
    web.age = age
    words = ("krl", "fetch", "--url", web.url, "--to", to, "--json")
    for _ in range(2):
        assert _run(*words) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["age_seconds"] == seconds
        assert (f"{seconds // 60} min ago" in err) == (seconds > 60)


def test_a_file_that_somebody_changed_is_fetched_anew(web: kit.Web, to: Path) -> None:
    """Its tag says nothing of what is there now."""
    _fetch(web, to)
    to.write_bytes(b"")
    assert _fetch(web, to) == 0
    assert to.read_bytes() == OLD


@pytest.mark.parametrize(
    "changed",
    [
        {"body": NEW[:-1]}, {"body": NEW + b"\0"}, {"body": b""}, {"body": b"<html>"},
        {"body": NEW[:60], "announced": len(NEW)}, {"body": NEW, "status": 500},
        {"body": NEW, "status": 302}, {"body": NEW, "status": 404},
        {"body": encoded(Krl(3, 9))},
    ],
    ids=["cut", "more", "empty", "a page", "broken off", "500", "302", "404", "older"],
)  # fmt: skip
def test_whatever_goes_wrong_the_old_list_stays(
    web: kit.Web, to: Path, changed: dict[str, Any]
) -> None:
    """An error, and the file byte for byte as it was, with nothing beside it."""
    _fetch(web, to)
    web.etag = '"5"'
    for name, value in changed.items():
        setattr(web, name, value)

    assert _fetch(web, to) in {1, 69}
    assert to.read_bytes() == OLD
    assert sorted(each.name for each in to.parent.iterdir()) == ["revoked", "revoked.etag"]


def test_nobody_answers(to: Path) -> None:
    """Exit code 69, as of every verb."""
    to.write_bytes(OLD)
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        assert _run("krl", "fetch", "--url", url, "--to", to) == 69
    assert to.read_bytes() == OLD


def test_an_answer_that_drips_or_has_no_end_is_left(
    web: kit.Web, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time and by size."""
    monkeypatch.setattr(fetching, "FETCH_SECONDS_MAX", -1.0)
    assert _fetch(web, to) == 69
    monkeypatch.undo()
    monkeypatch.setattr(krl, "KRL_BYTES_MAX", len(OLD) - 1)
    assert _fetch(web, to) == 1
    assert not to.exists()


def test_an_older_list_is_taken_if_that_is_meant(web: kit.Web, to: Path) -> None:
    """After a CA was made anew."""
    _fetch(web, to)
    web.body, web.etag = encoded(Krl(1, 9)), '"1"'
    assert _fetch(web, to) == 1
    assert _fetch(web, to, "--older") == 0


@pytest.mark.parametrize(
    "url",
    ["http://ca.example/ssh/krl", "ftp://127.0.0.1/", "x", "http://a@127.0.0.1/", "http://[/"],
)
def test_what_could_be_bent_on_its_way_is_not_asked(to: Path, url: str) -> None:
    """HTTP that is not encrypted only on this machine, unless told."""
    assert _run("krl", "fetch", "--url", url, "--to", to) == 2
    assert not to.exists()


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@settings(max_examples=100)
def test_any_note_of_a_tag_is_a_tag_or_none(tmp_path_factory: Any, note: bytes) -> None:
    """What stands beside the file can break nothing."""
    path = tmp_path_factory.mktemp("tag") / "x.etag"
    path.write_bytes(note)
    assert fetching.tag_of(path, "http://x/", b"data") == ""


def test_a_tag_counts_for_its_address_and_content_only(tmp_path: Path, web: kit.Web) -> None:
    """And has no line ends in it."""
    path = tmp_path / "krl"
    source = fetching.Source(f"{web.url}/a")
    fetching.fetch(source, path, lambda new, old: None)
    beside = path.with_name("krl.etag")

    assert fetching.tag_of(beside, source.url, OLD) == '"4"'
    assert fetching.tag_of(beside, f"{web.url}/b", OLD) == ""
    assert fetching.tag_of(beside, source.url, NEW) == ""
    beside.write_text(beside.read_text().replace("4", "4\\r\\nx: y"))
    assert fetching.tag_of(beside, source.url, OLD) == ""


def test_a_list_is_shown_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What sshd would read, from a file."""
    (tmp_path / "krl").write_bytes(NEW)
    assert _run("krl", "show", "--file", tmp_path / "krl", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["certificates"]) == (
        5, [{"ca": "every CA", "serials": [[5, 5], [9, 9]], "key_ids": ["ada"]}],
    )  # fmt: skip
    assert _run("krl", "show", "--file", tmp_path / "krl") == 0
    assert "key id       ada  every CA" in capsys.readouterr().out


def test_trusted_cas_are_fetched_and_only_keys_are_taken(web: kit.Web, tmp_path: Path) -> None:
    """A page, an empty list or another kind of line would lock people out, or let others in."""
    to, key = tmp_path / "cas", public(CA_ED25519, "")
    words = ("ca", "bundle", "--kind", "user", "--url", web.url, "--to", to, "--exit-code")
    web.body = f"{key} one\n{key} two\n".encode()
    assert [_run(*words), _run(*words)] == [0, 10]
    web.etag = '"6"'
    for bad in (b"", b"# nothing\n", b"<html>", b"cert-authority " + key.encode(), b"\xff"):
        web.body = bad
        assert _run(*words) == 1
    assert to.read_bytes() == f"{key} one\n{key} two\n".encode()
    ca.check(f"@cert-authority *.example {key}\n".encode(), "host")
    with pytest.raises(CommandError):
        ca.check(key.encode(), "host")


def test_a_file_is_replaced_whole_through_a_link(tmp_path: Path) -> None:
    """The link stays one; where it cannot be written the old one stays."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replacing.replace(tmp_path / "link", b"new", 0o600)

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match="nowhere"):
        replacing.replace(tmp_path / "nowhere" / "x", b"new", 0o600)


@pytest.mark.parametrize(
    ("now", "left", "answer"),
    [(0, 33, "no"), (66, 33, "no"), (68, 33, "yes"), (101, 33, "yes"), (0, 100, "yes"),
     (99, 0, "no")],
)  # fmt: skip
def test_a_host_renews_when_little_time_is_left(now: int, left: float, answer: str) -> None:
    """As a percentage of its whole time."""
    current = Issued(line="", blob=b"", type="host", serial=1, key_id="", principals=("a",),
                     valid_after=0, valid_before=100, record=None)  # fmt: skip
    assert host.due(current, now, left) is (answer == "yes")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("7d", 604_800)]
)
def test_durations(text: str, seconds: int) -> None:
    """As people type them; nothing else."""
    assert options.seconds(text) == seconds
    for wrong in ("0", "", "h", "-1s", "1.5h", f"{text}x", "1h30m"):
        with pytest.raises(argparse.ArgumentTypeError):
            options.seconds(wrong)


def test_what_was_seen_is_kept_and_never_forgotten_in_silence(tmp_path: Path) -> None:
    """A damaged file is an error."""
    path = tmp_path / "state" / "seen.json"
    head = signed(Head("log", 0, bytes(32), 1), CA_ED25519)
    seen.remember(path, "log", "ssh-ed25519 A", head)
    seen.remember(path, "other", "ssh-ed25519 B")

    assert seen.load(path) == {
        "log": seen.Seen("ssh-ed25519 A", head), "other": seen.Seen("ssh-ed25519 B"),
    }  # fmt: skip
    for damaged in ("", "[]", '{"a": 1}', '{"a": {"key": "x", "head": "{}"}}'):
        path.write_text(damaged)
        with pytest.raises(CommandError, match="damaged"):
            seen.load(path)


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    ).map(json.dumps)
)
@settings(max_examples=100)
def test_any_file_of_what_was_seen_is_read_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """And nothing else comes out."""
    path = tmp_path_factory.mktemp("seen") / "seen.json"
    path.write_text(text, "utf-8", "surrogatepass")
    try:
        told = seen.load(path)
    except CommandError:
        return
    assert all(isinstance(each, seen.Seen) for each in told.values())


def test_a_log_has_the_key_that_it_had(tmp_path: Path) -> None:
    """Whatever is named or said now."""
    (tmp_path / "key").write_text("ssh-ed25519 B log\n")
    typed = argparse.Namespace(key=str(tmp_path / "key"), live=False)
    assert verifying.key_line(typed, None, "log") == "ssh-ed25519 B log"
    with pytest.raises(CommandError, match="another key"):
        verifying.key_line(typed, seen.Seen("ssh-ed25519 A"), "log")
    with pytest.raises(CommandError, match="--key FILE"):
        verifying.key_line(argparse.Namespace(key=None, live=False), None, "log")


def test_help_imports_no_verb() -> None:
    """`dynimo ssh --help` is there at once."""
    code = (
        "import sys, ssh_commands.__main__ as program\n"
        "try: program.main(['--help'])\n"
        "except SystemExit: print(sorted(n for n in sys.modules if n.startswith('ssh_commands')),"
        " 'cryptography' in sys.modules, file=sys.stderr)"
    )
    folder = Path(program.__file__).parents[1]
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert told.stderr.strip() == "['ssh_commands', 'ssh_commands.__main__'] False"
    assert all(f"\n    {name} " in told.stdout for name in program.VERBS)


def test_every_generation_that_is_not_retired_is_trusted() -> None:
    """Before it signs, while it signs, and until what it signed has ended."""
    line = public(CA_ED25519, "")
    told = [
        {"kind": kind, "stage": stage, "key": line, "generation": 1, "since": 1}
        for kind in ("user", "host")
        for stage in ("published", "signing", "overlap", "retired")
    ]
    assert list(ca.lines_of(told, "user", "*")) == [line] * 3
    assert list(ca.lines_of(told, "host", "*.a")) == [f"@cert-authority *.a {line}"] * 3


def test_serials_are_numbers_or_ranges() -> None:
    """Of as many as the CA takes at once."""
    assert [krl.serials(each) for each in ("7", "7-9", str(2**64 - 1))] == [
        ["7"], ["7", "8", "9"], [str(2**64 - 1)],
    ]  # fmt: skip
    for wrong in ("", "x", "-7", "9-7", "1-100001", "\u0667", "1-2-3"):
        with pytest.raises(CommandError):
            krl.serials(wrong)


def test_the_first_rules_are_rules() -> None:
    """Whatever the ARN and the local name are; the CA reads them as any other."""
    arn = "arn:aws:iam::000000000000:user/o'ps"
    for local in ("ada", "root", "", 'a"b', "x y"):
        read = policy.read(starting.rules([arn], local))
        assert [each.text for each in read.administrators] == [arn]
        assert [each.type for each in read.rules] == ["user", "user", "host"]


def test_the_policies_of_the_how_to_are_policies() -> None:
    """Each by itself; what is only a part of a rule stands behind one."""
    text = (Path(program.__file__).parents[3] / "docs" / "how-to" / "ssh-ca.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    whole = [each for each in blocks if "[[rules]]" in each]

    assert len(whole) == 3
    assert all(policy.read(each).rules for each in whole)
    assert policy.read(whole[0] + blocks[-1]).rules[0].approval
