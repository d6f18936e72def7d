"""Serves https beside http, if the settings name a certificate, and keeps the certificate fresh."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from dynimo.model.errors import ConfigError
from dynimo.web import tls
from dynimo.web.server import Server


class Https:
    """The second door of a server; without a certificate there is none."""

    def __init__(self, config: tls.Config) -> None:
        self._config = config
        self._certificate: tls.Certificate | None = None
        self._watching: asyncio.Task[None] | None = None
        self.port = 0

    async def open(self, server: Server, host: str) -> None:
        """Listen.

        Raises:
            ConfigError: the files cannot be used, or the port cannot be had.
        """
        config = self._config
        if not config.certificate:
            return
        protocols = [tls.HTTP2, tls.HTTP11] if config.http2 else [tls.HTTP11]
        key = Path(config.key or config.certificate)
        try:
            self._certificate = tls.Certificate(Path(config.certificate), key, protocols=protocols)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"tls.certificate, tls.key: {config.certificate}: {error}.") from None
        try:
            self.port = await server.start(host, config.port, certificate=self._certificate)
        except OSError as error:
            raise ConfigError(f"tls.port: cannot listen on {config.port}: {error}.") from None
        self._watching = asyncio.create_task(self._certificate.watch(config.reload_seconds))

    def reload(self) -> None:
        """Read the certificate again."""
        if self._certificate is not None:
            self._certificate.reload()

    def close(self) -> None:
        """Look for changes no more; the server closes its doors itself."""
        if self._watching is not None:
            self._watching.cancel()
