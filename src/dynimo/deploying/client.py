"""A small client of AWS Lambda's API: what the command line needs, signed, and quick to start.

Raises what the platform answered as ``ApiError``. It knows the protocol, not what anything means.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dynimo.model.errors import ConfigError, DynimoError

ANSWER_BYTES_MAX = 64 * 1024 * 1024
SECONDS_MAX = 910.0
"""Longer than any function may run."""
PAGES_MAX = 10_000

Sign = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
"""(method, whole URL, headers, body) → headers with the signature."""


class ApiError(DynimoError):
    """The platform refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        Exception.__init__(self, f"{code or status}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def about(self, whom: str) -> ApiError:
        """The same error, saying whom it is about."""
        same = ApiError(self.status, self.code, self.message)
        same.args = (f"{whom}: {self}",)
        return same


class Unreachable(DynimoError):
    """Nobody answers there."""


class BadAddress(DynimoError):
    """Nothing can be reached at such an address."""


class Client:
    """Calls one platform. Not for several threads at once."""

    def __init__(self, address: str, sign: Sign, *, trusted: str = "") -> None:
        """``address`` is ``http://HOST:PORT`` or https.

        ``trusted`` is a file of certificates to trust with https (PEM); empty: the system's.

        Raises:
            BadAddress: it is not.
            ConfigError: ``trusted`` cannot be used.
        """
        self._address = address.rstrip("/")
        self._secure, self._host, self._port = _parsed(address)
        self._tls = _tls(trusted) if self._secure else None
        self._sign = sign
        self._connection: http.client.HTTPConnection | None = None

    def call(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """One operation with a JSON body; its JSON answer, or None.

        Raises:
            ApiError: the platform answered with an error.
            Unreachable: there is no answer.
        """
        body = json.dumps(document).encode() if document is not None else b""
        answer, data = self.raw(method, path, body, {"content-type": "application/json"}, query)
        if answer.status >= 300:
            raise _error(answer, data)
        return json.loads(data) if data else None

    def raw(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request as it is.

        Raises:
            Unreachable: there is no answer, or it is over ``ANSWER_BYTES_MAX``.
        """
        target = path + (f"?{urlencode(query)}" if query else "")
        signed = self._sign(method, self._address + target, headers, body)
        while True:
            kept = self._connection is not None
            connection = self._connect()
            try:
                connection.request(method, target, body, dict(signed))
                answer = connection.getresponse()
                kept = False  # it was heard: nothing may happen twice
                data = answer.read(ANSWER_BYTES_MAX + 1)
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                if kept and isinstance(error, ConnectionError | http.client.BadStatusLine):
                    continue  # a kept connection had been closed meanwhile; the next is new
                raise Unreachable(f"{self._address}: {_reason(error)}.") from None
            if len(data) > ANSWER_BYTES_MAX:
                self._forget()
                raise Unreachable(f"{self._address}: an answer of over {ANSWER_BYTES_MAX} bytes.")
            if answer.length:  # what content-length promised and did not come
                self._forget()
                raise Unreachable(f"{self._address}: the answer was cut off.")
            return answer, data

    def pages(
        self, path: str, member: str, query: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """Every item of a list operation.

        Raises:
            ApiError, Unreachable: as ``call``.
        """
        asked = dict(query or {})
        for _ in range(PAGES_MAX):
            page = self.call("GET", path, query=asked)
            yield from page.get(member, [])
            if not page.get("NextMarker"):
                return
            asked["Marker"] = page["NextMarker"]

    def found(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        """What is at ``path``, or None if nothing is."""
        try:
            return self.call("GET", path, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def invoke(
        self, function: str, event: bytes, *, qualifier: str = "", kind: str = "RequestResponse"
    ) -> tuple[http.client.HTTPResponse, bytes, str]:
        """Invoke it; the answer, its payload, and the last 4 KB of its log.

        Raises:
            ApiError, Unreachable: as ``call``.
        """
        headers = {"x-amz-invocation-type": kind, "content-type": "application/json"}
        if kind == "RequestResponse":
            headers["x-amz-log-type"] = "Tail"
        query = {"Qualifier": qualifier} if qualifier else None
        path = f"{function_path(function)}/invocations"
        answer, data = self.raw("POST", path, event, headers, query)
        if answer.status >= 300:
            raise _error(answer, data)
        tail = base64.b64decode(answer.headers.get("x-amz-log-result") or "").decode(
            "utf-8", "replace"
        )
        return answer, data, tail

    def close(self) -> None:
        """Let the connection go."""
        self._forget()

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = _connection(self._host, self._port, self._tls)
        return self._connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _connection(host: str, port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=SECONDS_MAX)
    return http.client.HTTPSConnection(host, port, timeout=SECONDS_MAX, context=tls)


def _tls(trusted: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=trusted or None)
    except OSError as error:  # an SSLError is one too
        raise ConfigError(f"{trusted}: {error.strerror or error}.") from None


def _parsed(address: str) -> tuple[bool, str, int]:
    """(whether it is https, host, port)."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"{address!r}: {error}.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadAddress(f"{address!r} must be http://HOST:PORT, or https.")
    secure = parts.scheme == "https"
    return secure, parts.hostname, port or (443 if secure else 80)


def function_path(name: str) -> str:
    """Where a function is, by its name or ARN."""
    return f"/2015-03-31/functions/{quote(name, safe='')}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _error(answer: http.client.HTTPResponse, data: bytes) -> ApiError:
    try:
        told = json.loads(data)
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    text = told.get("message") or told.get("Message") or data[:500].decode("utf-8", "replace")
    code = (answer.headers.get("x-amzn-errortype") or "").partition(":")[0]
    return ApiError(answer.status, code, str(text))
