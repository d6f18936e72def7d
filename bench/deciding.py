"""From URL to recipe: how many decisions one core makes with 200 rules, and what memory that takes.

The Preprocessor as it is, rules, title facts and all, called as the platform calls it; no HTTP.
Rates are of processor time, so that a busy machine says the same.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from bench.deciding_program import TITLES, WARM_SHARE
from bench.figures import Report, median
from bench.setting import ROOT, Setting, Unavailable

NAME = "rules"
ABOUT = "decisions of the image service's Preprocessor with 200 rules, and their memory"
REQUESTS, QUICK_REQUESTS = 1_000_000, 40_000
SLICES = 20
RATE_GOAL = 3_000
GROWTH_MIB_MAX = 8.0
"""More than this between a fifth of the URLs and all of them is no flat memory."""


def ruleset() -> str:
    """Write 200 rules: for titles, for sources, for conditions, for all."""
    made = ['version = "bench"\nmode = "layered"\nrequest.country_header = "X-Country"\n']
    made.append('[facts]\nfile = "titles.db"\n')
    made += [
        f'[[rule]]\nname = "title {n}"\nsource = "art"\npath = "titles/{n}/**"\ntags = "t{n}"\n'
        for n in range(120)
    ]
    made += [
        f'[[rule]]\nname = "source {n}"\nsource = "partner-{n}"\nttl_seconds = {n + 60}\n'
        for n in range(40)
    ]
    made += [
        f'[[rule]]\nname = "top {n}"\npath = "titles/{{title}}/*/*"\n'
        f"when.facts = {{ rank = {n} }}\n"
        f'layers = [{{ text = {{ default = "Top {{rank}}", de = "Platz {{rank}}" }} }}]\n'
        for n in range(1, 11)
    ]
    made += [
        f'[[rule]]\nname = "country {n}"\npath = "**/{n % 9}/*.jpg"\n'
        f'when.country = ["X{n}", "DE"]\nwhen.locale = "de"\nquality = {{ avif = {50 + n % 9} }}\n'
        for n in range(28)
    ]
    made.append('[[rule]]\nname = "shape"\ncanvas = { ratio = "2:3" }\ngravity = "face"\n')
    made.append('[[rule]]\nname = "bucket"\nwhen.bucket = { salt = "b", to = 50 }\ntags = "b"\n')
    return "".join(made)


def run(setting: Setting) -> Report:
    """Ask for distinct URLs, and report rate and memory."""
    report = Report(bench=NAME)
    folder = setting.folder("rules")
    (folder / "rules.toml").write_text(ruleset())
    _titles(folder / "titles.db")
    requests = QUICK_REQUESTS if setting.quick else REQUESTS
    setting.say(f"{requests:,} distinct URLs, 200 rules")
    told = _asked(folder, requests)
    rates, resident = told["rates"], told["resident_mib"]
    warm = resident[int(len(resident) * WARM_SHARE) - 1]
    report.add("decisions on one core, 200 rules", median(rates), "/s", at_least=RATE_GOAL)
    report.add("one decision", 1e6 / median(rates), "us")
    report.add("memory after all", resident[-1], "MiB")
    growth = resident[-1] - warm
    report.add("grown since a fifth", growth, "MiB", at_most=GROWTH_MIB_MAX)
    report.notes.append(f"{requests:,} distinct URLs of {TITLES:,} titles; processor time")
    return report


def _titles(path: Path) -> None:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE titles (title TEXT PRIMARY KEY, rank INT, kind TEXT)")
        rows = [(str(n), n % 50, ("film", "series")[n % 2]) for n in range(TITLES)]
        connection.executemany("INSERT INTO titles VALUES (?, ?, ?)", rows)
    connection.close()


def _asked(folder: Path, requests: int) -> dict[str, list[float]]:
    sources = {name: str(folder) for name in ("art", "people", "logos", "extras")}
    environment = {
        **os.environ,
        "DYNIMO_SETTINGS": json.dumps({"rules": str(folder / "rules.toml")}),
        "DYNIMO_SOURCES": json.dumps(sources),
        "DYNIMO_DEVELOPMENT": "1",
    }
    program = str(Path(__file__).parent / "deciding_program.py")
    command = [sys.executable, program, str(ROOT / "apps" / "images"), str(requests), str(SLICES)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if ran.returncode:
        raise Unavailable(f"the Preprocessor failed: {ran.stderr[-1000:]}")
    found: dict[str, list[float]] = json.loads(ran.stdout.splitlines()[-1])
    return found
