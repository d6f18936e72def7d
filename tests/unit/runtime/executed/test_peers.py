"""Who is at the other end, read from the kernel's own table."""

from __future__ import annotations

import socket
import sys

import pytest

from dynimo.runtime.executed import integration, peers
from dynimo.runtime.executed.lifecycle import TABLE, Lifecycle, NotAllowed, State, Step

TABLE_TEXT = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
   1: 0100007F:C350 0301027F:1F90 01 00000000:00000000 00:00000000 00000000 60007        0 22 1
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is of a little-endian machine")
def test_a_socket_is_found_by_both_its_ends() -> None:
    """Its user and its inode; nothing for ends that are not there."""
    local, remote = ("127.0.0.1", 50000), ("127.2.1.3", 8080)
    assert peers.find(TABLE_TEXT, local, remote) == (60007, 22)
    assert peers.find(TABLE_TEXT, remote, local) is None
    assert peers.find("", local, remote) is None


def test_this_process_sees_its_own_connection() -> None:
    """The table that is parsed is the kernel's."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        server, _ = listener.accept()
        with server:
            assert peers.is_own(server)
            assert client.getsockname() == server.getpeername()


def test_a_line_that_the_kernel_missed_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once or twice; a connection that is in no table is nobody's."""
    whole = peers._table
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()):
        server, _ = listener.accept()
        with server:
            tables = iter(["head\n", "head\n"])
            monkeypatch.setattr(peers, "_table", lambda: next(tables, None) or whole())
            assert peers.is_own(server)
            monkeypatch.setattr(peers, "_table", lambda: "head\n")
            assert not peers.is_own(server)


def test_steps_that_are_not_in_the_table_change_nothing() -> None:
    """For every state and step."""
    for state in State:
        for step in Step:
            lifecycle = Lifecycle()
            lifecycle.state = state
            if (state, step) in TABLE:
                lifecycle.take(step)
                assert lifecycle.state is TABLE[state, step]
            else:
                with pytest.raises(NotAllowed, match=f"from {state.value} to {step.value} failed"):
                    lifecycle.take(step)
                assert lifecycle.state is state


def test_a_head_that_is_none_is_part_of_the_body() -> None:
    """No JSON, no end, or another content type: every byte goes on."""
    plain = integration.Prelude("text/plain")
    assert plain.feed(b"{}" + integration.END) == (None, b"{}" + integration.END)
    broken = integration.Prelude(integration.CONTENT_TYPE + "; charset=x")
    assert broken.feed(b"{no json" + integration.END + b"x") == (
        None,
        b"{no json" + integration.END + b"x",
    )
    endless = integration.Prelude(integration.CONTENT_TYPE)
    assert endless.feed(b"x" * 100) == (None, b"")
    assert endless.held == b"x" * 100
    head, rest = endless.feed(b"y" * integration.HEAD_BYTES_MAX)
    assert (head, len(rest), endless.held) == (None, integration.HEAD_BYTES_MAX + 100, b"")
