"""What every dialect is given and gives: the seam between the handler and the URL languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import deployment as deployments
import limits as limit_names
import recipe as recipes
import rules
from dynimo.sdk import http


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. ``path`` is what follows the dialect's prefix, still percent-encoded."""

    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What dialects may know beside the request. ``now`` gives epoch seconds.

    ``environment`` holds the server's own variables that app.toml names (`inherit`), and
    ``development`` says that the server listens on loopback only. Dialects may
    ask ``rules`` what a URL is allowed; what else the rules say is done afterwards.
    """

    deployment: deployments.Deployment
    engine: str
    rules: rules.Finder
    sources: Mapping[str, str]
    now: Callable[[], float]
    environment: Mapping[str, str] = field(default_factory=dict)
    development: bool = False

    @property
    def unsigned(self) -> bool:
        """Whether a dialect that has no key takes URLs without a signature."""
        chosen = self.deployment.unsigned
        return self.development if chosen is None else chosen

    @property
    def limits(self) -> limit_names.Limits:
        """The deployment's limits."""
        return self.deployment.limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The recipe that a request means; ``vary`` names the request headers that it depended on.

    ``apart`` says of some of them that only so much mattered (`http.forward`).
    ``until`` is the epoch second at which the URL stops being good, if it does. ``said`` are
    headers of this URL's answer, whoever else shares the picture. A ``personal`` one
    hangs on who asks, and is not kept. ``fallback`` is what to show if the recipe's file cannot be
    had. ``tags`` are for purges; ``because`` names the rules, for people.
    """

    recipe: recipes.Recipe
    vary: tuple[str, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)
    until: float | None = None
    said: tuple[tuple[str, str], ...] = ()
    personal: bool = False
    fallback: recipes.Recipe | None = None
    tags: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


class Dialect(Protocol):
    """A module with this function is a dialect."""

    def decide(self, asked: Asked, world: World) -> Decision | http.Reply:
        """Say which picture is meant, or answer at once (a redirect, say).

        Raises:
            Refusal: with the status that clients of this dialect expect.
        """
