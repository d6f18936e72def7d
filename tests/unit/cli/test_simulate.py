"""``dynimo simulate``: a table, one JSON document, a picture; mistakes with what to do next."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from dynimo.cli import simulate

FAST = ("step", "--base", "2", "--factor", "5")


def test_a_table_has_a_line_for_each_way_of_supply() -> None:
    """The same words as in the documentation."""
    ran = CliRunner().invoke(simulate.command, FAST)

    assert ran.exit_code == 0
    assert [line.split()[0] for line in ran.output.splitlines()[2:]] == [
        "prescaled",
        "autoscaled",
        "dynimo",
    ]


def test_json_and_the_picture_say_the_same(tmp_path: Path) -> None:
    """Three runs, three panels; the rows add up to the totals."""
    picture = tmp_path / "spike.svg"

    ran = CliRunner().invoke(simulate.command, [*FAST, "--json", "--plot", str(picture)])

    told = json.loads(ran.stdout)
    assert [run["plan"] for run in told["runs"]] == ["prescaled", "autoscaled", "dynimo"]
    for run in told["runs"]:
        assert sum(row["offered"] for row in run["rows"]) == run["offered"]
        assert run["offered"] == run["answered"] + run["failed"] + run["inside"]
    words = "".join(ET.parse(picture).getroot().itertext())
    assert all(run["plan"] in words for run in told["runs"])


def test_a_trace_from_a_file(tmp_path: Path) -> None:
    """CSV of seconds and requests a second."""
    trace = tmp_path / "demand.csv"
    trace.write_text("seconds,requests_per_second\n0,5\n30,50\n60,5\n")

    ran = CliRunner().invoke(simulate.command, [str(trace), "--json"])

    assert json.loads(ran.stdout)["seconds"] == 90


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("lunch-spike",), 3, "there is no trace and no file 'lunch-spike'; traces are step"),
        (("bad.csv",), 2, "bad.csv, line 2: 'five,6' is not two numbers"),
        (
            ("step", "--plot", "no/such/folder/a.svg"),
            3,
            "cannot be written: there is no such folder",
        ),
        (("step", "--factor", "0.5"), 2, "0.5 is not in the range x>=1"),
        (("daily-curve", "--base", "1000", "--model", "exact"), 2, "too many for the exact model"),
        (("--validate", "none.json"), 3, "there is no file 'none.json'"),
        (("--validate", "bad.csv"), 2, "bad.csv is no result of `dynimo bench spike --json`"),
    ],
)
def test_a_mistake_is_told(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is wrong and what there is, with the exit code of its kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("0,10\nfive,6\n")

    ran = CliRunner().invoke(simulate.command, arguments)

    assert said in ran.output
    assert ran.exit_code == status
