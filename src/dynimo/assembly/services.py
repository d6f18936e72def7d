"""The operations behind the door: each service of AWS's that is spoken here, and who does its work.

A list and the threads from each operation to the part that it needs; no operation's own work.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from dynimo.api.aws.calls import Call, Operation
from dynimo.api.aws.lambda_code import Uploads
from dynimo.api.aws.lambda_concurrency import Concurrency
from dynimo.api.aws.lambda_functions import Functions
from dynimo.api.aws.lambda_invoke import Invoking
from dynimo.api.aws.lambda_layers import LayerOperations
from dynimo.api.aws.lambda_misc import Misc
from dynimo.api.aws.lambda_permissions import Permissions
from dynimo.api.aws.lambda_tags import Tags
from dynimo.api.aws.lambda_versions import Versions
from dynimo.api.aws.preparing import Preparing
from dynimo.api.downloads import code_location
from dynimo.assembly.limits import ConcurrencyLimits
from dynimo.functions.invoker import Invoker
from dynimo.model.invocation import Invocation
from dynimo.registry import buckets
from dynimo.registry.records import Code
from dynimo.registry.registry import Registry
from dynimo.settings import Settings


class _Part(Protocol):
    def operations(self) -> list[Operation]: ...


class LambdaService:
    """The operations of AWS Lambda, over this platform's parts."""

    def __init__(
        self, settings: Settings, registry: Registry, invoker: Invoker, *, key: str
    ) -> None:
        self.limits = ConcurrencyLimits(registry, invoker)
        self.preparing = Preparing(registry, invoker.prepare, invoker.retire, self.limits.changed)
        config, limits = settings.registry, settings.functions
        fetch = partial(buckets.fetch, config.buckets, bytes_max=config.zip_bytes_max)
        uploads = Uploads(registry.contents, fetch, config)

        def location(call: Call, code: Code) -> str:
            base = f"http://{call.request.headers.get('host')}"
            return code_location(base, code.sha256, key.encode())

        self._parts: list[_Part] = [
            Functions(registry, uploads, self.preparing, runtimes=_runtimes, location=location),
            Versions(registry, self.preparing),
            LayerOperations(registry, uploads, location),
            Tags(registry, self.preparing),
            Misc(registry),
            Permissions(registry),
            Concurrency(
                registry,
                self.limits.changed,
                self.limits.state,
                total=limits.concurrency_max,
                unreserved_min=limits.unreserved_min,
            ),
            Invoking(
                invoker.invoke,
                _accept,
                registry.resolve,
                request_bytes_max=limits.request_bytes_max,
                event_bytes_max=limits.request_bytes_max,
            ),
        ]

    def operations(self) -> Sequence[Operation]:
        """All of them."""
        return [operation for part in self._parts for operation in part.operations()]

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self.preparing.close()
        await self.limits.close()


def _runtimes() -> list[str]:
    return [f"python3.{sys.version_info.minor}"]


async def _accept(invocation: Invocation) -> None:
    raise NotImplementedError(invocation.id)
