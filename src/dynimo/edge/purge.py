"""What a purge takes, and what it is called by. Pure values; the tiers do the taking."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ABSOLUTE = re.compile(r"(?:https?:)?//([^/]+)(/.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Keys to purge.

    ``text`` begins with a host (``example.org/a``) or with ``/`` for any host; ``prefix`` takes all
    that begin so, and an empty text with ``prefix`` is everything. With ``tag`` the text is a tag.
    ``soft`` leaves what it takes in place, stale from now on.
    """

    text: str
    prefix: bool = False
    tag: bool = False
    soft: bool = False

    @property
    def any_host(self) -> bool:
        """Whether the host does not matter."""
        return self.text.startswith("/") or not self.text

    @property
    def everything(self) -> bool:
        """Whether it takes all there is."""
        return self.prefix and not self.text

    @property
    def one_key(self) -> bool:
        """Whether it names one key whole, host and all."""
        return not (self.prefix or self.tag or self.any_host)

    def matches(self, key: str, tags: tuple[str, ...] = ()) -> bool:
        """Say whether it takes what has this key and these tags."""
        if self.tag:
            return self.text in tags
        subject = target_of(key) if self.any_host else key
        return subject.startswith(self.text) if self.prefix else subject == self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """A purge that was asked for: it takes what is older than its ``number``.

    ``at`` is when, in seconds since the epoch: a soft purge makes things stale from then on.
    """

    number: int
    at: float
    selector: Selector


EVERYTHING = Selector(text="", prefix=True)


def target_of(key: str) -> str:
    """Return the path and query of a key."""
    return key[key.find("/") :] if "/" in key else key


def selector(url: str, *, prefix: bool = False, soft: bool = False) -> Selector:
    """Read ``http://host/path?query`` or ``/path?query`` (any host).

    Raises:
        ValueError: it is neither.
    """
    if url.startswith("/") and not url.startswith("//"):
        return Selector(text=url, prefix=prefix, soft=soft)
    match = _ABSOLUTE.fullmatch(url)
    if match is None:
        raise ValueError(f"A purge names http://HOST/PATH or /PATH, not {url!r}.")
    host, path = match.groups()
    return Selector(text=host.lower() + (path or "/"), prefix=prefix, soft=soft)
