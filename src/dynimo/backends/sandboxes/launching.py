"""From a function's runtime to what its zygote is: which Python it is, and what it executes. Pure.

Python functions are imported by a zygote of their own Python and forked (the fast path). Everything
else, and a Python function with a wrapper script, is a program that the zygote's environments
execute. The zygote itself is always a Python.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from dynimo import ports
from dynimo.backends import interpreters
from dynimo.backends.interpreters import Interpreter, Interpreters
from dynimo.backends.sandboxes import plans
from dynimo.model import errors
from dynimo.runtime import handler
from dynimo.runtime.executed.command import Command

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
BOOTSTRAP = "bootstrap"
NODE_HEAP_SHARE = 0.85
"""How much of a function's memory Node may use for its heap, so that it collects before the limit
kills it."""

_PYTHON_LOOP = (
    "import sys, types; dynimo = sys.modules['dynimo'] = types.ModuleType('dynimo');"
    " dynimo.__path__ = [sys.argv[1]]; from dynimo.runtime.executed import python_loop;"
    " python_loop.main(sys.argv[2:])"
)
"""The package is named by its own folder, because a sandbox does not let its parent be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a version is brought to life.

    ``python`` runs the zygote. ``layered`` are the folders of layers on sys.path, ``library`` what
    comes after them, None for what the platform's own Python has. ``readable`` are folders that
    programs need; ``command`` is what is executed, None for the fast path.
    """

    python: str = sys.executable
    layered: tuple[str, ...] = ()
    library: tuple[str, ...] | None = None
    readable: tuple[str, ...] = ()
    command: Command | None = None


def launch(spec: ports.SandboxSpec, present: Interpreters, *, task: str, layers: str) -> Launch:
    """How to start ``spec``, whose code is seen at ``task`` and its layers at ``layers``.

    Raises:
        errors.InitError: nothing on this host runs its runtime.
    """
    runtime = spec.runtime
    wrapper = spec.variables.get(WRAPPER, "") if runtime else ""
    if runtime in interpreters.PROVIDED:
        # AWS runs no wrapper script for these: bootstrap is the function's own.
        return Launch(command=_provided(spec, task, layers))
    layered = _layered(runtime, layers) if runtime.startswith("python") else ()
    if not wrapper and runtime in ("", interpreters.OWN):
        return Launch(layered=layered)
    found = present.find(runtime)
    if found is None:
        text = f"The runtime {runtime} is not available on this host"
        raise errors.InitError(text, handler.failure("Runtime.InvalidRuntime", text))
    if runtime.startswith("nodejs"):
        return Launch(readable=found.prefixes, command=_node(spec, found, wrapper))
    if wrapper:
        command = _wrapped(spec, found, wrapper, layered)
        return Launch(readable=found.prefixes, command=command)
    return Launch(
        python=found.executable,
        layered=layered,
        library=found.library,
        readable=found.prefixes,
    )


def _provided(spec: ports.SandboxSpec, task: str, layers: str) -> Command:
    return Command(
        candidates=(f"{task}/{BOOTSTRAP}", f"{layers}/{BOOTSTRAP}"),
        init_seconds=spec.init_timeout_seconds,
    )


def _node(spec: ports.SandboxSpec, found: Interpreter, wrapper: str) -> Command:
    script = str(plans.PLATFORM_PACKAGE / "runtime" / "node" / "bootstrap.mjs")
    heap = f"--max-old-space-size={max(32, int(spec.memory_mib * NODE_HEAP_SHARE))}"
    node = (found.executable, "--max-http-header-size=81920", heap, script)
    return Command(
        argv=(wrapper, *node) if wrapper else node,
        execution_env=f"AWS_Lambda_{spec.runtime}",
        init_seconds=spec.init_timeout_seconds,
    )


def _wrapped(
    spec: ports.SandboxSpec, found: Interpreter, wrapper: str, layered: tuple[str, ...]
) -> Command:
    package = str(plans.PLATFORM_PACKAGE)
    return Command(
        argv=(wrapper, found.executable, "-u", "-c", _PYTHON_LOOP, package, *layered),
        execution_env=f"AWS_Lambda_{spec.runtime}",
        init_seconds=spec.init_timeout_seconds,
    )


def _layered(runtime: str, layers: str) -> tuple[str, ...]:
    """Where a layer puts Python packages (Lambda developer guide, layer paths)."""
    return f"{layers}/python/lib/{runtime}/site-packages", f"{layers}/python"
