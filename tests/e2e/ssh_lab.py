"""A CA, people with keys of their own, and a host, for tests of `dynimo ssh`. No asserts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from bless_kit import blob
from ssh_commands import __main__ as program
from sshca.certificate import Certificate, read
from tests.e2e import people, sshds
from tests.e2e.aws import kit
from tests.e2e.serving import Server
from tests.e2e.sshds import SSH_SECONDS

SECONDS = 120


@dataclass(frozen=True)
class Ran:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer."""
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with a key to the platform, and a home of their own."""

    name: str
    variables: dict[str, str]
    home: Path

    def program(self, *words: Any, **more: str) -> Ran:
        """Run `dynimo ssh` as they would."""
        return self.run([sys.executable, "-m", "dynimo", "ssh", *map(str, words)], **more)

    def ssh(self, *words: Any) -> Ran:
        """The same in this process, which is sooner; the CA is asked as ever."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(), clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = program.main([*map(str, words)])
        return Ran(code, out.getvalue(), err.getvalue())

    def told(self, *words: Any) -> Any:
        """The same, when it must succeed: its answer in JSON."""
        ran = self.ssh(*words, "--json")
        if ran.code:
            raise RuntimeError(f"dynimo ssh {words}: {ran.code}: {ran.err}")
        return ran.json

    def certified(self, name: str, *words: str) -> Path:
        """A key in a file of theirs, with a certificate beside it."""
        path = self.home / name
        self.told("login", "--no-agent", "--out", path, *words)
        return path

    def run(self, words: list[str], **more: str) -> Ran:
        """Run a program in their environment."""
        ran = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=False,
            stdin=subprocess.DEVNULL, cwd=self.home, env=self.environment(**more),
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def environment(self, **more: str) -> dict[str, str]:
        """Their variables and no one else's."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return {**kept, "HOME": str(self.home), "LANG": "C.UTF-8", **self.variables, **more}


@dataclass
class Lab:
    """The server, the people, and a folder for all else."""

    server: Server
    folder: Path
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.server.port}"

    def person(self, name: str) -> Person:
        """Somebody who may invoke; made on first use."""
        if name not in self.people:
            self.people[name] = self._made(name)
        return self.people[name]

    def _made(self, name: str) -> Person:
        home = self.folder / name
        home.mkdir(mode=0o700)
        may = people.may("lambda:InvokeFunction", "*")
        keys = people.person(self.server, home, name, may)
        variables = {each.upper(): value for each, value in keys.items()}
        there = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": kit.REGION}
        return Person(name, variables | there, home)

    def fetch(self, krl: Path) -> bool:
        """What a timer on a host does; whether the list is another one now."""
        words = ("krl", "fetch", "--to", krl, "--url", f"{self.url}/ssh/krl")
        return bool(self.person("ops").told(*words)["changed"])


@contextmanager
def started(folder: Path) -> Iterator[Lab]:
    """A server without a CA, for as long as it is needed."""
    server = Server(folder / "data").start()
    try:
        yield Lab(server, folder)
    finally:
        server.stop()


def enter(sshd: sshds.Sshd, person: Person, *options: str, user: str = "", **more: str) -> Ran:
    """Log in as ssh would with what they have: ``options`` are ssh's own."""
    words = [
        "ssh", "-F", "none", "-p", str(sshd.port), "-o", "BatchMode=yes", "-o", "ControlPath=none",
        *options, f"{user or sshd.user}@127.0.0.1", "echo", "inside",
    ]  # fmt: skip
    ran = subprocess.run(
        words, capture_output=True, text=True, timeout=SSH_SECONDS, check=False,
        env=person.environment(**more),
    )  # fmt: skip
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def enter_with(sshd: sshds.Sshd, person: Person, key: Path) -> Ran:
    """Log in with the key in this file and the certificate beside it, whatever the host is."""
    return enter(sshd, person, *with_file(key), *NOT_KNOWN)


def seen(key: Path) -> Certificate:
    """The certificate beside a key."""
    return read(blob(sshds.beside(key).read_text())).certificate


NOT_KNOWN = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
"""For tests that are not about the host."""


def known(file: Path) -> tuple[str, ...]:
    """Only hosts that this file knows."""
    return ("-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={file}",
            "-o", "GlobalKnownHostsFile=none")  # fmt: skip


def with_file(path: Path) -> tuple[str, ...]:
    """The key in this file, with the certificate beside it, and no other."""
    return ("-i", str(path), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none")
