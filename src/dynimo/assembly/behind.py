"""What is behind the edge: the gateway, with the operator's upstreams and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dynimo import ports
from dynimo.gateway.filters import Filtered, load
from dynimo.gateway.gateway import Gateway, Invoke
from dynimo.gateway.routes import Routes
from dynimo.model.errors import ConfigError
from dynimo.model.names import Place
from dynimo.registry.apps import LIVE
from dynimo.settings import Settings
from dynimo.upstreams.config import Config
from dynimo.upstreams.origin import Origin
from dynimo.upstreams.policy import Policy
from dynimo.upstreams.upstream import Upstream
from dynimo.web.message import Handler

SERVERS_MAX = 256
"""Servers of one upstream."""


class Behind(NamedTuple):
    """Who answers what no cache answers, and the upstreams that it asks, by name."""

    handler: Handler
    origins: dict[str, Origin]


def behind_edge(settings: Settings, routes: Routes, invoke: Invoke, clock: ports.Clock) -> Behind:
    """Make it; nothing is connected yet.

    Raises:
        ConfigError: an upstream or the file of filters cannot be used.
    """
    config = settings.gateway
    place = Place(settings.identity.account, settings.identity.region)
    named = origins(config.upstreams, settings.upstreams, settings.origins, clock)
    handler: Handler = Gateway(routes, invoke, clock, place=place, qualifier=LIVE, origins=named)
    if config.filters:
        filters = load(Path(config.filters))
        handler = Filtered(handler, filters, seconds=config.filter_seconds)
    return Behind(handler, named)


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
