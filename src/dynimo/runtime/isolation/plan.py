"""What a zygote shall give up, as plain values that travel as JSON. Nothing is applied here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The isolation of one zygote and of all environments that it forks.

    ``task`` and ``scratch`` are paths as seen inside; each environment gets a folder of its own
    under ``scratch``. ``rules`` are (path inside, ``read`` | ``write`` | ``device``) for Landlock
    without the scratch folder. With ``root`` (an empty folder on the host) a new root is built
    there from ``binds`` (host path, path inside, mode), ``links`` and ``files``. ``uid`` is the
    user to become.
    """

    task: str
    scratch: str
    rules: tuple[tuple[str, str], ...] = ()
    limits: bool = False
    landlock: bool = False
    seccomp: bool = False
    capabilities: bool = False
    ipc_namespace: bool = False
    uts_namespace: bool = False
    pid_namespace: bool = False
    root: str = ""
    binds: tuple[tuple[str, str, str], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = None


def to_json(plan: Plan) -> dict[str, Any]:
    """As JSON's own types."""
    return asdict(plan)


def from_json(value: Mapping[str, Any]) -> Plan:
    """The opposite of ``to_json``."""
    fields = dict(value)
    fields["rules"] = tuple((path, word) for path, word in fields["rules"])
    fields["binds"] = tuple((source, inside, mode) for source, inside, mode in fields["binds"])
    return Plan(**fields)
