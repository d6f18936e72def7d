"""Runs the public cache test suite against a cache, and judges as it does itself. No asserts.

The suite says of itself that it is no conformance test: a way to see how a cache behaves. Its
command ends with 0 however much fails, so what counts is ``judged``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.serving import Server

HERE = Path(__file__).parent
PINS = ("package.json", "package-lock.json")
INSTALL_SECONDS = 120
RUN_SECONDS = 120
KINDS = ("required", "optimal", "check")
_TELL = """
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
console.log(JSON.stringify([...tests, surrogate]))
"""
_LISTENING = re.compile(rb"Listening on (http://[0-9.:]+)/")


@dataclass(frozen=True)
class Case:
    """One test as the suite describes it."""

    id: str
    suite: str
    name: str
    kind: str
    depends_on: tuple[str, ...]


def package() -> Path:
    """Where the suite is, installed from the pins in this folder if it is not there yet."""
    folder = Path(sys.prefix).parent / "cache-tests"
    found = folder / "node_modules" / "http-cache-tests"
    pins = {name: (HERE / name).read_text() for name in PINS}
    done = folder / "done"
    if done.is_file() and done.read_text() == json.dumps(pins):
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in pins.items():
        (folder / name).write_text(text)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)],
        check=True, capture_output=True, timeout=INSTALL_SECONDS,
    )  # fmt: skip
    done.write_text(json.dumps(pins))
    return found


def cases(suite: Path) -> list[Case]:
    """Every test that a proxy can be put to, in the suite's order."""
    command = ["node", "--no-warnings", "--input-type=module", "--eval", _TELL]
    told = subprocess.run(command, cwd=suite, check=True, capture_output=True, timeout=RUN_SECONDS)
    return [
        Case(
            test["id"], group["name"], test["name"], test.get("kind") or "required",
            tuple(test.get("depends_on", ())),
        )
        for group in json.loads(told.stdout)
        for test in group["tests"]
        if not test.get("browser_only")
    ]  # fmt: skip


@contextmanager
def origin(suite: Path) -> Iterator[str]:
    """The suite's own server; yields its address."""
    process = subprocess.Popen(
        ["node", "--no-warnings", "--require", str(HERE / "loopback.cjs"), "server/server.mjs"],
        cwd=suite, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        match = _LISTENING.match(line)
        if match is None:
            raise RuntimeError(f"the suite's server did not start: {line!r}")
        yield match[1].decode()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def edge(upstream: str, folder: Path) -> Iterator[str]:
    """``dynimo edge --profile strict`` before an upstream; yields its address."""
    folder.mkdir(exist_ok=True)
    flags = ("--upstream", upstream, "--profile", "strict")
    server = Server(folder / "edge", flags, {"DYNIMO_LOG_REQUESTS": "false"}, verb="edge").start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def version(suite: Path) -> str:
    """The suite's own number."""
    return str(json.loads((suite / "package.json").read_text())["version"])


def results(suite: Path, cache: str, only: str = "") -> dict[str, Any]:
    """What the suite's client says of the cache at this address: true, or what was wrong, by id."""
    told = subprocess.run(
        ["node", "--no-warnings", "cli.mjs"], cwd=suite, check=True, capture_output=True,
        timeout=RUN_SECONDS, env=_environment(npm_config_base=cache, npm_config_id=only),
    )  # fmt: skip
    if only:
        return {"text": told.stdout.decode() + told.stderr.decode()}
    found: dict[str, Any] = json.loads(told.stdout[told.stdout.index(b"{") :])
    return found


def judged(tests: list[Case], found: dict[str, Any]) -> dict[str, str]:
    """The suite's verdict on each test.

    ``pass`` or ``fail``, for a question of behaviour ``yes`` or ``no``; ``setup`` when what it
    stands on did not work, ``dependency`` when a test it depends on did not pass.
    """
    by_id = {test.id: test for test in tests}

    def one(test: Case) -> str:
        if test.id not in found:
            return "untested"
        good = ("pass", "yes")
        if any(one(by_id[other]) not in good for other in test.depends_on if other in by_id):
            return "dependency"
        told = found[test.id]
        if told is True:
            return "yes" if test.kind == "check" else "pass"
        if told[0] == "Setup":
            return "retry" if told[1] == "retry" else "setup"
        return "no" if test.kind == "check" else "fail"

    return {test.id: one(test) for test in tests}


def counted(tests: list[Case], verdicts: dict[str, str]) -> dict[str, tuple[int, int]]:
    """How many passed, of how many, by kind."""
    return {
        kind: (
            sum(verdicts[test.id] in {"pass", "yes"} for test in tests if test.kind == kind),
            sum(test.kind == kind for test in tests),
        )
        for kind in KINDS
    }


def _environment(**more: str) -> dict[str, str]:
    """What npm would set; an empty id runs all tests."""
    return {
        **os.environ, "npm_config_port": "0", "npm_config_protocol": "http",
        "npm_config_pidfile": os.devnull, "npm_package_config_id": "", **more,
    }  # fmt: skip
