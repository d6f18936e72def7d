"""The operations behind the door: each service of AWS's that is spoken here, and who does its work.

A list and the threads from each operation to the part that it needs; no operation's own work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from dynimo.api.aws.lambda_streaming import Streaming
from dynimo.api.aws.lambda_tags import Tags
from dynimo.api.aws.lambda_urls import FunctionUrls, UrlTable
from dynimo.api.aws.lambda_versions import Versions
from dynimo.api.aws.preparing import Preparing
from dynimo.api.downloads import code_location
from dynimo.api.function_urls import address
from dynimo.assembly.asynchronous import Asynchronous
from dynimo.assembly.limits import ConcurrencyLimits
from dynimo.functions.invoker import Invoker
from dynimo.registry import buckets
from dynimo.registry.records import Code
from dynimo.registry.registry import Registry
from dynimo.settings import Settings


class _Part(Protocol):
    def operations(self) -> list[Operation]: ...


class LambdaService:
    """The operations of AWS Lambda, over this platform's parts."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        invoker: Invoker,
        later: Asynchronous,
        *,
        runtimes: Collection[str],
        key: str,
    ) -> None:
        self.limits = ConcurrencyLimits(registry, invoker)
        self.preparing = Preparing(registry, invoker.prepare, invoker.retire, self.limits.changed)
        self.urls = UrlTable(registry.documents)
        self._settings = settings
        self._registry = registry
        self._parts = [
            *self._about_code(runtimes, key.encode()),
            *self._about_functions(later),
            *self._about_running(invoker, later),
            later,
        ]

    def _about_code(self, runtimes: Collection[str], key: bytes) -> list[_Part]:
        registry, config = self._registry, self._settings.registry
        fetch = partial(buckets.fetch, config.buckets, bytes_max=config.zip_bytes_max)
        uploads = Uploads(registry.contents, fetch, config)

        def location(call: Call, code: Code) -> str:
            return code_location(f"http://{_host(call)}", code.sha256, key)

        return [
            Functions(registry, uploads, self.preparing, runtimes=runtimes, location=location),
            Versions(registry, self.preparing),
            LayerOperations(registry, uploads, location),
        ]

    def _about_functions(self, later: Asynchronous) -> list[_Part]:
        registry, limits = self._registry, self._settings.functions

        def url(url_id: str, call: Call) -> str:
            region = call.place.region
            return address(url_id, host=_host(call), region=region, domain=limits.url_domain)

        return [
            Tags(registry, self.preparing, later.mappings.exists),
            Misc(registry),
            Permissions(registry),
            FunctionUrls(registry, self.urls, url),
            Concurrency(
                registry,
                self.limits.changed,
                self.limits.state,
                total=limits.concurrency_max,
                unreserved_min=limits.unreserved_min,
            ),
        ]

    def _about_running(self, invoker: Invoker, later: Asynchronous) -> list[_Part]:
        limits = self._settings.functions
        invoking = Invoking(
            invoker.invoke,
            later.backlog.accept,
            self._registry.resolve,
            request_bytes_max=limits.request_bytes_max,
            event_bytes_max=self._settings.backlog.event_bytes_max,
        )
        return [invoking, Streaming(invoking, invoker.invoke)]

    def operations(self) -> Sequence[Operation]:
        """All of them."""
        return [operation for part in self._parts for operation in part.operations()]

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self.preparing.close()
        await self.limits.close()


def _host(call: Call) -> str:
    """How the caller reached the platform."""
    return call.request.headers.get("host")
