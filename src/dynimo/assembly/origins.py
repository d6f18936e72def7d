"""The upstreams that the operator names: each an origin, with a client for each of its servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynimo import ports
from dynimo.model.errors import ConfigError
from dynimo.upstreams.config import Config
from dynimo.upstreams.origin import Origin
from dynimo.upstreams.policy import Policy
from dynimo.upstreams.upstream import Upstream

SERVERS_MAX = 256
"""Servers of one upstream."""


def origins(
    named: Mapping[str, Sequence[str]], config: Config, policy: Policy, clock: ports.Clock
) -> dict[str, Origin]:
    """Make them; nothing is connected yet. ``config`` holds for each server by itself.

    Raises:
        ConfigError: an address is none, or an upstream has no server or too many.
    """
    return {
        name: Origin(name, _clients(name, urls, config), policy, clock)
        for name, urls in named.items()
    }


def _clients(name: str, urls: Sequence[str], config: Config) -> list[tuple[str, Upstream]]:
    where = f"gateway.upstreams.{name}"
    if not 1 <= len(urls) <= SERVERS_MAX or len(set(urls)) != len(urls):
        raise ConfigError(f"{where} must list 1 to {SERVERS_MAX} servers, each once.")
    try:
        return [(url.partition("://")[2], Upstream(url, config)) for url in urls]
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
