"""Every seam on one page: what the platform's parts may be given, and by what shape.

Protocols and the plain values that pass through them; no implementation. A backend is one file
under ``backends/`` and one line in ``assembly``. Values that are made several times for each
invocation are named tuples: those are made five times as fast as frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

NOTHING: Mapping[str, str] = MappingProxyType({})


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> float:
        """Seconds since the epoch, for what people and HTTP read."""

    def monotonic(self) -> float:
        """Seconds that only ever go forward, for intervals."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once, after ``seconds``; the result cancels that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A folder that an app keeps for ever; ``writable`` says whether this function may change it.

    Whoever runs its functions runs them as the user that owns the folder.
    """

    folder: Path
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What a sandbox must know to import a function's code and fork environments of it.

    ``code`` is the immutable folder of this version, seen inside as ``/var/task``; ``layers`` the
    one seen as ``/opt``; ``readable`` are further files and folders it may read; ``variables`` its
    whole environment (nothing else is inherited). ``runtime`` is AWS's identifier. ``network`` is
    ``none``, ``loopback`` or ``internet``; ``ephemeral_mib`` bounds each environment's ``/tmp``.
    With ``state`` the variable ``DYNIMO_STATE`` says where that is seen inside.
    """

    function: str
    version: str
    code: Path
    handler: str
    memory_mib: int
    concurrency: int = 1
    packages: tuple[str, ...] = ()
    readable: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    init_timeout_seconds: float = 10.0
    runtime: str = ""
    layers: Path | None = None
    network: str = "internet"
    ephemeral_mib: int = 512
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How an environment ended.

    ``status`` is the exit code, or the negative number of the signal that killed it.
    ``max_rss_kib`` is its peak memory as the kernel counted it. ``out_of_memory`` says that the
    memory limit did it.
    """

    status: int
    max_rss_kib: int = 0
    out_of_memory: bool = False


class Process(Protocol):
    """One forked environment, seen from outside."""

    @property
    def pid(self) -> int:
        """The pid as the host sees it; 0 while the fork is still under way."""

    def send(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Queue one frame to it (see ``runtime.wire``). May be called before the fork is done."""

    def kill(self) -> None:
        """SIGKILL it and all it started, now. ``on_exit`` follows."""

    def pause(self) -> None:
        """Read no further frames from it until ``resume``: whoever takes its answer is slow."""

    def resume(self) -> None:
        """Read again."""

    def flush(self) -> None:
        """Tell the watcher what it has printed up to now, an unfinished line too.

        Bounded; what is over the rate for output may come later.
        """


class Watcher(Protocol):
    """Who is told what an environment does. Called on the event loop, never re-entrantly."""

    def on_frame(self, meta: dict[str, Any], body: bytes) -> None:
        """One frame arrived from the environment."""

    def on_output(self, line: str) -> None:
        """One line (at most ``LOG_LINE_BYTES_MAX``) that it wrote to stdout or stderr."""

    def on_exit(self, exit: Exit) -> None:  # noqa: A002 - the word of the trade
        """It is gone; nothing more will be called."""


class Zygote(Protocol):
    """A version's code, imported once inside its sandbox, ready to fork."""

    @property
    def init_ms(self) -> float:
        """How long exec and imports took."""

    @property
    def init_seconds_max(self) -> float:
        """What an environment may take to start, before the time of its first invocation counts.

        It says ``ready`` in a frame then. 0 where it starts by a fork, in no time of its own.
        """

    @property
    def pid(self) -> int:
        """Pid on the host, for measuring."""

    def fork(
        self, environment: str, watcher: Watcher, variables: Mapping[str, str] = NOTHING
    ) -> Process:
        """Begin one environment. Returns at once; failure to fork arrives as ``on_exit``.

        ``variables`` are this environment's alone (the name of its log stream, its credentials) and
        win over the version's.
        """

    async def close(self) -> None:
        """Kill it and every environment it forked; returns when all are gone."""


