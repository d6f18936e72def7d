"""From a request to the first byte of its handler's work, when no environment exists.

The version is deployed: its code is imported in the zygote. Each sample waits until the environment
of the one before is gone, then invokes; the handler's own clock says when it began (monotonic time
is one clock for all processes). Beside it, in turns, the way without a zygote: exec Python and
import the same modules. The Generator is the images app's, with ``idle_seconds = 0`` and no routes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from bench import corpus, figures, in_process
from bench.figures import Report
from bench.setting import ROOT, Setting, Unavailable

NAME = "cold-start"
ABOUT = "request in to the handler's first work, without an environment"
SAMPLES = 300
EXEC_EVERY = 10
SETTLE_SECONDS = 0.02
MEDIAN_GOAL_MS, P99_GOAL_MS, FASTER_GOAL = 10.0, 30.0, 10.0
IMAGES_APP = ROOT / "apps" / "images"
GENERATOR = "cold-generate"
_EXEC = """\
import sys, time
sys.path.insert(0, sys.argv[1])
import {module}
print(time.monotonic_ns(), flush=True)
"""


def run(setting: Setting) -> Report:
    """Measure the Generator and a function that does nothing."""
    report = Report(bench=NAME)
    pictures = corpus.load(setting).pictures
    smallest = min(pictures, key=lambda path: path.stat().st_size)
    sources = setting.folder("sources", "cold")
    target = sources / "picture.jpg"
    if not target.exists():
        shutil.copyfile(smallest, target)
    app, module = _always_cold(setting)
    return in_process.run(lambda: _measure(setting, report, app, module, sources))


def _always_cold(setting: Setting) -> tuple[Path, str]:
    """Copy the images app, keeping only its Generator, and let that go at once when idle."""
    folder = setting.folder("apps") / "cold"
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "tests", "samples")
    shutil.copytree(IMAGES_APP, folder, ignore=ignored)
    declared = tomllib.loads((folder / "app.toml").read_text("utf-8"))["functions"]["generate"]
    declared["idle_seconds"] = 0
    tables = {key: declared.pop(key) for key in list(declared) if isinstance(declared[key], dict)}
    lines = ['name = "cold"', "[functions.generate]"]
    lines += [f"{key} = {_toml(value)}" for key, value in declared.items()]
    for name, table in tables.items():
        lines.append(f"[functions.generate.{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
    (folder / "app.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder, str(declared["handler"]).rpartition(".")[0]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


async def _measure(
    setting: Setting, report: Report, app: Path, module: str, sources: Path
) -> Report:
    samples = setting.rounds(SAMPLES, quick=60)
    starts: dict[str, list[float]] = {GENERATOR: [], "bench-hello": []}
    execs: list[float] = []
    first_work: list[float] = []
    apps = (app, in_process.SAMPLE_APP)
    async with in_process.platform(setting, apps, {"bench": sources}) as platform:
        caller = in_process.Caller(platform)
        events = {GENERATOR: await _render_event(caller), "bench-hello": b"{}"}
        for number in range(-3, samples):
            for function, event in events.items():
                await caller.until_gone(function, SETTLE_SECONDS)
                outcome, before, _ = await caller.call(function, event)
                if number < 0:
                    continue  # the first ones warm the page cache
                if not outcome.cold:
                    raise Unavailable(f"{function} was not cold")
                starts[function].append((outcome.started_ns - before) / 1e6)
                if function == GENERATOR:
                    first_work.append(outcome.duration_ms)
            if number % EXEC_EVERY == 0:
                execs.append(_exec(app, module))
    _figures(report, starts, execs, first_work)
    return report


async def _render_event(caller: in_process.Caller) -> bytes:
    """Ask the Preprocessor for the internal path of a small picture."""
    asked = in_process.http_event("/img/bench/picture.jpg", "w=256&fm=jpg")
    outcome, _, _ = await caller.call("images-preprocess", asked)
    headers = dict(outcome.reply.headers) if outcome.reply else {}
    if "dynimo-forward" not in headers:
        raise Unavailable(f"the Preprocessor did not forward: {outcome.reply}")
    path, _, query = headers["dynimo-forward"].partition("?")
    return in_process.http_event(path, query)


def _exec(app: Path, module: str) -> float:
    """Exec Python and import what the Generator imports; return the milliseconds until then."""
    before = time.monotonic_ns()
    command = [sys.executable, "-c", _EXEC.format(module=module), str(app)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode != 0:
        raise Unavailable(f"importing {module} failed: {ran.stderr[-300:]}")
    return (int(ran.stdout) - before) / 1e6


def _figures(
    report: Report, starts: dict[str, list[float]], execs: list[float], work: list[float]
) -> None:
    generator, hello = starts[GENERATOR], starts["bench-hello"]
    report.add("Generator, median", figures.median(generator), "ms", at_most=MEDIAN_GOAL_MS)
    p99 = figures.percentile(generator, 99)
    report.add("Generator, p99", p99, "ms", at_most=P99_GOAL_MS, note=f"{len(generator)} samples")
    report.add("hello, median", figures.median(hello), "ms")
    report.add("hello, p99", figures.percentile(hello, 99), "ms")
    report.add(
        "exec Python and import the same, median",
        figures.median(execs),
        "ms",
        note=f"{len(execs)} samples",
    )
    faster = figures.median(execs) / figures.median(generator)
    report.add("exec / fork (Generator)", faster, "x", at_least=FASTER_GOAL)
    report.add(
        "Generator's first picture, in the handler, median",
        figures.median(work),
        "ms",
        note="256 px of the corpus' smallest file; for comparison, not part of the start",
    )
