"""The network switch: ``none``, ``loopback``, ``internet``, tried from inside."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.model import errors
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import Environment, code, zygote
from tests.e2e.attacks.scene import WITHOUT

pytestmark = pytest.mark.e2e

CLIENT = """
import os, socket, threading
def reach(port):
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        return client.recv(9).decode()
def itself():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"itself")).start()
        return reach(server.getsockname()[1])
def datagram(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"x", ("127.0.0.1", port))
def interfaces(_):
    return sorted(name for _, name in socket.if_nameindex())
def handler(event, context):
    what, *rest = event
    try:
        return {"did": globals()[what](*rest)}
    except OSError as error:
        return {"errno": error.errno}
"""


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """What root gets, and what a user without rights has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    config = Config(scratch=tmp_path / "scratch", without=WITHOUT[request.param])
    opened = await sandbox_kit.opened(config)
    yield opened
    await opened.close()


@pytest.fixture
def listener() -> Iterator[int]:
    """A server of the host's loopback that nobody should reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_none_reaches_nothing(sandbox: ProcessSandbox, tmp_path: Path, listener: int) -> None:
    """Neither the host nor itself, by TCP or UDP."""
    async with zygote(sandbox, code(tmp_path / "code", CLIENT), network="none") as started:
        environment = Environment(started)
        for attempt in (["reach", listener], ["itself"], ["datagram", listener]):
            assert "errno" in await environment.call(attempt)


async def test_loopback_reaches_itself_only(
    sandbox: ProcessSandbox, tmp_path: Path, listener: int
) -> None:
    """Its own servers, and nothing of the host's; refused where that cannot be held."""
    folder = code(tmp_path / "code", CLIENT)
    if sandbox.describe()["network namespace"] != "on":
        with pytest.raises(errors.InitError, match="cannot be held on this host"):
            async with zygote(sandbox, folder, network="loopback"):
                pass
        return
    async with zygote(sandbox, folder, network="loopback") as started:
        environment = Environment(started)
        assert await environment.call(["itself"]) == {"did": "itself"}
        assert "errno" in await environment.call(["reach", listener])
        assert await environment.call(["interfaces", 0]) == {"did": ["lo"]}


@pytest.mark.parametrize("sandbox", ["full"], indirect=True)
async def test_versions_share_no_loopback(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """Two functions with a loopback each do not meet there."""
    source = (
        CLIENT
        + """
kept = []
def serve(_):
    kept.append(socket.create_server(("127.0.0.1", 0)))
    return kept[0].getsockname()[1]
"""
    )
    folder = code(tmp_path / "code", source)
    async with (
        zygote(sandbox, folder, network="loopback") as one,
        zygote(sandbox, folder, network="loopback") as two,
    ):
        first, second = Environment(one), Environment(two)
        port = (await first.call(["serve", 0]))["did"]
        assert "errno" in await second.call(["reach", port])


async def test_internet_is_the_hosts_network(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    """By default a function reaches what the host reaches."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"outside")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, zygote(sandbox, code(tmp_path / "code", CLIENT)) as started:
        assert await Environment(started).call(["reach", port]) == {"did": "outside"}
