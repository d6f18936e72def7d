"""``dynimo cost``: what was used, at the prices of the settings."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from dynimo.cli import app
from dynimo.metering.config import Config
from dynimo.metering.meter import Meter
from dynimo.ports import Usage

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def used(folder: Path) -> None:
    """Two functions; one in two versions."""

    async def record() -> None:
        meter = Meter(folder / "metering", Config())
        meter.open()
        now_ms = int(time.time() * 1000)
        for number in range(1000):
            meter.record(
                Usage(
                    id=str(number), attempt=1, arn=ARN + ("a" if number % 4 else "b"),
                    version=str(number % 2 + 1), alias="live", ended="ok", when_ms=now_ms,
                    billed_ms=100, memory_mib=1024, max_rss_kib=50 * 1024,
                )
            )  # fmt: skip
        await meter.close()

    asyncio.run(record())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``dynimo cost``; exit code, output, errors."""
    code = app.run(["cost", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each function, and the total."""
    used(tmp_path)
    code, out, _ = run(capsys, "--data", str(tmp_path))
    head, first, second, total = out.splitlines()

    assert code == 0
    assert head.split()[:4] == ["function", "requests", "errors", "throttles"]
    assert first.split() == [
        "a", "750", "0", "0", "0", "100.0", "50", "75.000", "0.000", "0.001400",
    ]  # fmt: skip
    assert second.split()[:2] == ["b", "250"]
    assert total.split() == ["total", "0.001867", "USD"]


def test_json_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By version, for one function."""
    used(tmp_path)
    _, out, _ = run(capsys, "a", "--by", "version", "--json", "--data", str(tmp_path))
    told = json.loads(out)

    assert [(row["version"], row["requests"]) for row in told["rows"]] == [("1", 250), ("2", 500)]
    assert told["cost"] == pytest.approx(0.0014000025)
    assert told["prices"]["gb_second_price"] == 0.0000166667


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nobody",), 3, "`dynimo versions` lists every function"),
        (("--data", "/no/such/folder"), 3, "nothing was counted in /no/such/folder"),
        (("--since", "soon"), 2, "say 10m, 2h, 30d"),
        (("--by", "colour"), 2, "'colour' is not one of"),
        (("--config", "/no/such/file"), 78, "No such file"),
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
    used(tmp_path)
    result, _, errors = run(capsys, "--data", str(tmp_path), *arguments)

    assert said in errors
    assert result == code


def test_a_quiet_time_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty bill is one too."""
    used(tmp_path)
    code, out, _ = run(capsys, "--since", "2999-01-01", "--data", str(tmp_path))

    assert (code, out) == (0, "Nothing ran since then.\n")
