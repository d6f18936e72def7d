"""Every limit and choice of the gateway, with its name and unit. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How requests are read, and where they may go.

    ``trusted_proxies`` are addresses and networks (``10.0.0.0/8``) of proxies that are believed
    when they say for whom they ask; nobody else is.
    """

    trusted_proxies: tuple[str, ...] = ()
