"""Originals on an http(s) server: downloaded within limits, past the SSRF guard.

One `Client` an environment keeps idle connections; names are resolved once a request, every
address is judged by `addresses`, and the connection is pinned to one that passed. Redirects are
judged again, and for addresses of their own so is the list of those allowed (`urls`). The one seam
where network errors are translated.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import addresses
import connection
import folder
import limits as limit_names
import original
import paths
import refusals
import urls

IDLE_CONNECTIONS_MAX = 4
REDIRECTS = (301, 302, 303, 307, 308)
CHUNK_BYTES = 1 << 16
ADDRESSES_MAX = 16
"""Addresses of one name that are looked at."""
URL_MAX = 8_192
_PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of ``host``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class RemoteFile:
    """An answer whose head has been read and whose body is still to come."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        done: Callable[[], None],
        limits: limit_names.Limits,
    ) -> None:
        """Take over an answer with status 200; ``done`` is called by `close`."""
        self._response = response
        self._done = done
        self._limits = limits
        self._etag = response.getheader("etag")
        self._last_modified = response.getheader("last-modified")
        self._length = response.getheader("content-length")

    @property
    def revision(self) -> str | None:
        """The upstream's validators; None when it gives none."""
        if self._etag:
            return f"etag {self._etag}"
        if self._last_modified and self._length:
            return f"modified {self._last_modified} {self._length}"
        return None

    @property
    def modified(self) -> float | None:
        """Last-Modified as epoch seconds."""
        try:
            return parsedate_to_datetime(self._last_modified or "").timestamp()
        except (ValueError, OverflowError):
            return None

    def read(self) -> original.Original:
        """Read the body.

        Raises:
            Refusal: 422 over the byte limit, 502 when it is cut off, 504 when it takes too long.
        """
        if self._length and self._length.isdigit() and len(self._length) > 18:
            raise folder.too_large(self._limits)
        if (self._response.length or 0) > self._limits.source_bytes:
            raise folder.too_large(self._limits)
        data = bytearray()
        try:
            while piece := self._response.read1(CHUNK_BYTES):
                data += piece
                if len(data) > self._limits.source_bytes:
                    raise folder.too_large(self._limits)
        except (OSError, http.client.HTTPException) as error:
            raise translated(error) from error
        if self._response.length:
            raise refusals.upstream(
                "source_cut_off", "the source's server sent fewer bytes than it announced"
            )
        body = bytes(data)
        revision = self.revision or f"sha256 {hashlib.sha256(body).hexdigest()}"
        return original.Original(data=body, revision=revision, modified=self.modified)

    def beginning(self, size: int) -> bytes:
        """Read the first ``size`` bytes; the rest is not downloaded.

        Raises:
            Refusal: 502 when it is cut off, 504 when it takes too long.
        """
        data = bytearray()
        try:
            while len(data) < size and (piece := self._response.read1(size - len(data))):
                data += piece
        except (OSError, http.client.HTTPException) as error:
            raise translated(error) from error
        return bytes(data)

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        self._done()


