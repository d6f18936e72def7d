"""Handlers that mean harm: each ends as on AWS, the function answers next, and nothing is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import kit
from tests.e2e.serving import Server, name_of

LEFT_MAX = 6
"""Descriptors of a log, a connection or a place in use again; six environments had many more."""

MIB = 1024**2

SOURCE = """
import ctypes, gc, json, os, resource, signal, socket, struct, sys, threading, time
kept = []
def handler(event, context):
    global request
    request = context.aws_request_id
    return globals()[event]() if event else "fine"

def fork():
    if not os.fork(): signal.pause()
    return "did"
def daemon():
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.closerange(0, 1024)
            while True: time.sleep(600)
        os._exit(0)
    return "did"
def closes_all(): os.closerange(0, 1024)
def closes_stdout(): sys.stdout.close(); sys.stderr.close(); os.close(0); return "did"
def closes_1_and_2(): os.close(1); os.close(2); return "did"
def prints_half(): sys.stdout.write("half"); return "did"
def leaves_threads():
    for _ in range(20): threading.Thread(target=time.sleep, args=(600,)).start()
    return "did"
def thousand_threads():
    try:
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    except RuntimeError:
        return "did"
def pattern():
    import re
    re.match("(a+)+$", "a" * 40 + "b")
def power(): return len(str(10 ** 10 ** 8))
def holds_the_lock():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    ctypes.PyDLL(None).sleep(600)
def stops(): os.kill(os.getpid(), signal.SIGSTOP)
def forks_on():
    while True:
        try: os.fork()
        except OSError: pass
def exits_0(): os._exit(0)
def exits_7(): os._exit(7)
def says_bye(): sys.exit("bye")
def interrupts(): raise KeyboardInterrupt
def base(): raise BaseException("b")
class Mute(Exception):
    def __str__(self): raise RuntimeError("no")
def mute(): raise Mute
class Deadly(Exception):
    def __str__(self): raise KeyboardInterrupt
def deadly(): raise Deadly
def half_a_pair(): raise ValueError("\\ud800")
def returns_half(): return "\\ud800"
def long_error(): raise ValueError("x" * 10**7)
def too_large(): return "x" * (6 * 2**20 + 101)
def no_json(): return {1, 2}
def itself(): kept.append(kept); return kept
def deep():
    value = []
    for _ in range(100_000): value = [value]
    return value
def memory(): return len(bytearray(b"x") * 10**9)
def fills_tmp():
    with open("/tmp/x", "wb") as file:
        while True: file.write(bytes(2**20))
def opens():
    while True: kept.append(open("/dev/null"))
def ignores_signals():
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(one, signal.SIG_IGN)
    return "did"
def replaces_stdout(): sys.stdout = sys.stderr = None; return "did"
def goes_away(): os.chdir("/tmp"); return "did"
def no_variables(): os.environ.clear(); return "did"
def recursion(): return recursion()
def no_modules(): sys.path.clear(); sys.modules.clear(); return "did"
def no_builtins():
    import builtins
    builtins.len = builtins.str = builtins.isinstance = None
    return "did"
def tracing(): sys.settrace(lambda *_: 1 / 0); return "did"
def kills_parent(): os.kill(os.getppid(), signal.SIGKILL)
def kills_group(): os.killpg(0, signal.SIGKILL)
def segfault(): ctypes.string_at(0)
def alarm(): signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(600)

def channel():
    for number in range(3, 1024):
        try: return socket.socket(fileno=os.dup(number))
        except OSError: pass
def says(meta, body=b""):
    meta = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    channel().sendall(struct.pack("!II", len(meta), len(body)) + meta + body)
    time.sleep(stay)
stay = 600
def outcome(**more): says({"type": "outcome", "id": request, **more})
def time_that_is_none(): outcome(started_ns="x")
def reply_that_is_none(): outcome(reply="x")
def status_that_is_none(): outcome(reply={"status": "x"})
def header_that_is_none(): outcome(reply={"headers": [[1]]})
def error_that_is_none(): outcome(error="x")
def error_without_end(): outcome(error={"a": json.loads("[" * 900 + "]" * 900)})
def nested_frame(): says(b'{"id":' + b"[" * 90_000 + b"]" * 90_000 + b"}")
def no_frame(): says(b"[]")
def begins_badly(): says({"type": "begin", "id": request, "status": "x"})
def for_ever_long():
    global stay
    stay = 0
    outcome(started_ns=1, ended_ns=10**300, value=True)
