"""The operator's own functions around every request that reaches the gateway.

Each is a plain ``async def`` of a file that the operator names, which runs in this process: it is
trusted, as the settings are. Its failures are not: one that raises, answers nonsense or takes too
long is a 500, and the request goes no further, for it may have been there to refuse it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dynimo.gateway import shaping
from dynimo.model.errors import ConfigError
from dynimo.sdk.http import FORWARD_HEADER
from dynimo.web.message import Handler, Request, Response

log = logging.getLogger("dynimo.gateway")

INBOUND, ENDPOINT, OUTBOUND = "inbound", "endpoint", "outbound"

Filter: TypeAlias = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of one file, each kind in the order in which they stand there."""

    inbound: tuple[Filter, ...] = ()
    endpoint: tuple[Filter, ...] = ()
    outbound: tuple[Filter, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(each.__name__ for each in (*self.inbound, *self.endpoint, *self.outbound))


def load(file: Path) -> Filters:
    """Import a file; its functions called ``inbound…``, ``endpoint…``, ``outbound…`` are filters.

    Raises:
        ConfigError: it cannot be imported, has no filter, or one of another shape.
    """
    spec = importlib.util.spec_from_file_location(f"dynimo_filters_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"gateway.filters: {file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f"gateway.filters: {file}: {why}.") from error
    kinds = {INBOUND: 1, ENDPOINT: 1, OUTBOUND: 2}
    found: dict[str, list[Filter]] = {kind: [] for kind in kinds}
    for name, value in vars(module).items():
        kind = name.partition("_")[0]
        if kind in kinds and inspect.isfunction(value):
            takes = len(inspect.signature(value).parameters)
            if not inspect.iscoroutinefunction(value) or takes != kinds[kind]:
                wanted = "(request, response)" if kinds[kind] == 2 else "(request)"
                raise ConfigError(f"gateway.filters: {file}: {name} must be async def{wanted}.")
            found[kind].append(value)
    if not any(found.values()):
        raise ConfigError(
            f"gateway.filters: {file} has no async def inbound(request), endpoint(request)"
            " or outbound(request, response)."
        )
    return Filters(**{kind: tuple(each) for kind, each in found.items()})


class _Failed(Exception):
    """A filter failed; it is logged."""


class Filtered:
    """A Handler with filters around it; ``seconds`` is the time that each filter has."""

    def __init__(self, following: Handler, filters: Filters, *, seconds: float) -> None:
        self._following = following
        self._filters = filters
        self._seconds = seconds

    async def __call__(self, request: Request) -> Response:
        """Answer one request; what the edge asks by itself passes the outbound ones only."""
        try:
            answered = None if request.internal else await self._before(request)
            if isinstance(answered, Request):
                request, answered = answered, None
            response = answered or await self._following(request)
            if FORWARD_HEADER in response.headers:
                return response
            return await self._after(request, response)
        except _Failed:
            return shaping.problem(500, "filter_failed", "A filter of the gateway failed.")

    async def _before(self, request: Request) -> Request | Response | None:
        """A response if one answers; else the request, if one has put another in its place."""
        for each in self._filters.inbound:
            said = await self._run(each, (Request, Response), request)
            if isinstance(said, Response):
                return said
            request = said or request
        for each in self._filters.endpoint:
            said = await self._run(each, (Response,), request)
            if said is not None:
                return said  # type: ignore[no-any-return]  # checked
        return request

    async def _after(self, request: Request, response: Response) -> Response:
        for each in self._filters.outbound:
            response = await self._run(each, (Response,), request, response) or response
        return response

    async def _run(self, function: Filter, kinds: tuple[type, ...], *given: object) -> Any:
        """What a filter says: None, or one of these kinds. Raises _Failed."""
        try:
            async with asyncio.timeout(self._seconds):
                said = await function(*given)
        except Exception as error:
            late = "took too long" if isinstance(error, TimeoutError) else "failed"
            log.exception("The filter %s %s", function.__name__, late)
            raise _Failed from error
        if said is not None and not isinstance(said, kinds):
            log.error("The filter %s returned %s", function.__name__, type(said).__name__)
            raise _Failed
        return said
