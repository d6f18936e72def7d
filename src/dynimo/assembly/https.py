"""Serves https beside http, if the settings name a certificate, and keeps the certificate fresh."""

from __future__ import annotations

import asyncio
import ssl

from dynimo.fronts.keeper import Fronts
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

    async def open(self, server: Server | Fronts, host: str) -> None:
        """Listen; with front processes, before these are begun.

        Raises:
            ConfigError: the files cannot be used, or the port cannot be had.
        """
        config = self._config
        try:
            self._certificate = tls.Certificate.of(config)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(f"tls.certificate, tls.key: {config.certificate}: {why}.") from None
        if self._certificate is None:
            return
        try:
            if isinstance(server, Fronts):
                self.port = server.listen_https(host, config.port)
                return  # each front watches the files by itself
            self.port = await server.start(host, config.port, certificate=self._certificate)
        except OSError as error:
            raise ConfigError(f"tls.port: cannot listen on {config.port}: {error}.") from None
        self._watching = asyncio.create_task(self._certificate.watch(config.reload_seconds))

    def reload(self) -> bool:
        """Read the certificate again; whether it can be used, if there is one."""
        return self._certificate is None or self._certificate.reload()

    def close(self) -> None:
        """Look for changes no more; the server closes its doors itself."""
        if self._watching is not None:
            self._watching.cancel()