"""

DID, EXIT, LATE = "did", "Runtime.ExitError", "Sandbox.Timedout"
CRASH = "Runtime exited with error: "
ENDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("fork", "daemon", "closes_stdout", "closes_1_and_2", "prints_half", "leaves_threads",
         "thousand_threads", "ignores_signals", "replaces_stdout", "goes_away", "no_variables",
         "no_modules"),
        (DID, ""),
    ),
    **dict.fromkeys(
        ("pattern", "power", "holds_the_lock", "stops", "forks_on"),
        (LATE, "Task timed out after 1.00 seconds"),
    ),
    "closes_all": (EXIT, CRASH),
    "exits_0": (EXIT, "Runtime exited without providing a reason"),
    "exits_7": (EXIT, CRASH + "exit status 7"),
    "says_bye": (EXIT, CRASH + "exit status 1"),
    "interrupts": (EXIT, CRASH + "exit status 1"),
    "base": (EXIT, CRASH + "exit status 1"),
    "mute": ("Mute", "<unprintable Mute>"),
    "deadly": (EXIT, CRASH + "exit status 1"),
    "half_a_pair": ("ValueError", "\ud800"),
    "long_error": ("ValueError", "xxx"),
    "too_large": ("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum"),
    "no_json": ("Runtime.MarshalError", "Unable to marshal response: Object of type set"),
    "itself": ("Runtime.MarshalError", "Unable to marshal response: Circular reference"),
    "deep": ("Runtime.MarshalError", "Unable to marshal response: maximum recursion depth"),
    "memory": (EXIT, CRASH + "signal: killed"),
    "fills_tmp": (EXIT, CRASH + "signal: killed"),
    "opens": ("OSError", "[Errno 24] Too many open files"),
    "recursion": ("RecursionError", "maximum recursion depth exceeded"),
    "tracing": ("ZeroDivisionError", "division by zero"),
    "no_builtins": (EXIT, CRASH + "exit status 1"),
    "kills_parent": ("PermissionError", "[Errno 1]"),
    "kills_group": (EXIT, CRASH + "signal: killed"),
    "segfault": (EXIT, CRASH + "signal: segmentation fault"),
    "alarm": (EXIT, CRASH + "signal: alarm clock"),
    **dict.fromkeys(
        ("time_that_is_none", "reply_that_is_none", "status_that_is_none", "header_that_is_none",
         "error_that_is_none", "error_without_end", "nested_frame", "no_frame", "begins_badly"),
        (EXIT, CRASH + "signal: killed"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    made = kit.client(shared)
    kit.create(made, "bad", SOURCE, Timeout=30, MemorySize=256)
    kit.create(made, "late", SOURCE, Timeout=1, MemorySize=256)
    kit.create(made, "neighbour")
    return made


@pytest.mark.parametrize("name", ENDS)
def test_a_bad_handler_ends_as_on_aws(aws: Any, name: str) -> None:
    """In AWS's shape; afterwards the function and its neighbour answer."""
    kind, text = ENDS[name]
    function = "late" if kind == LATE else "bad"

    value, answer = kit.call(aws, function, name)
    after = kit.call(aws, function, "")[0], kit.call(aws, "neighbour")[1]["StatusCode"]
    kit.call(aws, function, "exits_0")  # the next test shall not find what this one did

    if kind == DID:
        assert (value, answer.get("FunctionError")) == (DID, None)
    else:
        request = f"RequestId: {answer['ResponseMetadata']['RequestId']} Error: "
        prefix = request if kind in {EXIT, LATE} else ""
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert value["errorType"] == kind
        assert value["errorMessage"].startswith(prefix + text), value
    assert after == ("fine", 200)


def test_half_a_pair_is_returned(aws: Any) -> None:
    """JSON can say it, so it arrives, as with AWS's runtime."""
    assert kit.call(aws, "bad", "returns_half")[0] == "\ud800"


def test_a_time_that_cannot_be_is_not_billed(aws: Any) -> None:
    """What an environment says of its time stays within what the platform saw."""
    kit.call(aws, "bad", "exits_0")
    began = time.monotonic()
    _, answer = kit.call(aws, "bad", "for_ever_long", LogType="Tail")
    seen_ms = (time.monotonic() - began) * 1000
    report = kit.tail(answer).rpartition("\tBilled Duration: ")[2]

    assert 1 <= int(report.split()[0]) <= seen_ms + 1


def test_nothing_is_left(aws: Any, shared: Server, wait_until: Callable[..., None]) -> None:
    """When the function goes, so do its processes; the server holds no descriptors of them."""
    assert shared.process is not None
    descriptors = Path(f"/proc/{shared.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    kit.create(aws, "leaves", SOURCE, Timeout=1, MemorySize=256)
    for name in ("exits_0", "memory", "no_frame", "leaves_threads", "fork", "daemon"):
        kit.call(aws, "leaves", name)
    started = named(shared, "leaves")

    aws.delete_function(FunctionName="leaves")

    assert len(started) >= 2
    wait_until(lambda: named(shared, "leaves") == [])
    wait_until(lambda: len(list(descriptors.iterdir())) <= before + LEFT_MAX)


def test_a_gigabyte_of_log_is_bounded(aws: Any, shared: Server) -> None:
    """The log is read as fast as it may be; what is kept and the server's memory stay small."""
    assert shared.process is not None
    kit.create(
        aws, "loud", "def handler(e, c):\n    for _ in range(2**20): print('x' * 1023)", Timeout=3
    )
    before = resident(shared.process.pid)

    value, answer = kit.call(aws, "loud", LogType="Tail")
    written = sum(
        path.stat().st_size for path in (shared.data / "logs").rglob("*") if path.is_file()
    )

    assert value["errorType"] == LATE
    assert len(kit.tail(answer)) <= 4096
    assert written < 32 * MIB
    assert resident(shared.process.pid) - before < 64 * MIB
    assert kit.call(aws, "neighbour")[1]["StatusCode"] == 200


def named(server: Server, function: str) -> list[int]:
    """Environments of ``function`` and what they started, as the kernel names them."""
    return [pid for pid in server.family() if name_of(pid).startswith(f"env {function}")]


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
