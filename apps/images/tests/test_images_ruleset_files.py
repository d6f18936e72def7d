"""Rules files in force: their own tests at load, roll-outs, title facts, and the commands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import preprocess
from commands import __main__ as images
from commands import logged
from dynimo.sdk import commands
from rulesets import facts, reading, trying, watching
from rulesets.mistakes import RulesError
from rulesets.ruleset import Table
from tests import origins

TESTED = """\
version = "{version}"
[[rule]]
name = "posters"
path = "titles/{{title}}/*"
ttl_seconds = {ttl}
when.facts = {{ rank = {{ most = 10 }} }}
tags = "top"
[[rule.tests]]
url = "/img/art/titles/7/a.jpg?w=200&fm=jpg"
facts = {{ rank = 1 }}
expect = {{ ttl_seconds = 60, rules = "posters", tags = "top" }}
[[rule.tests]]
url = "/img/art/titles/7/a.jpg?w=200&fm=jpg"
facts = {{ rank = 11 }}
expect = {{ ttl_seconds = 3600, rules = [], lacks = "layer", has = "resize:inside,200" }}
[[rule.tests]]
url = "/img/art/titles/7/a.jpg?w=nan"
expect = {{ status = 400 }}
"""


def examined(version: str = "1", ttl: int = 60) -> str:
    return TESTED.format(version=version, ttl=ttl)


class Watch:
    """Watched rules with a clock that the test moves, checked as they are when deployed."""

    def __init__(self, path: Path) -> None:
        self.now = 0.0
        self.complaints: list[str] = []
        self.watched = watching.Watched(
            path,
            clock=lambda: self.now,
            check=lambda ruleset, name: trying.check(ruleset, name, preprocess.tried),
            complain=self.complaints.append,
        )

    def version(self, url: str = "", which: str = "") -> str:
        self.now += 1
        return self.watched.current(url, which).ruleset.version


def rewrite(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_ruleset_whose_tests_fail_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    """The message names file, line, rule, what was expected and what came."""
    path = tmp_path / "rules.toml"
    path.write_text(examined())
    watch = Watch(path)
    rewrite(path, examined("2", ttl=61))
    assert [watch.version(), watch.version()] == ["1", "1"]
    why = "rule 'posters': expected ttl_seconds 60, got 61"
    assert watch.complaints == [f"rules refused, the old ones stay: {path}:8: {why}\n"]
    rewrite(path, examined("2"))
    assert watch.version() == "2"
    rewrite(path, examined("3", ttl=61))
    with pytest.raises(RulesError, match="expected ttl_seconds"):
        Watch(path)


@pytest.mark.parametrize(
    ("expect", "got"),
    [
        ("ops = 'as:jpg,80'", "'resize:inside,9;as:jpg,80'"),
        ("has = ['grey']", "'resize:inside,9', 'as:jpg,80'"),
        ("lacks = ['resize']", "'resize:inside,9', 'as:jpg,80'"),
        ("format = 'webp'", "'jpg'"),
        ("quality = 1", "80"),
        ("file = 'a/c.jpg'", "'a/b.jpg'"),
        ("rules = 'other'", "'it'"),
        ("tags = 'x'", "none"),
        ("fallback = 'a/c.jpg'", "''"),
        ("status = 404", "200"),
    ],
)
def test_every_expectation_can_fail(expect: str, got: str) -> None:
    """And says what came instead."""
    toml = (
        f"[[rule]]\nname='it'\n[[rule.tests]]\nurl='/img/a/b.jpg?w=9&fm=jpg'\nexpect={{{expect}}}"
    )
    (failure,) = trying.failures(reading.parse(toml, "f"), preprocess.tried)
    assert failure.got == got
    assert failure.line == 3


def test_a_roll_out_gives_the_canary_to_its_share_of_addresses(tmp_path: Path) -> None:
    """The same addresses every time; both can be asked for by name."""
    (tmp_path / "a.toml").write_text(examined("old"))
    (tmp_path / "b.toml").write_text(examined("new"))
    plan = tmp_path / "plan.toml"
    plan.write_text('stable = "a.toml"\ncanary = "b.toml"\ncanary_percent = 25\n')
    watch = Watch(plan)
    seen = [watch.version(f"/img/a/{n}.jpg") for n in range(400)]
    assert seen == [watch.version(f"/img/a/{n}.jpg") for n in range(400)]
    assert 60 < seen.count("new") < 140
    assert [watch.version("x", name) for name in ("stable", "canary")] == ["old", "new"]
    rewrite(plan, 'stable = "a.toml"\n')
    assert {watch.version(f"/img/a/{n}.jpg") for n in range(40)} == {"old"}


@pytest.mark.parametrize(
    "text",
    [
        "stable = 1", "stable = 'none.toml'", "stable = 'a.toml'\ncanary_percent = 5",
        "stable = 'a.toml'\ncanary = 'a.toml'\ncanary_percent = 101", "stable='a.toml'\nx=1",
    ],
)  # fmt: skip
def test_a_roll_out_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    """With file and line."""
    (tmp_path / "a.toml").write_text(examined())
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(RulesError, match=r"\.toml:\d+: "):
        Watch(tmp_path / "plan.toml")


def clocked(table: Table) -> tuple[facts.Titles, list[str], Callable[[], None]]:
    now = [0.0]
    said: list[str] = []
    titles = facts.Titles(table, clock=lambda: now[0], complain=said.append)

    def later() -> None:
        now[0] += 100

    return titles, said, later


def database(path: Path, rank: int) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with sqlite3.connect(fresh) as connection:
        connection.execute("CREATE TABLE titles (title TEXT PRIMARY KEY, rank INT, kind, raw BLOB)")
        connection.execute("INSERT INTO titles VALUES ('7', ?, 'film', x'00')", (rank,))
    connection.close()
    fresh.replace(path)


def test_facts_come_from_a_sqlite_file_and_follow_it(tmp_path: Path) -> None:
    """A replaced file is seen; one that is broken leaves what was known, and is said once."""
    path = tmp_path / "t.db"
    database(path, 3)
    titles, said, later = clocked(Table(file=str(path)))
    assert titles.look("7") == {"title": "7", "rank": 3, "kind": "film"}
    assert titles.look("'; DROP TABLE titles; --") == {}
    database(path, 4)
    later()
    assert titles.look("7") == {"title": "7", "rank": 4, "kind": "film"}
    rewrite(path, "no database")
    for _ in range(2):
        later()
        assert titles.look("7") == {"title": "7", "rank": 4, "kind": "film"}
    assert said == ["title facts cannot be read, what was known stays: no JSON\n"]


@pytest.mark.parametrize(
    ("named", "said"), [({"key": "nope"}, "nope"), ({"table": "films"}, "films")]
)
def test_a_table_or_column_that_is_not_there_is_said(
    tmp_path: Path, named: dict[str, str], said: str
) -> None:
    """By its name, also to whoever asks why; until the file has it."""
    path = tmp_path / "t.db"
    database(path, 3)
    titles, complaints, later = clocked(Table(file=str(path), **named))
    assert titles.look("7") == {}
    assert f"no such {'column' if 'key' in named else 'table'}: " in titles.trouble
    assert said in titles.trouble
    assert titles.trouble in complaints[0]
    rewrite(path, '{"7": {"rank": 4}}')
    later()
    assert (titles.look("7"), titles.trouble) == ({"rank": 4}, "")


def test_what_is_remembered_of_titles_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for a million titles fills no memory."""
    monkeypatch.setattr(facts, "TITLES_MAX", 10)
    database(tmp_path / "t.db", 1)
    titles, _, _ = clocked(Table(file=str(tmp_path / "t.db")))
    for number in range(100):
        titles.look(f"title {number}")
    assert len(titles._rows) == 10


