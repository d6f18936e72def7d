"""Which of AWS's runtimes can run on this host: finds Python and Node programs, and tries them.

Every candidate on PATH (and behind pyenv's shims) is run once, with a limit on its time; what does
not answer does not count. Nothing is looked for before somebody asks, so that starting the platform
costs nothing; ``probe`` asks in a thread.

``nodejsN.x`` is served by a Node of that major version, else by the oldest newer one: Node keeps
what it could do, and a host has one Node where AWS has three. An older one serves nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROBE_SECONDS_MAX = 5.0
CANDIDATES_MAX = 40
PYTHON_MINOR_MIN = 11
NODE_MAJORS = (20, 22, 24)
PROVIDED = ("provided.al2", "provided.al2023")
"""Runtimes that need nothing but the kernel."""

_PYTHON = re.compile(r"python3\.(\d+)")
_ASK = (
    "import json,sys; print(json.dumps([sys.version_info[:2], sys.executable, sys.base_prefix,"
    " sys.base_exec_prefix, [p for p in sys.path if p]]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A program that runs functions' code.

    ``prefixes`` are the folders that it must be able to read; ``library`` is where a Python finds
    its standard library, in order.
    """

    executable: str
    prefixes: tuple[str, ...] = ()
    library: tuple[str, ...] = ()


class Interpreters(Collection[str]):
    """The runtimes of this host, by AWS's identifiers. Looks on first use, once."""

    def __init__(
        self,
        *,
        folders: Iterable[str] | None = None,
        run: Callable[[list[str]], str] | None = None,
    ) -> None:
        self._folders = list(folders) if folders is not None else None
        self._run = run or _run
        self._found: dict[str, Interpreter] | None = None

    def __contains__(self, runtime: object) -> bool:
        return runtime in PROVIDED or runtime == OWN or runtime in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({OWN, *PROVIDED, *self._all()}))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        known = "not looked yet" if self._found is None else ", ".join(sorted(self._found))
        return f"<Interpreters {known}>"

    def find(self, runtime: str) -> Interpreter | None:
        """What runs this runtime; None when nothing here does, or nothing is needed."""
        if runtime == OWN:
            return own()
        return None if runtime in PROVIDED else self._all().get(runtime)

    async def probe(self) -> None:
        """Look now, without holding up the event loop."""
        await asyncio.to_thread(self._all)

    def _all(self) -> dict[str, Interpreter]:
        if self._found is None:
            folders = self._folders if self._folders is not None else search_folders()
            programs = list(candidates(folders))[:CANDIDATES_MAX]
            self._found = {**self._pythons(programs), **self._nodes(programs)}
        return self._found

    def _pythons(self, programs: Iterable[str]) -> dict[str, Interpreter]:
        found: dict[str, Interpreter] = {}
        for program in programs:
            named = _PYTHON.fullmatch(Path(program).name)
            runtime = Path(program).name
            if named is None or runtime == OWN or runtime in found:
                continue
            if int(named[1]) < PYTHON_MINOR_MIN:
                continue
            answer = self._run([program, "-I", "-c", _ASK])
            python = python_of(answer, int(named[1]))
            if python is not None:
                found[runtime] = python
        return found

    def _nodes(self, programs: Iterable[str]) -> dict[str, Interpreter]:
        majors: dict[int, Interpreter] = {}
        for program in programs:
            if Path(program).name not in ("node", "nodejs"):
                continue
            major = node_major(self._run([program, "--version"]))
            if major:
                real = os.path.realpath(program)
                majors.setdefault(major, Interpreter(executable=real, prefixes=node_needs(real)))
        return node_runtimes(majors)


def own() -> Interpreter:
    """The platform's own Python."""
    packages = ("site-packages", "dist-packages")
    prefixes = (sys.base_prefix, sys.base_exec_prefix)
    return Interpreter(
        # Not the link in a virtual environment, which a sandbox does not show.
        executable=os.path.realpath(sys.executable),
        prefixes=prefixes,
        library=tuple(
            path
            for path in sys.path
            if path and Path(path).name not in packages and _below(path, prefixes)
        ),
    )


def search_folders() -> list[str]:
    """Folders that may hold programs: PATH, and for a folder of shims the versions behind it."""
    folders: list[str] = []
    for name in os.environ.get("PATH", "").split(os.pathsep):
        if Path(name).name == "shims":
            versions = sorted((Path(name).parent / "versions").glob("*/bin"), reverse=True)
            folders += map(str, versions)
        elif name:
            folders.append(name)
    return list(dict.fromkeys(folders))


def candidates(folders: Iterable[str]) -> Iterator[str]:
    """Programs in ``folders`` whose names are those of interpreters, the first of a kind first."""
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names only
        except OSError:
            continue
        for name in names:
            if name in ("node", "nodejs") or _PYTHON.fullmatch(name):
                path = os.path.join(folder, name)  # noqa: PTH118 - it stays text
                if os.access(path, os.X_OK):
                    yield path


def python_of(answer: str, minor: int) -> Interpreter | None:
    """What a Python said of itself; None when it is not of the version that its name says."""
    try:
        version, executable, prefix, exec_prefix, path = json.loads(answer)
    except (ValueError, TypeError):
        return None
    if version != [3, minor]:
        return None
    packages = ("site-packages", "dist-packages")
    library = tuple(each for each in path if Path(each).name not in packages)
    prefixes = tuple(dict.fromkeys((prefix, exec_prefix)))
    real = os.path.realpath(executable)
    return Interpreter(executable=real, prefixes=prefixes, library=library)


def node_needs(executable: str) -> tuple[str, ...]:
    """What a Node must be able to read: its installation, where it has one, else only itself."""
    folder = Path(executable).parent
    installed = folder.name == "bin" and (folder.parent / "lib").is_dir()
    return (str(folder.parent),) if installed and folder.parent != Path("/") else (executable,)


def node_major(answer: str) -> int:
    """The major version that ``node --version`` names; 0 when it names none."""
    matched = re.match(r"v(\d+)\.", answer.strip())
    return int(matched[1]) if matched else 0


def node_runtimes(majors: dict[int, Interpreter]) -> dict[str, Interpreter]:
    """Runtime → the Node that serves it: of its own major version, else the oldest newer one."""
    served: dict[str, Interpreter] = {}
    for wanted in NODE_MAJORS:
        able = sorted(major for major in majors if major >= wanted)
        if able:
            served[f"nodejs{wanted}.x"] = majors[able[0]]
    return served


def _run(command: list[str]) -> str:
    """What a program printed; empty when it failed or took too long."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


OWN = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The runtime that is the platform's own Python."""
