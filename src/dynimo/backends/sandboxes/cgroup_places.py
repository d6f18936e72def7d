"""Reading what the kernel says of control groups. Pure text in, values out."""

from __future__ import annotations

from collections.abc import Mapping

CONTROLLERS = ("memory", "pids")


def find(mountinfo: str, membership: str) -> tuple[int, Mapping[str, str]]:
    """Which version carries our controllers, and this process's own folder in each.

    ``mountinfo`` and ``membership`` are the texts of /proc/self/mountinfo and /proc/self/cgroup.
    A controller that is nowhere is left out. Version 1 wins where it has any of them.
    """
    legacy, unified = _mounts(mountinfo)
    own = _own(membership)
    places = {
        controller: _join(legacy[controller], own.get(controller, "/"))
        for controller in CONTROLLERS
        if controller in legacy
    }
    if places:
        return 1, places
    if unified is None:
        return 2, {}
    folder = _join(unified, own.get("", "/"))
    return 2, dict.fromkeys(CONTROLLERS, folder)


def legacy(mountinfo: str, membership: str, controller: str) -> str | None:
    """Give the folder of this process in a controller's hierarchy of version 1, if there is one."""
    places, _ = _mounts(mountinfo, (controller,))
    if controller not in places:
        return None
    return _join(places[controller], _own(membership).get(controller, "/"))


def oom_kills(text: str) -> int:
    """The ``oom_kill`` counter of memory.events (version 2) or memory.oom_control (version 1)."""
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdigit():
            return int(number)
    return 0


def _mounts(
    mountinfo: str, controllers: tuple[str, ...] = CONTROLLERS
) -> tuple[dict[str, tuple[str, str]], tuple[str, str] | None]:
    """Controller → (mount point, its root inside the hierarchy), and the same of version 2."""
    legacy: dict[str, tuple[str, str]] = {}
    unified: tuple[str, str] | None = None
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        if not dash:
            continue
        fields, (kind, _, options) = left.split(" "), right.split(" ", 2)
        place = fields[4].replace("\\040", " "), fields[3]
        if kind == "cgroup2":
            unified = place
        elif kind == "cgroup":
            for option in options.split(","):
                if option in controllers:
                    legacy[option] = place
    return legacy, unified


def _own(membership: str) -> dict[str, str]:
    """Controller → path in its hierarchy; ``""`` is version 2."""
    own: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    return own


def _join(place: tuple[str, str], path: str) -> str:
    mount, root = place
    if root != "/" and path.startswith(root):
        path = path[len(root) :]
    if path.startswith("/.."):
        path = "/"
    return (mount + "/" + path.strip("/")).rstrip("/")
