"""A connection over TLS, until it is known what its client speaks: then it is one of that kind."""

from __future__ import annotations

import asyncio
from typing import cast

from dynimo.web import tls
from dynimo.web.connection import Connection
from dynimo.web.host import Host


class Negotiated(asyncio.Protocol):
    """Hands the transport on as soon as the handshake has chosen a protocol (ALPN)."""

    def __init__(self, server: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Become what was chosen; who chose nothing speaks HTTP/1.1."""
        transport = cast("asyncio.Transport", transport)
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        speaking: asyncio.Protocol = Connection(self._server, self._loop)
        if chosen == tls.HTTP2:
            from dynimo.web.http2 import Http2  # noqa: PLC0415 - who serves no https needs none

            speaking = Http2(self._server, self._loop)
        transport.set_protocol(speaking)
        speaking.connection_made(transport)
