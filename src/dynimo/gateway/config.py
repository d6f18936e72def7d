"""Every limit and choice of the gateway, with its name and unit. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How requests are read, and where they may go.

    ``trusted_proxies`` are addresses and networks (``10.0.0.0/8``) of proxies that are believed
    when they say for whom they ask; nobody else is. ``upstreams`` are the servers that routes may
    lead to, by name: ``shop = ["http://10.0.0.5:8080", "http://10.0.0.6:8080"]``. ``filters`` is a
    Python file of the operator's, whose functions run around every request that no cache answers;
    each has ``filter_seconds``.
    """

    trusted_proxies: tuple[str, ...] = ()
    upstreams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filters: str = ""
    filter_seconds: float = 5.0
