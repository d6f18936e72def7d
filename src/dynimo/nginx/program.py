"""The nginx that is installed: found, asked whether it understands, run as a child, loaded anew.

It ends when we end. Loading anew is done when no process of before takes connections any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from dynimo.model.errors import ConfigError
from dynimo.runtime.isolation import syscalls

CONFIG_FILE = "nginx.conf"
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")
TEST_SECONDS = 30.0
START_SECONDS = RELOAD_SECONDS = 15.0
POLL_SECONDS = 0.02
USERS = ("www-data", "nginx", "nobody")
"""Whom nginx's processes may run as if root starts it; the first that is here."""

_LEAVING = b"shutting down"
_INSTALL = "On Debian: apt-get install nginx-light."


def find() -> str:
    """Return where nginx is.

    Raises:
        ConfigError: it is not installed; says how to.
    """
    found = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), *PLACES)))
    if found is None:
        raise ConfigError(f"nginx is not installed. {_INSTALL}")
    return found


def user() -> str:
    """Return whom its processes shall run as: nobody in particular unless root starts it."""
    if os.geteuid() != 0:
        return ""
    known = {each.pw_name for each in pwd.getpwall()}
    return next((name for name in USERS if name in known), "")


def prepare(folder: Path, who: str) -> None:
    """Make the folder that nginx writes in.

    Raises:
        ConfigError: who its processes run as could not get there.
        OSError: it cannot be made.
    """
    for each in (folder, folder / "temporary"):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o755)
    for each in folder.parents if who else ():
        if not each.stat().st_mode & 0o001:
            text = f"nginx's processes run as {who}, who cannot enter {each}"
            raise ConfigError(f"{text}; `chmod o+x {each}`, or choose another --data.")


def write(folder: Path, config: str, program: str | None) -> Path:
    """Put a configuration into place, if nginx (where it is here) says that it can be used.

    Raises:
        ConfigError: nginx refuses it, with its reason; what was in place stays.
        OSError: it cannot be written.
    """
    aside = folder / f"{CONFIG_FILE}.new"
    aside.write_text(config)
    if program is not None:
        test(program, folder, aside)
    return aside.rename(folder / CONFIG_FILE)


def test(program: str, folder: Path, config: Path) -> None:
    """Let nginx read a configuration. Raises ConfigError with what it says."""
    command = [program, "-t", "-q", "-p", str(folder), "-c", str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TEST_SECONDS, check=False)
    if ran.returncode:
        raise ConfigError(f"nginx refuses {config}: {ran.stderr.strip()}")


class Nginx:
    """One nginx under us: ``start``, ``reload``, ``stop``."""

    def __init__(self, program: str, folder: Path, address: tuple[str, int]) -> None:
        self._command = [program, "-p", str(folder), "-c", str(folder / CONFIG_FILE)]
        self._address = address
        self._log = folder / "error.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its first process; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it and wait until it takes connections.

        Raises:
            ConfigError: it ended instead, or does not take any.
        """
        # Bound to this thread, which is the main one; begun before there are others.
        self._process = subprocess.Popen(  # noqa: ASYNC220 - as short as a fork
            self._command, stdin=subprocess.DEVNULL,
            preexec_fn=functools.partial(syscalls.die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - see above
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers():
                    if not self.runs:
                        raise ConfigError(f"nginx ended at once; {self._log} says why.")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ConfigError(f"nginx takes no connections; {self._log} may say why.") from None

    async def reload(self) -> None:
        """Let it read its configuration again; return when only new processes take connections.

        Raises:
            ConfigError: that did not happen in ``RELOAD_SECONDS``; what was before serves on.
        """
        before = self._workers()
        if not self.runs or self._process is None:
            raise ConfigError(f"nginx does not run; {self._log} may say why.")
        self._process.send_signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(RELOAD_SECONDS):
                while any(_serves(pid) for pid in before) or not self._workers() - before:  # noqa: ASYNC110 - other processes set no event
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ConfigError(f"nginx did not load anew; {self._log} may say why.") from None

    async def stop(self, seconds: float) -> None:
        """End it: what is under way has ``seconds``."""
        if self._process is None:
            return
        for number, wait in ((signal.SIGQUIT, seconds), (signal.SIGTERM, seconds)):
            if not self.runs:
                break
            self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.ended()
        if self.runs:
            self._process.kill()
        self._process.wait()

    async def ended(self) -> None:
        """Return when it is not there any more."""
        while self.runs:  # noqa: ASYNC110 - as above
            await asyncio.sleep(POLL_SECONDS)

    def _workers(self) -> set[int]:
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return set()
        return {int(pid) for pid in text.split()}

    async def _answers(self) -> bool:
        host, port = self._address
        try:
            _, writer = await asyncio.open_connection(host or "127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True


def _serves(pid: int) -> bool:
    """Whether one of nginx's processes still takes connections."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return bool(title) and _LEAVING not in title


def free_port(host: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind((host or "127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
