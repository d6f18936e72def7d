"""What a fetch is asked for, and what it brings: the words between the cache and its fetches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynimo.edge.growing import Growing
from dynimo.edge.status import Status
from dynimo.edge.stored import Stored
from dynimo.web import message


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing to bring: the upstream request for it, its key, and what selects its variant.

    ``passing`` is the request as it came, for an answer that is passed on and not stored; None
    where ``request`` does for both. For ``patient_seconds`` after a failure a stale answer is given
    without asking again; 0 asks each time.
    """

    request: message.Request
    passing: message.Request | None = None
    key: str
    headers: Mapping[str, str]
    offers: tuple[str, ...] = ()
    cached_only: bool = False
    patient_seconds: float = 0.0
    control: Mapping[str, str] = field(default_factory=dict)

    @property
    def unstored(self) -> bool:
        """Whether the client asked that nothing be kept."""
        return "no-store" in self.control


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a fetch brought: a ``stored`` answer, else a ``response`` to pass on.

    ``shared`` says whether those who waited may have it too. ``growing`` is the body of either, if
    it is still to come.
    """

    status: Status
    stored: Stored | None = None
    response: message.Response | None = None
    shared: bool = True
    timing: str = ""
    growing: Growing | None = None
