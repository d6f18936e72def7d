"""From a specification and the measures that hold to a zygote's plan: what it will see of the host.

Decides paths only; nothing is mounted or opened. Looks at which folders exist.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from dynimo import ports
from dynimo.backends.sandboxes import networks
from dynimo.backends.sandboxes.config import Measures
from dynimo.runtime import tracebacks
from dynimo.runtime.isolation import rlimits
from dynimo.runtime.isolation.plan import Plan

SCRATCH_INSIDE = "/tmp"  # noqa: S108 - the function's own
LAYERS_INSIDE = "/opt"
ROOMS_INSIDE = "/var/rooms"
STATE_INSIDE = "/var/state"
STATE_FILE_MIB_MAX = 64 * 1024
"""Of one file of a function that may change its app's state; its /tmp has a limit of its own."""

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_ETC = (
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/fonts",
    "/etc/alternatives",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PROC = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys",
)
_PROCESSORS = "/sys/devices/system/cpu"
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
PLATFORM_PACKAGE = Path(__file__).resolve().parents[2]
"""The folder of the ``dynimo`` package."""


def make(
    spec: ports.SandboxSpec,
    measures: Measures,
    *,
    scratch: Path,
    root: Path,
    uid: int,
    executes: bool = False,
) -> Plan:
    """The plan for a zygote of ``spec``.

    ``scratch`` is the host folder of this zygote's environments where they have no /tmp of their
    own, ``root`` an empty one to mount on. ``executes`` says that its environments are programs,
    which reach the Runtime API through the loopback.
    """
    code = str(spec.code.resolve())
    new_root = "mount namespace" in measures
    task = tracebacks.TASK_ROOT if new_root else code
    inside = SCRATCH_INSIDE if new_root else str(scratch.resolve())
    folders = _covering([*_code_folders(spec), *map(str, spec.readable)])
    binds = _binds(spec, folders, code, task) if new_root else []
    rules = _rules(folders, task, new_root=new_root)
    if new_root or spec.layers is not None:
        rules.append((LAYERS_INSIDE if new_root else str(spec.layers), "read"))
    if spec.state is not None:
        rules.append((state_inside(spec.state, measures), _word(spec.state)))
    networking = networks.decide(spec.network, measures, executes=executes)
    return Plan(
        task=task,
        scratch=inside,
        rules=tuple(rules),
        limits="resource limits" in measures,
        landlock="landlock" in measures,
        seccomp="seccomp" in measures,
        capabilities="capabilities dropped" in measures,
        user_namespace="user namespace" in measures,
        ipc_namespace="ipc namespace" in measures,
        uts_namespace="uts namespace" in measures,
        pid_namespace="pid namespace" in measures,
        root=str(root.resolve()) if new_root else "",
        binds=tuple(binds),
        links=_links() if new_root else {},
        files=_files(uid if "own user" in measures else os.geteuid()) if new_root else {},
        uid=uid if "own user" in measures else None,
        folders=(LAYERS_INSIDE,) if new_root else (),
        scratch_mib=spec.ephemeral_mib,
        file_mib=_file_mib(spec),
        rooms=ROOMS_INSIDE if "private /tmp" in measures else "",
        kept=tuple(path for _, path, _ in binds if _below(path, (SCRATCH_INSIDE,))),
        network_namespace=networking.namespace,
        loopback=networking.loopback,
        internet_sockets=networking.sockets,
        unix_sockets=new_root,
        processes_max=None if "cgroup process limit" in measures else rlimits.PROCESSES_MAX,
    )


def state_inside(state: ports.State, measures: Measures) -> str:
    """Where a function sees its app's state."""
    return STATE_INSIDE if "mount namespace" in measures else str(state.folder)


def _word(state: ports.State) -> str:
    """What is kept is data: nothing of it is ever a program."""
    return "keep" if state.writable else "data"


