"""One stored answer, as both tiers hold it. A value with a little arithmetic; no I/O, no policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dynimo.edge import key as keys
from dynimo.edge.status import Status
from dynimo.sdk import fallbacks
from dynimo.sdk.http import GROUP_HEADER, RANK_HEADER, SAID_HEADER
from dynimo.web import message

Said: TypeAlias = tuple[tuple[str, str], ...]
Ready: TypeAlias = tuple[int, Said, message.Prepared]
"""For which second, after which decision's words, and the answer."""

TAG_HEADERS = {"surrogate-key": None, "cache-tag": ","}
"""The headers in which an answer names its tags (surrogate keys), and what stands between them."""

CORS_PREFIX = "access-control-"
"""Headers in which an answer says which pages may read it."""

OVERHEAD_BYTES = 1600
"""What one entry costs in memory beside its body and header text (measured: about 1.5 KB)."""

GROUPED_BYTES = 450
"""And what its place in a group costs."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stored:
    """An answer and what governs its reuse. Times are seconds since the epoch.

    ``born`` is when its age was zero; ``names`` and ``values`` are the request headers that select
    it (as ``keys.selecting`` names them); ``forward`` is set on a decision: the internal target
    that answers in its place.
    ``uses`` counts hits; ``seen`` and ``credit`` are the memory tier's own notes about them, and
    ``told`` is how many the disk knows of. ``stamp`` is the number of the last purge when its fill
    began, ``cut_at`` when a soft purge took it, ``checked`` the version of the purges that it was
    last judged by (``purges``). ``group`` and ``rank`` say what it is one form of, and which. Until
    ``held_until`` a failure of its source is remembered, and nobody asks again. ``prepared`` is its
    last serialised answer: for which second, after which decision's words, and the answer. ``said``
    are a decision's words about the answer that it leads to: Vary, who may read it, and
    what it says in so many words (``http.SAID_HEADER``).
    """

    key: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    born: float
    lifetime: float
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    forward: str = ""
    cost: int = 0
    uses: int = 0
    seen: int = 0
    credit: int = 0
    told: int = 0
    held_until: float = 0.0
    stamp: int = 0
    checked: int = -1
    cut_at: float = 0.0
    tags: tuple[str, ...] = ()
    prepared: Ready | None = field(default=None, repr=False)
    touched: float = 0.0
    expires: float = 0.0
    etag: str = ""
    last_modified: str = ""
    vary: str = ""
    said: Said = ()
    forward_key: str = ""
    group: str = ""
    rank: fallbacks.Rank = ()

    def __post_init__(self) -> None:
        self.expires = self.born + self.lifetime
        self.vary = ", ".join(map(keys.bare, self.names))
        self.forward_key = keys.internal(self.forward) if self.forward else ""
        if self.forward:
            self.said = (("vary", self.vary), *words(self.headers))
        text = 0
        for name, value in self.headers:
            text += len(name) + len(value)
            if name == "etag":
                self.etag = value
            elif name == "last-modified":
                self.last_modified = value
            elif name in TAG_HEADERS:
                self.tags = merged_tags(self.tags, name, value)
            elif name == GROUP_HEADER:
                self.group = value
            elif name == RANK_HEADER:
                self.rank = fallbacks.rank(value)
        self.cost = OVERHEAD_BYTES + len(self.body) + 2 * text + len(self.key) + len(self.forward)
        if self.group:
            self.cost += GROUPED_BYTES

    @property
    def selecting(self) -> dict[str, str]:
        """Request headers that select it."""
        return dict(zip(map(keys.bare, self.names), self.values, strict=True))

    @property
    def place(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """What no two entries share."""
        return (self.key, self.names, self.values)

    def answers(self, headers: Mapping[str, str]) -> bool:
        """Say whether a request with these headers selects it."""
        for name, value in zip(self.names, self.values, strict=True):
            given = headers.get(name if "=" not in name else keys.bare(name), "")
            if given != value and keys.normal(name, given) != value:
                return False
        return True

    def cut(self, at: float) -> None:
        """Let it be stale from ``at`` on, if it would not be by then."""
        if self.expires > at:
            self.cut_at = at
            self.expires = at
            self.lifetime = at - self.born
            self.prepared = None

    def age(self, now: float) -> int:
        """Return its age in whole seconds (RFC 9111 section 5.1)."""
        return max(0, int(now - self.born))

    def ttl(self, now: float) -> int:
        """Return the whole seconds of freshness left; negative once stale."""
        return int(self.expires - now) if self.expires >= now else -int(now - self.expires) - 1

    def hit(self, now: float) -> Status:
        """Return the Cache-Status of an answer made from it alone."""
        return Status(ttl=self.ttl(now))


def words(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield what a decision says of the answer that it leads to: who may read it, its own words."""
    for name, value in headers:
        if name.startswith(CORS_PREFIX):
            yield name, value
        elif name == SAID_HEADER:
            said, _, words = value.partition("=")
            yield said, words


def merged_tags(tags: tuple[str, ...], name: str, value: str) -> tuple[str, ...]:
    """Return tags and those that one of ``TAG_HEADERS`` names, each once."""
    more = (tag.strip() for tag in value.split(TAG_HEADERS[name]))
    return tuple(dict.fromkeys([*tags, *filter(None, more)]))
