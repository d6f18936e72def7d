"""A request's head: bytes in, ``Request`` and framing facts out. No sockets, no waiting.

The syntax of header lines is llhttp's work (through httptools); what RFC 9112 asks beyond syntax
(one valid Host, one way to say the body's length, the target's form) is decided here. Strict on
purpose: whatever two parsers could read in two ways is refused.
"""

from __future__ import annotations

import functools
import re
import time

import httptools

from dynimo.web import config, faults, forwarding, message

BAD_LINE = "A line must end in CRLF, and CR or LF stand nowhere else."

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!-\"$-~]+) HTTP/([0-9])\.([0-9])"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(r"https?://([^/?]*)([^?]*)\??(.*)", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_FRAMING = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
_COMMON_NAMES = """
host user-agent accept accept-encoding accept-language connection cache-control pragma
if-none-match if-modified-since referer cookie authorization content-length content-type
origin range sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user dnt
sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests priority
transfer-encoding expect
x-amz-date x-amz-security-token x-amz-content-sha256 x-amz-invocation-type x-amz-log-type
x-amz-client-context x-amz-target x-amzn-trace-id amz-sdk-invocation-id amz-sdk-request
"""
_KNOWN_NAMES = {
    name.encode(): name.lower()
    for plain in re.findall(r"\S+", _COMMON_NAMES)
    for name in (plain, plain.title())
}


class HeadParser:
    """Reads one connection's heads, one after another.

    After ``parse``, the attributes say how the body is framed (``length``: bytes, 0 for none, or
    ``chunked``), whether the connection may stay (``keep_alive``), whether the peer speaks 1.1
    (``http11``) and whether it waits for a 100 (``expects_continue``). ``slow`` says that one of
    ``slow_names`` was there, ``claimed`` that something was said of who the client is; ``scheme``
    is what requests come by.
    """

    __slots__ = (
        "_pairs", "_parser", "_slow_names", "_special", "_trust", "chunked", "claimed",
        "expects_continue", "http11", "keep_alive", "length", "scheme", "slow",
    )  # fmt: skip

    def __init__(
        self, trust: forwarding.Trust = forwarding.NOBODY, slow_names: frozenset[str] = frozenset()
    ) -> None:
        self._trust = trust
        self._slow_names = slow_names
        self.claimed = False
        self.slow = False
        self.scheme = "http"
        self._pairs: list[tuple[str, str]] = []
        self._special: list[tuple[str, str]] = []
        self._parser = httptools.HttpRequestParser(self)
        self.length = 0
        self.chunked = False
        self.keep_alive = True
        self.http11 = True
        self.expects_continue = False

    @property
    def plain(self) -> bool:
        """Whether the head said nothing of its connection, so that it means the same on others."""
        ours = self.scheme == "http" and not self.claimed
        return ours and self.keep_alive and self.http11

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header line from llhttp."""
        key = _KNOWN_NAMES.get(name)
        if key is None:
            key = name.decode("latin-1").lower()
            if key in self._slow_names:
                self.slow = True
            elif forwarding.is_claim(key):
                self.claimed = True
        pair = (key, value.decode("latin-1").rstrip(" \t"))
        self._pairs.append(pair)
        if key in _FRAMING:
            self._special.append(pair)

    def parse(self, head: bytes, peer: str, headers_max: int) -> message.Request:
        """Read one whole head, from the method to the empty line.

        Raises:
            faults.Fault: 400, 417, 431, 501 or 505; the connection cannot be used further.
        """
        lines = head.count(b"\r\n")
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise faults.bad_request(BAD_LINE)
        match = _REQUEST_LINE.match(head)
        if match is None or head[match.end()] != 13:
            raise faults.bad_request("The request line is not METHOD TARGET HTTP/1.1.")
        method, target, major, minor = match.groups()
        if major != b"1" or minor not in b"01":
            raise faults.Fault(
                505, "VersionNotSupported", "The versions spoken here are 1.0 and 1.1."
            )
        pairs: list[tuple[str, str]] = []
        self._pairs = pairs
        self._special.clear()
        self.claimed = self.slow = False
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserInvalidMethodError:
            raise faults.Fault(501, "NotImplemented", "This method is not known.") from None
        except httptools.HttpParserUpgrade:
            self._parser = httptools.HttpRequestParser(self)  # upgrades are ignored, as 9110 allows
        except httptools.HttpParserError as error:
            raise faults.bad_request(str(error)) from None
        if len(pairs) > headers_max:
            raise faults.Fault(431, "HeadersTooLarge", f"More than {headers_max} header lines.")
        self.http11 = minor == b"1"
        host = self._frame()
        path, query = _split_target(target.decode("ascii"), host, method)
        headers = message.Headers.__new__(message.Headers)
        headers.pairs = pairs
        request = message.Request(
            method=method.decode("ascii"), path=path, query=query, headers=headers,
            peer=peer, arrived_ns=time.monotonic_ns(), scheme=self.scheme, marked=self.slow,
        )  # fmt: skip
        if not self.http11:
            request.version = "1.0"
        if self.claimed or self.scheme != "http":
            forwarding.settle(request, self._trust)
        return request

    def _frame(self) -> str:
        """Read the header lines that decide framing; return the Host (RFC 9112 3.2, 6, 9.3)."""
        special = self._special
        self.length, self.chunked, self.expects_continue = 0, False, False
        self.keep_alive = self.http11
        if len(special) == 1 and special[0][0] == "host":
            return checked_host(special[0][1])
        hosts = [value for name, value in special if name == "host"]
        if len(hosts) > 1 or (self.http11 and not hosts):
            raise faults.bad_request("Exactly one Host header is needed.")
        tokens = {
            token.strip().lower()
            for name, value in special
            if name == "connection"
            for token in value.split(",")
        }
        if self.http11:
            self.keep_alive = "close" not in tokens
        else:
            self.keep_alive = "keep-alive" in tokens and "close" not in tokens
        self._frame_body(special)
        return checked_host(hosts[0]) if hosts else ""

    def _frame_body(self, special: list[tuple[str, str]]) -> None:
        lengths = [value for name, value in special if name == "content-length"]
        codings = [value for name, value in special if name == "transfer-encoding"]
        expectations = [value for name, value in special if name == "expect"]
        if codings:
            if lengths:
                raise faults.bad_request("Content-Length and Transfer-Encoding exclude each other.")
            if not self.http11:
                raise faults.bad_request("HTTP/1.0 has no Transfer-Encoding.")
            if len(codings) > 1 or codings[0].lower() != "chunked":
                raise faults.Fault(501, "NotImplemented", "The only transfer coding is chunked.")
            self.chunked = True
        elif lengths:
            if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
                raise faults.bad_request("Content-Length must be one decimal number.")
            self.length = int(lengths[0])
        if self.length or self.chunked:
            self._parser = httptools.HttpRequestParser(self)  # bodies never pass through llhttp
        if expectations:
            if [value.lower() for value in expectations] != ["100-continue"]:
                raise faults.Fault(417, "ExpectationFailed", "Only 100-continue can be expected.")
            self.expects_continue = self.http11


def check_partial(buffer: bytes, scanned: int, limits: config.Config) -> int:
    """Refuse a head that cannot become good any more, before the rest of it comes.

    ``scanned`` is how much of it was looked at before; returns how much is now.

    Raises:
        faults.Fault: 400, 414 or 431.
    """
    line_end = buffer.find(b"\r\n")
    if (len(buffer) if line_end < 0 else line_end) > limits.request_line_bytes_max:
        raise faults.Fault(414, "UriTooLong", "The request line is too long.")
    if len(buffer) > limits.head_bytes_max and (
        buffer.find(b"\r\n\r\n", 0, limits.head_bytes_max + 4) < 0
    ):
        raise faults.Fault(431, "HeadersTooLarge", "The request's head is too large.")
    at = buffer.find(b"\n", max(0, scanned - 1))
    while at >= 0:
        if at == 0 or buffer[at - 1] != 13:
            raise faults.bad_request(BAD_LINE)
        at = buffer.find(b"\n", at + 1)
    return max(0, len(buffer) - 3)


@functools.lru_cache(maxsize=1024)
def checked_host(host: str) -> str:
    """A Host in lower case. Raises faults.Fault: it is none."""
    if not _HOST.fullmatch(host):
        raise faults.bad_request("The Host header is not a valid host and port.")
    return host.lower()


def _split_target(target: str, host: str, method: bytes) -> tuple[str, str]:
    """Return path and query, as received (RFC 9112 3.2: the four forms of a target)."""
    if target[0] == "/":
        path, _, query = target.partition("?")
        return path, query
    if target == "*" and method == b"OPTIONS":
        return "*", ""
    if method == b"CONNECT":
        raise faults.Fault(501, "NotImplemented", "This is not a proxy: no CONNECT.")
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise faults.bad_request("The request target must begin with a slash.")
    authority, path, query = match.groups()
    if authority.lower() != host:
        raise faults.bad_request("The target's authority and the Host header differ.")
    return path or "/", query
