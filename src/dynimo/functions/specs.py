"""From a version to what the sandbox and the pool must know of it. Pure; defaults are decided here.

Functions of apps run on the platform's own interpreter and share the cores; functions made through
the API have the account's limit, as on AWS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynimo import ports
from dynimo.functions.config import Config
from dynimo.functions.pool import Limits
from dynimo.functions.variables import variables
from dynimo.model.function import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What one deployment adds to a version: variables, paths that it may read, its app's state."""

    own: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    readable: tuple[Path, ...] = ()
    state: ports.State | None = None


def of_app(version: Version) -> bool:
    """Whether an app's folder made it; such a version names no runtime."""
    return not version.configuration.runtime


def sandbox_spec(
    version: Version, deployment: Deployment, config: Config, *, provisioned: bool = False
) -> ports.SandboxSpec:
    """What the sandbox must know."""
    declared = version.configuration
    return ports.SandboxSpec(
        function=version.function,
        version=version.label,
        code=version.code,
        handler=declared.handler,
        memory_mib=declared.memory_mib,
        concurrency=declared.concurrency,
        packages=_packages(version, config),
        readable=deployment.readable,
        variables=variables(version, deployment.own, provisioned=provisioned),
        init_timeout_seconds=config.init_timeout_seconds,
        runtime=declared.runtime,
        layers=version.layers,
        network=declared.network,
        ephemeral_mib=declared.ephemeral_mib,
        state=deployment.state,
    )


def _packages(version: Version, config: Config) -> tuple[str, ...]:
    """An app names what it needs; a Python function made through the API has what all have."""
    declared = version.configuration
    offered = config.packages if declared.runtime.startswith("python") else ()
    return declared.packages or offered


def pool_limits(version: Version, config: Config, *, provisioned: int = 0) -> Limits:
    """What its pool may do; ``provisioned`` environments are kept ready."""
    declared = version.configuration
    most = (os.cpu_count() or 1) if of_app(version) else config.concurrency_max
    return Limits(
        environments=max(declared.limit or most, provisioned),
        concurrency=declared.concurrency,
        reserve=max(declared.reserve, provisioned),
        idle_seconds=declared.idle_seconds,
        queue=config.queue_max,
        queue_seconds=config.queue_seconds,
        burst=config.burst,
        burst_per_second=config.burst_per_second,
    )
