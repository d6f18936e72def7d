"""Starts the real program for end-to-end tests, and talks to it as a stranger would. No asserts."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
STOP_SECONDS = 30.0
"""All three are generous: a machine may be busy, and what is asked for comes sooner or never."""
PATIENT = {"DYNIMO_FUNCTIONS_INIT_TIMEOUT_SECONDS": "60"}
"""What a server is told by default: an import that is slow because the machine is, may be slow."""
LAST_WORD = "Stop with Ctrl-C."


@dataclass
class Answer:
    """One HTTP answer, read whole. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running ``dynimo up``, or another verb that serves."""

    data: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    verb: str = "up"
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def start(self) -> Server:
        """Start, wait for its address and its last word; raises with the log if it ends instead."""
        self.log = self.data.with_name(self.data.name + ".log").open("ab")
        before = self.words().count(LAST_WORD)
        command = [
            sys.executable,
            "-m",
            "dynimo",
            self.verb,
            "--data",
            str(self.data),
            *self.arguments,
        ]
        self.process = subprocess.Popen(
            command,
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **PATIENT, "DYNIMO_PORT": "0", **self.environment},
        )
        address = self.data / "address"
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                self.log.close()
                raise RuntimeError(f"did not start: {self.words()[-3000:]}")
            try:
                # The lock first: an address that was there before this process held it is old.
                if f"pid {self.process.pid}" in (self.data / "lock").read_text():
                    self.port = int(address.read_text().rpartition(":")[2])
                    if self.words().count(LAST_WORD) > before:
                        return self
            except (FileNotFoundError, ValueError):
                pass
            time.sleep(0.01)

    def words(self) -> str:
        """Everything it printed so far."""
        return Path(self.log.name).read_text(errors="replace")

    def get(
        self,
        target: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            got = connection.getresponse()
            return Answer(
                got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()
            )
        finally:
            connection.close()

    def statistics(self) -> dict[str, Any]:
        """What the parts say of themselves."""
        told: dict[str, Any] = self.get("/_dynimo/statistics").json
        return told

    def metric(self, name: str) -> float:
        """One line of /metrics by its full name, labels included; 0 when it is not there yet."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return 0.0

    def purge(self, **asked: Any) -> Answer:
        """Purge with the data folder's key."""
        key = (self.data / "admin.key").read_text().strip()
        return self.get(
            "/_dynimo/purge", {"x-dynimo-key": key}, method="POST", body=json.dumps(asked).encode()
        )

    def family(self) -> list[int]:
        """Pids of the server and everything it started that still lives."""
        assert self.process is not None
        return family(self.process.pid)

    def held(self) -> dict[str, bytes]:
        """What it and its functions hold outside of their own memory: a name for each piece."""
        held = {"what it said": self.words().encode()}
        for pid in self.family():
            with contextlib.suppress(OSError):  # another user's, or gone
                held[f"environment of {pid}"] = Path(f"/proc/{pid}/environ").read_bytes()
                held[f"words of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes()
        for path in self.data.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    held[str(path)] = path.read_bytes()
        return held

    def stop(self, number: int = signal.SIGINT, seconds: float = STOP_SECONDS) -> int:
        """Signal it and wait; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(seconds)
        finally:
            self.log.close()


def family(root: int) -> list[int]:
    """The process ``root`` and all its descendants that live."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            after = text.rpartition(")")[2].split()
            if after[0] != "Z":
                parents.setdefault(int(after[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def name_of(pid: int) -> str:
    """The kernel's short name of a process, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
