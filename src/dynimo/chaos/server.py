"""The server that is tormented: ``dynimo up`` on a data folder of its own, and what it started.

Knows processes and the disk; stops only what it started, by pid.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from dynimo.model.errors import DynimoError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
DISK_MIB = 64
"""The size of the small file system that holds the data folder, where one can be mounted."""
FRONT_MODULE = b"dynimo.fronts"
"""What a front process says on its command line."""
FILL_NAME = "filled-by-chaos"
FILL_STEPS = (1024 * 1024, 4096, 1)


class NotStarted(DynimoError):
    """The server that chaos needs did not start."""


class SmallDisk:
    """A file system of ``DISK_MIB`` on ``folder``, in a mount namespace that ends with us.

    A process that only waits for our end holds it, so the disk outlives the server that uses it.
    """

    def __init__(self, folder: Path) -> None:
        mount = f'mount -t tmpfs -o size={DISK_MIB}m tmpfs "$0" && echo ready && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", mount, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise NotStarted("Its small disk could not be mounted.")

    def within(self, command: list[str]) -> list[str]:
        """The command that sees it."""
        return ["nsenter", "-t", str(self._holder.pid), "-m", "--", *command]

    def seen(self, path: Path) -> Path:
        """Where this process finds what the server calls ``path``."""
        return Path(f"/proc/{self._holder.pid}/root").joinpath(*path.resolve().parts[1:])

    def close(self) -> None:
        """Let it go."""
        self._holder.communicate()


class Server:
    """``dynimo up``. ``folder`` holds its data and its log; ``small`` gives it a small disk."""

    def __init__(self, folder: Path, app: Path, *, small: bool, workers: int = 1) -> None:
        """``workers`` is how many processes speak HTTP; with one the server does it itself."""
        self.workers = workers
        self._data = folder / "data"
        self._app = app
        self._log = folder / "log"
        self._data.mkdir()
        self._disk = SmallDisk(self._data) if small and may_mount() else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """The server's own process."""
        assert self._process is not None
        return self._process.pid

    def start(self, port: int = 0) -> None:
        """Start and wait until it is ready.

        Raises:
            NotStarted: it ended, or was not ready in time; the message has its last words.
        """
        command = [sys.executable, "-m", "dynimo", "up", "--data", str(self._data)]
        command += ["--app", str(self._app), "--port", str(port), "--workers", str(self.workers)]
        if self._disk is not None:
            command = self._disk.within(command)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                words = self._log.read_text("utf-8", "replace")[-2000:]
                raise NotStarted(f"Its last words: {words}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """Kill the server's own process, as the kernel would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it, politely, then not."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def close(self) -> None:
        """End it, and let its disk go."""
        self.stop()
        if self._disk is not None:
            self._disk.close()

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Ask the server as its operator.

        Raises:
            OSError, http.client.HTTPException: no answer came.
        """
        key = (self._seen_data() / "admin.key").read_text().strip()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STOP_SECONDS)
        try:
            connection.request(method, path, body, {"x-dynimo-key": key})
            return connection.getresponse().read()
        finally:
            connection.close()

    def kill_processes(self, prefix: str) -> int:
        """Kill what it started whose name begins so (``env``, ``zygote``); how many those were."""
        killed = 0
        for pid in _descendants(self.pid):
            if pid != self.pid and _name(pid).startswith(prefix):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def kill_one_front(self) -> None:
        """Kill the oldest of the processes that speak HTTP for it, if there are several."""
        fronts = [pid for pid in _descendants(self.pid) if _is_front(pid)]
        if len(fronts) > 1:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(min(fronts), signal.SIGKILL)

    def fill_disk(self) -> None:
        """Leave no room: to the last byte, or by a limit on the size of files."""
        if self._disk is None:
            hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, hard))
            return
        with (self._seen_data() / FILL_NAME).open("wb", buffering=0) as file:
            for size in FILL_STEPS:
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def free_disk(self) -> None:
        """Give the room back."""
        if self._disk is not None:
            (self._seen_data() / FILL_NAME).unlink(missing_ok=True)
        else:
            hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def _seen_data(self) -> Path:
        """The data folder as the server sees it."""
        return self._data if self._disk is None else self._disk.seen(self._data)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            data = self._seen_data()
            if f"pid {self.pid}" not in (data / "lock").read_text():
                return False
            self.port = int((data / "address").read_text().strip().rpartition(":")[2])
            return b'"ok"' in self.ask("GET", "/readyz")
        return False


def may_mount() -> bool:
    """Whether a small file system can be mounted here."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("nsenter")):
        return False
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                after = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                children.setdefault(int(after[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _is_front(pid: int) -> bool:
    with contextlib.suppress(OSError):
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
        return FRONT_MODULE in words
    return False


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (Path("/proc") / str(pid) / "comm").read_text("utf-8", "replace").strip()
    return ""