def _file_mib(spec: ports.SandboxSpec) -> int:
    writable = spec.state is not None and spec.state.writable
    return max(spec.ephemeral_mib, STATE_FILE_MIB_MAX if writable else 0)


def _binds(
    spec: ports.SandboxSpec, folders: list[str], code: str, task: str
) -> list[tuple[str, str, str]]:
    """What of the host is seen in a root of its own: (path there, path inside, mode)."""
    binds = _layers(spec.layers, folders)
    binds += [(os.path.realpath(path), path, "read") for path in folders]
    binds += [(device, device, "device") for device in _DEVICES if Path(device).exists()]
    binds += [(code, task, "read")]
    if spec.state is not None:
        binds.append((str(spec.state.folder), STATE_INSIDE, _word(spec.state)))
    return binds


def _layers(layers: Path | None, folders: list[str]) -> list[tuple[str, str, str]]:
    """The merged layers at /opt: as one, or one by one when something of the host must live there.

    Nothing can be mounted inside a folder that is not ours.
    """
    if layers is None:
        return []
    whole = str(layers.resolve())
    if not any(_below(path, (LAYERS_INSIDE,)) for path in folders):
        return [(whole, LAYERS_INSIDE, "read")]
    return [
        (str(entry), f"{LAYERS_INSIDE}/{entry.name}", "read")
        for entry in sorted(Path(whole).iterdir())
    ]


def python_path(spec: ports.SandboxSpec, task: str) -> tuple[str, ...]:
    """sys.path of the zygote: the code, the standard library, packages only if it names any."""
    packages = _package_folders()
    library = [
        path
        for path in sys.path
        if path and path not in packages and _below(path, (sys.base_prefix, sys.base_exec_prefix))
    ]
    return (task, *library, *(packages if spec.packages else ()))


def _code_folders(spec: ports.SandboxSpec) -> list[str]:
    """Everything outside its own code that a handler may import or load."""
    system = [path for path in (*_SYSTEM, *_ETC) if Path(path).exists()]
    system = [path for path in system if not _is_system_link(path)]
    interpreter = [sys.base_prefix, sys.base_exec_prefix, str(PLATFORM_PACKAGE)]
    packages = _package_folders() if spec.packages else []
    return [*system, *interpreter, *packages]


def _package_folders() -> list[str]:
    return [
        path for path in sys.path if Path(path).name in _PACKAGE_FOLDERS and Path(path).is_dir()
    ]


def _rules(folders: list[str], task: str, *, new_root: bool) -> list[tuple[str, str]]:
    """What Landlock lets it see: a new root holds nothing else, so there its /proc is whole."""
    rules = [(path, "read") for path in folders] + [(task, "read")]
    rules += [(device, "device") for device in _DEVICES]
    if new_root:
        return [*rules, ("/proc", "read"), *((path, "read") for path in _files(0))]
    links = [path for path in _SYSTEM if _is_system_link(path)]
    extra = [*links, *_PROC, _PROCESSORS, "/etc/passwd", "/etc/group"]
    return [*rules, *((path, "read") for path in extra)]


def _is_system_link(path: str) -> bool:
    return path in _SYSTEM and Path(path).is_symlink()


def _links() -> dict[str, str]:
    """Merged /usr: /bin, /lib and the like are links there, and here."""
    return {path: str(Path(path).readlink()) for path in _SYSTEM if _is_system_link(path)}


def _files(uid: int) -> dict[str, str]:
    return {
        "/etc/passwd": f"root:x:0:0:root:/:/bin/false\nsandbox:x:{uid}:{uid}::/:/bin/false\n",
        "/etc/group": f"root:x:0:\nsandbox:x:{uid}:\n",
    }


def _covering(paths: Iterable[str]) -> list[str]:
    """``paths`` that exist, parents first, without those that lie inside another."""
    kept: list[str] = []
    for path in sorted(
        {
            os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
            for path in paths
        }
    ):
        if Path(path).exists() and not _below(path, kept):
            kept.append(path)
    return kept


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
