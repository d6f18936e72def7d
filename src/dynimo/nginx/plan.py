"""What the nginx in front is to be: values, and which of them are refused. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#&^_.+-]+/[a-z0-9!#&^_.+-]+")
_PATH = re.compile(r"/[A-Za-z0-9._~!&'()*+,;=:@/-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One nginx in front of Dynimo servers.

    ``folder`` holds all it writes. ``offers`` are the media types between which paths negotiate;
    below ``passed`` nothing is cached or held back. ``by_key`` asks one server for one key, else
    the one with the fewest requests is asked. ``stale`` answers old while a new one cannot be had.
    With ``certificate`` and ``certificate_key`` it speaks https. ``user`` is whom its processes run
    as, where root starts it. ``generation`` is part of every key.
    """

    upstreams: tuple[str, ...]
    host: str
    port: int
    folder: Path
    offers: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    by_key: bool = True
    stale: bool = True
    certificate: str = ""
    certificate_key: str = ""
    cache_bytes: int = 10 * 1024**3
    body_bytes_max: int = 8 * 1024**2
    answer_seconds: int = 60
    log: bool = False
    user: str = ""
    generation: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be served. Raises ValueError, which says what."""
        if not self.upstreams:
            raise ValueError("Name at least one server to ask: --upstream http://HOST:PORT.")
        for each in self.upstreams:
            server(each)
        for each in self.offers:
            if not _MEDIA_TYPE.fullmatch(each):
                raise ValueError(f"{each!r} is no media type; write it small, as in text/html.")
        for each in self.passed:
            if not _PATH.fullmatch(each):
                raise ValueError(f"{each!r} is no prefix of paths; it begins with / as in /api/.")
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("A certificate and its key are given together, or neither.")

    @property
    def scheme(self) -> str:
        """How clients ask."""
        return "https" if self.certificate else "http"


def server(url: str) -> str:
    """Return HOST:PORT of an upstream's address.

    Raises:
        ValueError: it is not ``http://HOST[:PORT]``.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 80
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        host = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")
        if parts.scheme == "http" and plain and _HOST.fullmatch(host):
            return f"{host}:{port}"
    except ValueError:
        pass
    raise ValueError(f"{url!r} is no Dynimo server's address: http://HOST[:PORT], no path.")
