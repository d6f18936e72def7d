"""What a purge means: which keys it takes. Pure; the tiers do the taking."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ABSOLUTE = re.compile(r"(?:https?:)?//([^/]+)(/.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Keys to purge.

    ``text`` begins with a host (``example.org/a``) or with ``/`` for any host; ``prefix`` takes all
    that begin so. An empty text with ``prefix`` is everything.
    """

    text: str
    prefix: bool = False

    @property
    def any_host(self) -> bool:
        """Whether the host does not matter."""
        return self.text.startswith("/") or not self.text

    def matches(self, key: str) -> bool:
        """Say whether it takes this key."""
        subject = target_of(key) if self.any_host else key
        return subject.startswith(self.text) if self.prefix else subject == self.text


EVERYTHING = Selector(text="", prefix=True)


def target_of(key: str) -> str:
    """Return the path and query of a key."""
    return key[key.find("/") :] if "/" in key else key


def selector(url: str, *, prefix: bool = False) -> Selector:
    """Read ``http://host/path?query`` or ``/path?query`` (any host).

    Raises:
        ValueError: it is neither.
    """
    if url.startswith("/") and not url.startswith("//"):
        return Selector(text=url, prefix=prefix)
    match = _ABSOLUTE.fullmatch(url)
    if match is None:
        raise ValueError(f"A purge names http://HOST/PATH or /PATH, not {url!r}.")
    host, path = match.groups()
    return Selector(text=host.lower() + (path or "/"), prefix=prefix)
