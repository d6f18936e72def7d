"""Puts the validator and the viewer where tests find them, from pins with hashes. No asserts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
CACHE = Path(sys.prefix).parent / "iiif"
"""Beside the environment that tests run in, so that it is made once for a checkout."""
INSTALL_SECONDS = 240
RUN_SECONDS = 120
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def validator() -> Path:
    """Return the Python that has the validator, in an environment of its own.

    It comes as source only, so what builds it is pinned too.
    """
    pins = [CHECKOUT / "requirements-build.lock", HERE / "requirements.lock"]
    folder = CACHE / "validator"
    python = folder / "bin" / "python"
    if _is_made(folder, pins):
        return python
    _run(sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder))
    uv = shutil.which("uv") or str(Path(sys.prefix).parent / "tools" / "bin" / "uv")
    for pin in pins:
        _run(uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes",
             "--no-build-isolation", "--requirement", str(pin))  # fmt: skip
    _mark(folder, pins)
    return python


def viewer() -> Path:
    """Return the folder with OpenSeadragon as browsers take it."""
    pins = [HERE / "package.json", HERE / "package-lock.json"]
    folder = CACHE / "viewer"
    if not _is_made(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for pin in pins:
            shutil.copy(pin, folder)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder))
        _mark(folder, pins)
    return folder / "node_modules" / "openseadragon" / "build" / "openseadragon"


def browser() -> str | None:
    """Return a browser that can do without a screen, if one is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def squares(python: Path) -> list[list[tuple[int, int, int]]]:
    """Return the colours of the validator's picture: squares of 100 pixels, by column and row."""
    code = (
        "import json; from iiif_validator.validator import ValidationInfo;"
        "print('\\n' + json.dumps(ValidationInfo().colorInfo))"
    )
    told = _run(str(python), "-c", code).splitlines()[-1]
    return [[tuple(colour) for colour in column] for column in json.loads(told)]


def validate(python: Path, address: str, version: str, *flags: str) -> tuple[int, dict[str, str]]:
    """Run the validator's own command; return how many tests it ran, and what failed, and why."""
    command = [
        str(python), str(python.parent / "iiif-validate.py"), "--server", address,
        "--prefix", f"iiif/{version[0]}", "--identifier", "pics%2Fsquares-1.png",
        "--version", version, *flags,
    ]  # fmt: skip
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=RUN_SECONDS
    )  # fmt: skip
    failed: dict[str, str] = {}
    count, name = 0, ""
    for line in ran.stderr.splitlines():
        if line.startswith("["):
            name, verdict = line.split()[2:4]
            count += 1
            if verdict != "PASS":
                failed[name] = ""
        elif name in failed:
            failed[name] += line + "\n"
    if f"Done ({count} tests, {len(failed)} failures)" not in ran.stderr:
        raise RuntimeError(f"the validator ended early: {ran.stderr[-2000:]}")
    return count, failed


def _is_made(folder: Path, pins: Iterable[Path]) -> bool:
    done = folder / "done"
    return done.is_file() and done.read_text() == _text(pins)


def _mark(folder: Path, pins: Iterable[Path]) -> None:
    (folder / "done").write_text(_text(pins))


def _text(pins: Iterable[Path]) -> str:
    return "\n".join(pin.read_text() for pin in pins)


def _run(*command: str) -> str:
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    if ran.returncode:
        raise RuntimeError(f"{command[0]} {command[1]} failed: {ran.stderr[-2000:]}")
    return ran.stdout
