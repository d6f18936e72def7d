"""From a function's network switch to what holds it on this host. Pure.

``none``: nothing is reached, not even itself. ``loopback``: itself alone; every version has a
loopback of its own, so neither the host's servers nor other functions are there. ``internet``: the
host's network.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynimo.backends.sandboxes.config import Measures
from dynimo.model import errors
from dynimo.runtime import handler

NAMESPACE, FILTER = "network namespace", "seccomp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking:
    """``namespace``: leave the host's network. ``sockets``: whether any can be made."""

    namespace: bool = False
    loopback: bool = False
    sockets: bool = True


def decide(switch: str, measures: Measures, *, executes: bool) -> Networking:
    """How to hold ``switch``. Programs that are executed need their loopback in any case.

    Raises:
        errors.InitError: nothing on this host can hold it, and less than what was asked for would
            be a silent hole.
    """
    if switch == "internet":
        return Networking()
    if NAMESPACE in measures:
        return Networking(namespace=True, loopback=executes or switch == "loopback")
    if switch == "none" and FILTER in measures and not executes:
        return Networking(sockets=False)
    text = (
        f"The network switch '{switch}' cannot be held on this host"
        f" (network namespace: {measures.found.get(NAMESPACE)});"
        " run Dynimo as root, or set the function's network to 'internet'"
    )
    raise errors.InitError(text, handler.failure("Runtime.SandboxError", text))