class Client:
    """Downloads, one after another.

    ``private_hosts`` are ``host:port`` allowed to be private, ``url_sources`` the patterns of
    addresses that may be asked for without a configured source.
    """

    def __init__(
        self,
        limits: limit_names.Limits,
        *,
        private_hosts: frozenset[str] = frozenset(),
        url_sources: tuple[str, ...] = (),
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect to nothing yet."""
        self._limits = limits
        self._private_hosts = private_hosts
        self._url_sources = url_sources
        self._resolve = resolve
        self._tls = tls
        self._idle: dict[tuple[connection.Origin, bool], connection.PinnedConnection] = {}
        """By origin, and whether it may be private: one that may is no other's to use."""

    def open_file(self, base: str, path: str) -> RemoteFile:
        """Ask for ``path`` (decoded) below the configured address ``base``.

        Raises:
            Refusal: 404 when upstream says so; 502 or 504 when it fails or must not be asked.
        """
        url = f"{base.rstrip('/')}/{paths.encode(path)}"
        configured = _origin(base)
        trusted = frozenset({configured}) if self._may_be_private(configured) else frozenset()
        return self._followed(url, trusted, lambda target: target)

    def open_url(self, url: str) -> RemoteFile:
        """Ask for an address of its own, one that is allowed, and so are all it redirects to.

        Private ones are asked only where ``private_hosts`` names them.

        Raises:
            Refusal: as `open_file`; 404 also for what is not allowed.
        """
        url = self._permitted(url)
        origin = _origin(url)
        named = f"{origin.host}:{origin.port}" in self._private_hosts
        return self._followed(url, frozenset({origin} if named else ()), self._permitted)

    def _permitted(self, url: str) -> str:
        found = urls.place(url)
        address = urls.address(*found) if found else ""
        if not address or not urls.is_allowed(address, self._url_sources):
            raise refusals.not_found()
        return address

    def _followed(
        self,
        url: str,
        trusted: frozenset[connection.Origin],
        permitted: Callable[[str], str],
    ) -> RemoteFile:
        deadline = connection.Deadline(self._limits.fetch_seconds, self._limits.read_seconds)
        for _ in range(self._limits.redirects + 1):
            origin = _origin(url)
            may = origin in trusted
            try:
                response, used = self._ask(origin, url, deadline, trusted=may)
            except (OSError, http.client.HTTPException) as error:
                raise translated(error) from error
            if response.status not in REDIRECTS:
                return self._judged(response, (origin, may), used)
            location = response.getheader("location") or ""
            response.close()
            used.close()
            url = permitted(_target(url, location))
        raise refusals.upstream(
            "too_many_redirects", f"more than {self._limits.redirects} redirects (limit redirects)"
        )

    def close(self) -> None:
        """Close the idle connections."""
        for kept in self._idle.values():
            kept.close()
        self._idle.clear()

    def _may_be_private(self, origin: connection.Origin) -> bool:
        name = f"{origin.host}:{origin.port}"
        return addresses.is_local_name(origin.host) or name in self._private_hosts

    def _ask(
        self, origin: connection.Origin, url: str, deadline: connection.Deadline, *, trusted: bool
    ) -> tuple[http.client.HTTPResponse, connection.PinnedConnection]:
        kept = self._idle.pop((origin, trusted), None)
        if kept is not None:
            try:
                return self._exchange(kept, url, deadline), kept
            except (http.client.HTTPException, ConnectionError):
                kept.close()  # it had been closed at the other end while idle: once more, afresh
        fresh = connection.PinnedConnection(
            origin, self._address(origin, trusted=trusted), self._tls_for(origin)
        )
        fresh.connect_seconds = self._limits.connect_seconds
        try:
            return self._exchange(fresh, url, deadline), fresh
        except BaseException:
            fresh.close()
            raise

    def _exchange(
        self, used: connection.PinnedConnection, url: str, deadline: connection.Deadline
    ) -> http.client.HTTPResponse:
        used.deadline = deadline
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "accept": "image/*",
            "accept-encoding": "identity",
            "user-agent": "dynimo-images",
        }
        used.request("GET", target, headers=headers)
        return used.getresponse()

    def _address(self, origin: connection.Origin, *, trusted: bool) -> str:
        found = list(self._resolve(origin.host, origin.port))[:ADDRESSES_MAX]
        if not found:
            raise refusals.upstream("no_address", "the source's server has no address")
        if not trusted and not all(addresses.is_public(address) for address in found):
            raise refusals.upstream(
                "private_address",
                "the source's server has an address that is not public"
                " (if it is meant, name it in private_hosts)",
            )
        return found[0]

    def _tls_for(self, origin: connection.Origin) -> ssl.SSLContext | None:
        if origin.scheme == "http":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _judged(
        self,
        response: http.client.HTTPResponse,
        place: tuple[connection.Origin, bool],
        used: connection.PinnedConnection,
    ) -> RemoteFile:
        try:
            _check(response)
        except refusals.Refusal:
            response.close()
            used.close()
            raise

        def done() -> None:
            whole = response.isclosed() or response.length == 0
            response.close()
            if whole and not response.will_close:
                if len(self._idle) >= IDLE_CONNECTIONS_MAX:
                    self._idle.pop(next(iter(self._idle))).close()
                self._idle[place] = used
            else:
                used.close()

        return RemoteFile(response, done, self._limits)


def _check(response: http.client.HTTPResponse) -> None:
    if response.status in (404, 410):
        raise refusals.not_found()
    if response.status != 200:
        raise refusals.upstream(
            "source_failed", f"the source's server answered with status {response.status}"
        )
    if response.getheader("content-encoding", "identity").lower() != "identity":
        raise refusals.upstream(
            "source_encoded", "the source's server compressed the answer although asked not to"
        )


def _target(url: str, location: str) -> str:
    if not location or len(location) > URL_MAX:
        raise refusals.upstream("bad_redirect", "the source's server redirects to nowhere")
    try:
        target = urljoin(url, location)
    except ValueError:
        raise refusals.upstream("bad_redirect", "a redirect is malformed") from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise refusals.upstream("bad_redirect", "a redirect leads from https to http")
    return target


def _origin(url: str) -> connection.Origin:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refusals.upstream("bad_redirect", "the address of the source is malformed") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise refusals.upstream("bad_redirect", "a source must have a plain http or https address")
    return connection.Origin(
        scheme=parts.scheme, host=parts.hostname, port=port or _PORTS[parts.scheme]
    )


def translated(error: OSError | http.client.HTTPException) -> refusals.Refusal:
    """Say what a network error means for the client."""
    if isinstance(error, TimeoutError):
        return refusals.Refusal(504, "source_too_slow", "the source's server took too long")
    if isinstance(error, ssl.SSLError):
        return refusals.upstream("source_tls", "no secure connection to the source's server")
    if isinstance(error, socket.gaierror):
        return refusals.upstream("no_address", "the source's server has no address")
    if isinstance(error, http.client.HTTPException):
        return refusals.upstream(
            "source_failed", "the source's server does not speak HTTP properly"
        )
    return refusals.upstream("source_unreachable", "the source's server cannot be reached")
