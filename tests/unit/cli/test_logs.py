"""``dynimo logs``: from files without a server, live, and in words that help."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from dynimo.cli import app, logs
from dynimo.cli.durations import since_ms
from dynimo.cli.log_sources import Entry
from dynimo.logs.config import Config
from dynimo.logs.store import Store
from dynimo.ports import Line

ACCOUNT = "000000000000"
STREAM = "2026/01/01/[{}]0123456789abcdef0123456789abcdef"


def written(folder: Path, *lines: Line) -> None:
    """Put lines into a data folder."""

    async def write() -> None:
        store = Store(folder / "logs", Config(free_bytes_min=0))
        store.open()
        for each in lines:
            store.write(each)
        await store.close()

    asyncio.run(write())


def line(text: str, *, ago: float = 0, version: str = "$LATEST", **changes: str) -> Line:
    """A line of ``hello``, written some seconds ago."""
    fields = {"group": "/aws/lambda/hello", "account": ACCOUNT, "stream": STREAM.format(version)}
    when_ms = int((time.time() - ago) * 1000)
    return Line(text=text, when_ms=when_ms, **(fields | changes))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``dynimo logs``; exit code, output, errors."""
    code = app.run(["logs", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_last_lines_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Oldest first; --lines says how many."""
    written(tmp_path, *(line(f"line {number}") for number in range(150)))
    code, out, _ = run(capsys, "hello", "--data", str(tmp_path))
    _, few, _ = run(capsys, "hello", "--data", str(tmp_path), "-n", "2")

    assert code == 0
    assert [each.partition(" ")[2] for each in out.splitlines()] == [
        f"line {number}" for number in range(50, 150)
    ]
    assert few.splitlines() == out.splitlines()[-2:]


def test_since_request_and_version_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each alone."""
    written(
        tmp_path,
        line("old", ago=7200),
        line("one", ago=60, request="r1"),
        line("two", ago=60, request="r2", version="3"),
    )
    data = ("--data", str(tmp_path))

    def texts(*arguments: str) -> list[str]:
        out = run(capsys, *arguments, *data)[1]
        return [each.split(" ")[-1] for each in out.splitlines()]

    assert texts("hello", "--since", "10m") == ["one", "two"]
    assert texts("hello", "--request", "r1") == ["one"]
    assert texts("hello:3") == ["two"]
    assert texts(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:hello") == ["old", "one", "two"]
    assert texts("/aws/lambda/hello", "--since", "1h", "--request", "r2") == ["two"]


def test_json_names_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines."""
    written(tmp_path, line('say "x"\nand y', version="7", request="r", kind="platform"))
    told = json.loads(run(capsys, "hello", "--json", "--data", str(tmp_path))[1])

    assert told.pop("time").endswith("+00:00")
    assert told == {
        "kind": "platform",
        "request": "r",
        "version": "7",
        "stream": STREAM.format(7),
        "message": 'say "x"\nand y',
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("helo",), 3, "did you mean 'hello'?"),
        (("quite-another",), 3, "`dynimo versions` lists every function."),
        (("hello", "--data", "/no/such/folder"), 3, "`dynimo up --data /no/such/folder`"),
        (("hello", "--since", "soon"), 2, "say 10m, 2h, 30d"),
        (("hello:live",), 2, "'live' is an alias"),
        (("hello", "--since", "1h", "--lines", "3"), 2, "give one"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    """With what to do next."""
    written(tmp_path, line("x"))
    told = ("--data", str(tmp_path), *arguments)
    result, _, errors = run(capsys, *told)

    assert said in errors
    assert result == code


def entry(text: str) -> Entry:
    """A line of now."""
    return Entry(
        when_ms=int(time.time() * 1000), stream="s", kind="function", request="", text=text
    )


def test_a_log_cannot_play_with_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursor movements and titles are left out; colours only stay where colour is wanted."""
    text = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x9b1A\x08 end"
    monkeypatch.setenv("NO_COLOR", "1")
    assert logs.in_words(entry(text)).endswith("]0;title[2Jred1A end")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert logs.in_words(entry(text)).endswith("\x1b[31mred\x1b[0m1A end")
    assert "\x1b[31m[ERROR] no" in logs.in_words(entry("[ERROR] no"))


def test_tracebacks_of_one_event_are_lines_again() -> None:
    """AWS joins them by carriage returns."""
    assert logs.in_words(entry("[ERROR] E: x\rTraceback\r  File")).splitlines()[1:] == [
        "Traceback",
        "  File",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("30d", 2_592_000), ("1w", 604_800)],
)
def test_durations(text: str, seconds: int) -> None:
    """Back from now."""
    assert since_ms(text, 10_000_000) == (10_000_000 - seconds) * 1000


def test_moments() -> None:
    """ISO, with or without a zone."""
    assert since_ms("1970-01-02T00:00:00+00:00", 0) == 86_400_000
    with pytest.raises(ValueError, match="is no time"):
        since_ms("yesterday", 0)


def test_names() -> None:
    """Every form leads to its group."""
    assert logs.named("hello") == ("/aws/lambda/hello", "")
    assert logs.named("hello:$LATEST") == ("/aws/lambda/hello", "$LATEST")
    assert logs.named(f"{ACCOUNT}:function:hello:4"[13:]) == ("/aws/lambda/hello", "4")
    assert logs.named("/my/group") == ("/my/group", "")
    with pytest.raises(click.UsageError):
        logs.named("")


def test_following_shows_lines_as_they_come(tmp_path: Path) -> None:
    """While another process writes; also from before the first line, and after a deletion."""
    import shutil

    process = subprocess.Popen(
        [sys.executable, "-m", "dynimo", "logs", "hello", "-f", "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert "Waiting for its first line" in process.stderr.readline()
        written(tmp_path, line("one"), line("elsewhere", group="/aws/lambda/other"))
        assert process.stdout.readline().endswith(" one\n")
        written(tmp_path, line("two"))
        assert process.stdout.readline().endswith(" two\n")
        shutil.rmtree(tmp_path / "logs")
        written(tmp_path, line("3"))
        assert process.stdout.readline().endswith(" 3\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
