"""What functions get of the server because whoever started it chose their app.

Variables of the server's own, a state, a role. Who may upload an app may run code, but has none of
these; nor has a version whose code or configuration is not what the chosen app declares.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynimo import ports
from dynimo.identity import app_roles
from dynimo.model.errors import InitError
from dynimo.model.function import Configuration, Version
from dynimo.sdk import app as sdk_app

log = logging.getLogger("dynimo")

StateOf = Callable[[str], Path]
"""The folder of an app's state, by the app's name. Raises OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """One that was chosen, and how its version is configured."""

    app: str
    short: str
    declared: sdk_app.Function
    configuration: Configuration


class Chosen:
    """The functions of the apps that come with the platform, or were named when it started.

    ``environment`` is the server's, as it was then; without ``state_of`` there are no states.
    """

    def __init__(self, environment: Mapping[str, str], state_of: StateOf | None = None) -> None:
        self._environment = dict(environment)
        self._state_of = state_of
        self._functions: dict[tuple[str, str], _Function] = {}

    def add(self, app: sdk_app.App, version: Version) -> None:
        """Trust a version of an app that was chosen."""
        short = version.function.removeprefix(f"{app.name}-")
        self._functions[version.function_arn, version.sha256] = _Function(
            app=app.name, short=short, declared=app.functions[short],
            configuration=version.configuration,
        )  # fmt: skip

    def inherited(self, version: Version) -> dict[str, str]:
        """The server's own variables that it asks for."""
        found = self._find(version)
        wanted = found.declared.inherit if found is not None else ()
        have = self._environment
        return {name: have[name] for name in wanted if name in have}

    def state(self, version: Version) -> ports.State | None:
        """Its app's state, if it asks for it.

        Raises:
            InitError: it cannot be used; without it the function must not run.
        """
        found = self._find(version)
        if found is None or not found.declared.state or self._state_of is None:
            return None
        try:
            folder = self._state_of(found.app)
        except OSError as error:
            raise InitError(
                f"{version}: the state of the app {found.app!r} cannot be used: {error}"
            ) from error
        return ports.State(folder=folder, writable=found.declared.state == "write")

    def role(self, version: Version) -> str:
        """The name of the role that it has, or nothing."""
        found = self._find(version)
        if found is None or not found.declared.permissions:
            return ""
        return app_roles.name(found.app, found.short)

    def roles(self) -> dict[str, str]:
        """Every role that is declared, by name: what it may do, as a policy."""
        newest = {(each.app, each.short): each.declared for each in self._functions.values()}
        return {
            app_roles.name(*names): _policy(declared.permissions)
            for names, declared in newest.items()
            if declared.permissions
        }

    def warn(self, version: Version, wanted: sdk_app.Function | None) -> None:
        """Say that a version which was not chosen asks for what it does not get."""
        asks = wanted is not None and (wanted.inherit or wanted.state or wanted.permissions)
        if asks and self._find(version) is None:
            log.warning(
                "%s: it was not there when the server started, so it gets no variables of the"
                " server's, no state and no permissions",
                version,
            )

    def _find(self, version: Version) -> _Function | None:
        """What was chosen, if this is that: another handler or variable would run other code."""
        found = self._functions.get((version.function_arn, version.sha256))
        same = found is not None and found.configuration == version.configuration
        return found if same else None


def _policy(permissions: tuple[sdk_app.Permission, ...]) -> str:
    statements = [
        {"Effect": "Allow", "Action": list(each.actions), "Resource": list(each.resources)}
        for each in permissions
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