@pytest.mark.parametrize("text", ["[]", "{", "nan", '{"7": [1]}', '{"7": {"rank": [1]}}'])
def test_json_that_is_no_table_gives_no_facts(tmp_path: Path, text: str) -> None:
    """Nor does it give an exception."""
    (tmp_path / "t.json").write_text(text)
    titles, _, _ = clocked(Table(file=str(tmp_path / "t.json")))
    assert titles.look("7") == {}


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve a JSON document; what is put into ``body`` is answered."""
    said: dict[str, Any] = {"body": b'{"7": {"rank": 5}}', "asked": 0}

    class Handler(origins.Handler):
        def get(self) -> None:
            said["asked"] += 1
            self.send_response(200 if said["body"] else 500)
            self.end_headers()
            self.wfile.write(said["body"])

    with origins.listening(Handler) as port:
        yield f"http://127.0.0.1:{port}/titles", said


def test_facts_of_a_server_are_asked_for_apart(served: tuple[str, dict[str, Any]]) -> None:
    """Nobody waits for them; when it fails or says too much, what was known stays."""
    url, answers = served
    titles, said, _ = clocked(Table(url=url, bytes_max=100))
    assert titles.look("7") is None
    with titles._asking:  # until whoever was sent is back
        assert titles.look("7") == {"rank": 5}
    for body in (b"", b"x" * 101):
        answers["body"] = body
        titles.refresh()
        assert titles.look("7") == {"rank": 5}
    assert len(said) == 2
    assert url not in "".join(said)


def run(*arguments: object) -> int:
    return images.main([str(each) for each in arguments])


def test_rules_test_runs_every_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each failure is named; the exit code says whether there was one."""
    path = tmp_path / "rules.toml"
    path.write_text(examined(ttl=61))
    assert run("rules", "test", path) == 1
    assert "1 rules, 3 tests, 1 failures" in capsys.readouterr().out
    path.write_text(examined())
    assert run("rules", "test", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["tests"] == 3
    path.write_text("x = 1")
    assert run("rules", "test", path) == 1
    assert f"{path}:1: unknown key 'x'" in capsys.readouterr().err


def test_rules_diff_replays_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only requests that change are shown, the most frequent first, with both recipes."""
    old, new, log = (tmp_path / name for name in ("old.toml", "new.toml", "access.log"))
    old.write_text("[[rule]]\nname='all'\n")
    new.write_text(
        "[[rule]]\nname='posters'\npath='p/*'\ncanvas={w=50,h=75}\n[[rule]]\nname='all'\n"
    )
    log.write_text(
        "/img/a/p/1.jpg?w=9&fm=jpg\n" * 2 + "/img/a/q.jpg?w=9\n/other\n/img/a/p/2.jpg?w=0\n"
        '1.2.3.4 - - [x] "GET /img/a/p/3.jpg?w=9&fm=jpg HTTP/1.1" 200 1\n'
        '{"method":"GET","target":"/img/a/p/3.jpg?w=9&fm=jpg"}\n{"method":"PURGE","target":"/"}\n'
        '{"path":"/img/a/p/3.jpg","query":"w=9&fm=jpg"}\n12:00:00 GET /img/a/q.jpg 200 x\n'
    )
    assert run("rules", "diff", old, new, "--log", log, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in told if name != "changes"} == {
        "requests": 8, "urls": 5, "changed_requests": 5, "changed_urls": 2,
    }  # fmt: skip
    assert [(each["url"], each["count"]) for each in told["changes"]] == [
        ("/img/a/p/3.jpg?w=9&fm=jpg", 3), ("/img/a/p/1.jpg?w=9&fm=jpg", 2),
    ]  # fmt: skip
    assert told["changes"][0]["old"]["recipe"] == "resize:inside,9;as:jpg,80 a/p/3.jpg"
    assert told["changes"][0]["new"]["rules"] == "posters"
    run("rules", "diff", old, new, "--log", log)
    assert "5 of 8 requests change (2 of 5 URLs)" in capsys.readouterr().out


def test_any_line_of_a_log_is_a_request_or_none() -> None:
    """What is neither is skipped."""
    lines = ["", "#", "{", "{]", "[1]", "{}", '{"target": 5}', "GET", "x" * 20_000, "\0"]
    assert list(logged.targets(lines)) == []


def test_a_roll_out_begins_grows_and_is_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By rewriting the plan whole; a canary whose tests fail never begins."""
    for name, version in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.toml").write_text(examined(version))
    (tmp_path / "bad.toml").write_text(examined("3", ttl=1))
    plan = tmp_path / "plan.toml"
    plan.write_text('stable = "a.toml"\n')
    begin = ("rules", "roll-out", plan, "--no-purge", "--canary")
    assert run(*begin, "b.toml", "--percent", 5) == 0
    assert plan.read_text() == 'stable = "a.toml"\ncanary = "b.toml"\ncanary_percent = 5\n'
    assert run(*begin, "bad.toml") == 1
    assert run("rules", "rollback", plan, "--no-purge") == 0
    assert plan.read_text() == 'stable = "a.toml"\n'
    assert run("rules", "rollback", plan, "--no-purge") == 1
    assert "no canary" in capsys.readouterr().err
    assert run(*begin, "b.toml") == 0
    assert run("rules", "promote", plan, "--no-purge") == 0
    assert plan.read_text() == 'stable = "b.toml"\n'
    assert run("rules", "promote", tmp_path / "a.toml", "--no-purge") == 1
    assert "Make a roll-out file" in capsys.readouterr().err


def test_a_roll_out_that_the_server_would_refuse_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does one that could not be taken back; each is told what to do."""
    for name, version in (("a", "1"), ("b", "2"), ("same", "1")):
        (tmp_path / f"{name}.toml").write_text(examined(version))
    plan = tmp_path / "plan.toml"
    plan.write_text('stable = "a.toml"\n')
    begin = ("rules", "roll-out", plan, "--no-purge", "--canary")
    for canary, said in (
        ("a.toml", "is the stable one already"),
        ("same.toml", "another version"),
        ("none.toml", "no such file"),
        ("../a.toml", "no such file"),
    ):
        assert run(*begin, canary) == 1
        assert said in capsys.readouterr().err
    assert plan.read_text() == 'stable = "a.toml"\n'
    assert run("rules", "test", plan) == 1
    assert "this is a roll-out file" in capsys.readouterr().err

    monkeypatch.chdir(tmp_path.parent)
    assert run(*begin, f"{tmp_path.name}/b.toml") == 0  # as a shell completes it
    begun = plan.read_text()
    assert 'canary = "b.toml"' in begun
    (tmp_path / "b.toml").write_text("[[rule]")
    assert run("rules", "promote", plan, "--no-purge") == 1
    assert plan.read_text() == begun
    (tmp_path / "a.toml").write_text("x = 1")
    assert run("rules", "rollback", plan, "--no-purge") == 1
    (tmp_path / "a.toml").write_text(examined("1"))
    capsys.readouterr()
    assert run("rules", "rollback", plan, "--data", tmp_path / "none") == 0  # b cannot be read
    assert "not purged" in capsys.readouterr().out
    assert plan.read_text() == 'stable = "a.toml"\n'


def test_a_plan_names_only_files_of_its_folder(tmp_path: Path) -> None:
    """No other is there for the function that reads them."""
    for name in ("../a.toml", "/etc/a.toml"):
        (tmp_path / "plan.toml").write_text(f"stable = '{name}'")
        with pytest.raises(RulesError, match="in the folder of the roll-out file"):
            Watch(tmp_path / "plan.toml")


def test_a_diff_by_tests_finds_what_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their headers, facts and time, not the server's; a log without a picture is no log."""
    test = (
        "[[rule.tests]]\nurl='/img/a/7.jpg?w=9&fm=jpg'\nheaders={Accept-Language='de'}\n"
        "facts={rank=3}\nnow=2030-01-01T00:00:00Z\nexpect={has='blur'}\n"
    )
    when = "when={locale='de',facts={rank=3},from=2029-01-01T00:00:00Z}\n"
    for name, blur in (("old", 3), ("new", 5)):
        (tmp_path / f"{name}.toml").write_text(
            f"[[rule]]\nname='it'\npath='{{title}}.jpg'\n{when}effects='blur:{blur}'\n{test}"
        )
    files = (tmp_path / "old.toml", tmp_path / "new.toml")
    assert run("rules", "diff", *files) == 0
    assert "2 of 2 requests change (1 of 1 URLs)" in capsys.readouterr().out
    (tmp_path / "log").write_text("garbage\n")
    assert run("rules", "diff", *files, "--log", tmp_path / "log") == 1
    assert "no line asks for a picture" in capsys.readouterr().err
    assert run("rules", "diff", *files, "--log", tmp_path / "none") == 1
    assert "[access_log]" in capsys.readouterr().err


@pytest.mark.parametrize("header", ["Accept-Language", ":de", ""])
def test_a_header_that_is_none_is_not_passed_over(
    header: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left out in silence would be explained wrongly."""
    with pytest.raises(SystemExit):
        images.main(["explain", "/img/a/b.jpg", "--header", header])
    assert "no NAME:VALUE" in capsys.readouterr().err


def test_a_purge_needs_something_to_purge(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """And a server; both are said in one line."""
    monkeypatch.chdir(tmp_path)
    assert run("purge") == 2
    assert run("purge", "--all", "--data", tmp_path / "none") == 69
    assert "no server runs" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_purge_is_one_by_tags_soft_unless_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of thing has its tag, spelled as answers spell it."""
    asked: list[tuple[str, ...]] = []

    def platform(*arguments: str) -> commands.Told:
        asked.append(arguments)
        return commands.Told(code=0, output='{"purged": 3}', errors="")

    monkeypatch.setattr(commands, "platform", platform)
    kinds = ("asset", "layer", "title", "tag", "preset", "rule", "ruleset")
    assert run("purge", *[part for kind in kinds for part in (f"--{kind}", "a b/c")]) == 0
    wanted = [part for kind in kinds for part in ("--tag", f"{kind}:a%20b/c")]
    assert asked == [("purge", *wanted, "--soft", "--json")]
    assert run("purge", "--asset", "/a/b.jpg", "--layer", "https://h/b.png") == 0
    assert asked.pop()[1:5] == ("--tag", "asset:a/b.jpg", "--tag", "layer:~https/h/b.png")
    assert run("purge", "--all", "--hard", "--data", "d") == 0
    assert asked[1] == ("purge", "--tag", "images", "--data", "d", "--json")
    assert "3 dropped: images" in capsys.readouterr().out
