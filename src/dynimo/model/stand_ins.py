"""What is given when nothing else can be: bodies of one media type, by their rank. A value."""

from __future__ import annotations

from dataclasses import dataclass

from dynimo.sdk.fallbacks import Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIns:
    """The bodies that a route's app brought for it; ``bodies`` is not empty.

    ``size`` names the query parameters that hold a request's own rank; ``by_path`` says that all
    answers of one path are of one group.
    """

    content_type: str
    size: tuple[str, ...]
    bodies: tuple[tuple[Rank, bytes], ...]
    by_path: bool = False
