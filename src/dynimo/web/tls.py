"""The server's certificate: read at start, and again when its files change or somebody asks.

New connections get the new one; those there are go on. Files that cannot be used change nothing.
TLS 1.2 and 1.3, with OpenSSL's own choice of ciphers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger("dynimo.web")

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 2.0
HTTP2, HTTP11 = "h2", "http/1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where https is served, and with which files (PEM; ``certificate`` with its chain).

    Without a certificate there is no https. Files that change are read again within
    ``reload_seconds``, and at once on SIGHUP. ``http2`` offers HTTP/2 to clients.
    """

    port: int = 4443
    certificate: str = ""
    key: str = ""
    http2: bool = True
    reload_seconds: float = 5.0


class Certificate:
    """A certificate and its key, as files that may change.

    Raises:
        OSError, ssl.SSLError: they cannot be read, or do not belong together.
    """

    def __init__(self, certificate: Path, key: Path, *, protocols: Sequence[str]) -> None:
        """``protocols`` are offered to clients, best first (ALPN)."""
        self._certificate = certificate
        self._key = key
        self._protocols = list(protocols)
        self.context = self._made()
        self._seen = self._state()

    @classmethod
    def of(cls, config: Config) -> Certificate | None:
        """The one that the settings name; None if there is none. Raises as the class does."""
        if not config.certificate:
            return None
        protocols = [HTTP2, HTTP11] if config.http2 else [HTTP11]
        key = Path(config.key or config.certificate)
        return cls(Path(config.certificate), key, protocols=protocols)

    def reload(self) -> bool:
        """Read the files again; whether they could be used. Otherwise what was there stays."""
        self._seen = self._state()
        try:
            self._made()  # a try: nothing half-read may reach the context in use
            self.context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            _log.error("%s: not read again: %s", self._certificate, error)
            return False
        _log.info("%s: read again", self._certificate)
        return True

    async def watch(self, seconds: float) -> None:
        """Read the files again whenever they have changed, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            if self._state() != self._seen:
                self.reload()

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(self._protocols)
        context.load_cert_chain(self._certificate, self._key)
        return context

    def _state(self) -> list[tuple[int, int, int]]:
        found = []
        for file in (self._certificate, self._key):
            with contextlib.suppress(OSError):
                status = file.stat()
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return found
