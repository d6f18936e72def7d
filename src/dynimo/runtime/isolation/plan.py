"""What a zygote shall give up, as plain values that travel as JSON. Nothing is applied here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The isolation of one zygote and of all environments that it forks.

    ``task`` and ``scratch`` are paths as seen inside. ``rules`` are (path inside, ``read`` |
    ``write`` | ``device`` | ``data`` | ``keep``) for Landlock without the scratch folder; the last
    two let files be read, and changed, but not run. With ``root`` (an empty folder on the host) a
    new root is built there from ``binds`` (host path, path inside, mode), ``links``, ``folders``
    (empty ones) and ``files``; scratch is then its own /tmp of ``scratch_mib``. ``file_mib`` bounds
    each file. ``uid`` is the user to become. ``user_namespace`` gives a user without rights the
    right to all of that, over what is his own only.

    With ``rooms`` each environment gets a root of its own below that folder, which has everything
    of the zygote's but another /tmp; ``kept`` are the binds that lie below /tmp and are seen there
    too. Without, it gets a folder of its own under ``scratch``, unless it is ``alone`` there.

    ``network_namespace`` leaves the host's network for an empty one, where ``loopback`` says
    whether the environment reaches itself. ``unix_sockets`` and ``internet_sockets`` say whether
    sockets of that kind can be made at all. ``processes_max`` bounds those of the whole user.
    """

    task: str
    scratch: str
    rules: tuple[tuple[str, str], ...] = ()
    limits: bool = False
    landlock: bool = False
    seccomp: bool = False
    capabilities: bool = False
    user_namespace: bool = False
    ipc_namespace: bool = False
    uts_namespace: bool = False
    pid_namespace: bool = False
    root: str = ""
    binds: tuple[tuple[str, str, str], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = None
    folders: tuple[str, ...] = ()
    scratch_mib: int = 512
    file_mib: int = 512
    alone: bool = False
    rooms: str = ""
    kept: tuple[str, ...] = ()
    network_namespace: bool = False
    loopback: bool = False
    unix_sockets: bool = True
    internet_sockets: bool = True
    processes_max: int | None = None


def to_json(plan: Plan) -> dict[str, Any]:
    """As JSON's own types."""
    return asdict(plan)


def from_json(value: Mapping[str, Any]) -> Plan:
    """The opposite of ``to_json``."""
    fields = dict(value)
    fields["rules"] = tuple((path, word) for path, word in fields["rules"])
    fields["binds"] = tuple((source, inside, mode) for source, inside, mode in fields["binds"])
    fields["folders"], fields["kept"] = tuple(fields["folders"]), tuple(fields["kept"])
    return Plan(**fields)
