"""The network switch of a function that was made through the API: the tag ``dynimo:network``."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import kit
from tests.e2e.serving import Server

REACHES = """
import socket, threading
def tried(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2): return True
    except OSError: return False
def itself():
    try:
        with socket.create_server(("127.0.0.1", 0)) as server: return tried(server.getsockname()[1])
    except OSError: return False
def handler(event, context):
    return {"others": tried(event["other"]), "api": tried(event["api"]), "itself": itself()}
"""


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


@pytest.mark.skipif(os.geteuid() != 0, reason="a loopback of its own needs root")
@pytest.mark.parametrize(
    ("switch", "reached"),
    [("none", set()), ("loopback", {"itself"}), ("internet", {"itself", "api", "others"}),
     ("", {"itself", "api", "others"})],
)  # fmt: skip
def test_the_switch_holds(aws: Any, shared: Server, switch: str, reached: set[str]) -> None:
    """Nothing, itself, or what the host reaches; the last is the default, as on AWS."""
    tags = {"Tags": {"dynimo:network": switch}} if switch else {}
    kit.create(aws, f"reaches-{switch}", REACHES, Timeout=10, **tags)

    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"other": other.getsockname()[1], "api": shared.port}
        value, answer = kit.call(aws, f"reaches-{switch}", ports)

    assert answer.get("FunctionError") is None, value
    assert {name for name, did in value.items() if did} == reached


def test_the_platform_listens_on_its_api_only(aws: Any, shared: Server) -> None:
    """No other port, and no socket with a name, leads into it."""
    kit.create(aws, "running")
    kit.call(aws, "running")
    assert shared.process is not None
    held, found = sockets(shared.process.pid), {}
    for kind in ("tcp", "tcp6", "udp", "udp6", "unix"):
        lines = Path(f"/proc/{shared.process.pid}/net/{kind}").read_text().splitlines()[1:]
        found[kind] = [place(kind, words) for words in map(str.split, lines) if held & {*words}]
    listening = {kind: [each for each in places if each] for kind, places in found.items()}
    assert listening == {"tcp": [shared.port], "tcp6": [], "udp": [], "udp6": [], "unix": []}


def test_nobody_else_reads_the_data_folder(shared: Server) -> None:
    """Variables, events, logs and zips are their owner's; only code is read by functions' users."""
    readable = {
        path.name
        for path in shared.data.iterdir()
        if stat.S_IMODE(path.stat().st_mode) & 0o044 and path.name not in {"address", "lock"}
    }
    assert readable <= {"code", "scratch"}


def test_the_level_of_isolation_is_told_at_start(shared: Server) -> None:
    """In a word, with what it is worth, and each measure."""
    words = shared.words()
    assert "  on: no-new-privileges" in words
    assert any(
        f"isolation: {level} (" in words for level in ("full", "namespaces", "basic", "weak")
    )


def place(kind: str, words: list[str]) -> object:
    """Where a line of /proc/net says that somebody can come in: a port, a name, or nothing."""
    if kind == "unix":
        return words[7] if len(words) > 7 else None
    listens = words[3] == "0A" or kind.startswith("udp")
    return int(words[1].rpartition(":")[2], 16) if listens else None


def sockets(pid: int) -> set[str]:
    """The inode numbers of a process's sockets."""
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(each.readlink()))
    return {link[8:-1] for link in links if link.startswith("socket:[")}