class Sandbox(Protocol):
    """Starts zygotes under whatever isolation holds on this host."""

    async def start(self, spec: SandboxSpec, on_death: Callable[[], None]) -> Zygote:
        """Start a zygote and import the code.

        ``on_death`` is called if it later dies unasked, before its environments' ``on_exit``.

        Raises:
            model.errors.InitError: the code could not be imported, in time or at all.
        """

    def describe(self) -> Mapping[str, str]:
        """Name each isolation measure and say ``on``, or why not, in one clause."""


class Line(NamedTuple):
    """One line of a function's log, as it is kept.

    ``group`` and ``stream`` are CloudWatch's; ``when_ms`` is epoch milliseconds. ``account`` owns
    it. ``kind`` is ``function`` for what the code wrote, ``platform`` for START, END, REPORT and
    the like. ``request`` is the invocation that it belongs to, or empty.
    """

    group: str
    stream: str
    when_ms: int
    text: str
    account: str
    kind: str = "function"
    request: str = ""


class Logs(Protocol):
    """Keeps the lines of functions. Never blocks; what it cannot keep, it counts and drops."""

    def write(self, *lines: Line) -> None:
        """Keep these, in order."""


class Usage(NamedTuple):
    """What one invocation used, once it ended; ``attempt`` tells tries of the same id apart.

    ``ended`` is ``ok``, ``error`` (the function's own, a timeout or a kill) or ``throttle``. Times
    are milliseconds, memory MiB except the peak. ``arn`` is the unqualified function's.
    """

    id: str
    attempt: int
    arn: str
    version: str
    alias: str
    ended: str
    when_ms: int
    billed_ms: int = 0
    memory_mib: int = 0
    init_ms: float = 0.0
    queue_ms: float = 0.0
    max_rss_kib: int = 0


class Meter(Protocol):
    """Counts what functions use, exactly once each, across restarts."""

    def record(self, usage: Usage) -> None:
        """Count one invocation; on return it survives the end of this process."""

    def held(self, arn: str, version: str, *, mib_seconds: float) -> None:
        """Memory that environments of this version kept while they were idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """One key of the KMS, as its engine is handed it.

    ``kept`` is what the engine gave to be kept when it made the key, and only the engine can read;
    ``public`` is the DER SubjectPublicKeyInfo, empty for a symmetric key.
    """

    key_id: str
    spec: str
    kept: bytes = field(repr=False)
    public: bytes = b""


class NotOpened(Exception):
    """These bytes were not sealed by this key, for this, or have been changed."""


class Unusable(Exception):
    """The engine cannot use a key; the text says why and what to do."""


class KeyEngine(Protocol):
    """Makes and uses keys whose secret half never leaves it. Safe for several threads."""

    @property
    def name(self) -> str:
        """What says, in a key's record, whose it is."""

    @property
    def waits(self) -> bool:
        """Whether a use may wait for a device or a network."""

    def make(self, key_id: str, spec: str, usage: str) -> tuple[bytes, bytes]:
        """Make a key: what is to be kept of it, and its public half (DER; empty if it has none).

        ``usage`` is ENCRYPT_DECRYPT or SIGN_VERIFY; an engine may hold the key to it. May
        take seconds. What was made and is not kept by the caller has to be of no consequence.
        Raises Unusable.
        """

    def seal(self, key: KeyMaterial, plaintext: bytes, bound: bytes) -> bytes:
        """Encrypt with a symmetric key, bound to ``bound``. Raises Unusable."""

    def open(self, key: KeyMaterial, sealed: bytes, bound: bytes) -> bytes:
        """What ``seal`` was given. Raises NotOpened, Unusable."""

    def sign(self, key: KeyMaterial, algorithm: str, message: bytes, *, digest: bool) -> bytes:
        """A signature of a message, or of a digest: DER for ECDSA. Raises Unusable."""

    def decrypt(self, key: KeyMaterial, algorithm: str, ciphertext: bytes) -> bytes:
        """What was encrypted for the public half of an RSA key. Raises NotOpened, Unusable."""

    def forget(self, key: KeyMaterial) -> None:
        """Keep nothing of a key that is erased."""
