"""One call of an AWS API as values: what was asked, and what is answered.

Every operation is one function ``Call -> Answer`` in a list that the door searches; operations
raise ``model.errors``, which the door puts on the wire. No socket, no signature, no dispatch here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

import msgspec

from dynimo.model.caller import Caller as Caller  # noqa: PLC0414 - told on from here
from dynimo.model.errors import InvalidRequestContent
from dynimo.model.names import Place
from dynimo.web.message import Request


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to one operation.

    ``place`` is the caller's account and the platform's region. ``parameters`` are the named parts
    of the path, percent-decoded; ``signed_region`` is that of the credential scope, or empty.
    """

    request: Request
    place: Place
    caller: Caller
    parameters: Mapping[str, str] = MappingProxyType({})
    signed_region: str = ""

    @property
    def query(self) -> dict[str, list[str]]:
        """The query, decoded; names without a value are kept."""
        query = self.request.query
        return parse_qs(query, keep_blank_values=True) if query else {}

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        if not self.request.query:
            return None
        values = self.query.get(name)
        return values[0] if values else None

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty one.

        Raises:
            InvalidRequestContent: it is no JSON object.
        """
        if not self.request.body:
            return {}
        try:
            value = json.loads(self.request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestContent(
                f"Could not parse request body into json: {error}"
            ) from None
        if not isinstance(value, dict):
            raise InvalidRequestContent("Could not parse request body into json: not an object")
        return value


@dataclass(slots=True, kw_only=True)
class Answer:
    """What an operation answers; the door adds the request id.

    ``document`` becomes JSON; ``body`` is sent as it is; ``pieces`` is a stream. At most one is
    given. ``status`` 0 means the operation's own.
    """

    document: Any = None
    body: bytes | None = None
    pieces: AsyncGenerator[bytes, None] | None = None
    status: int = 0
    headers: Sequence[tuple[str, str]] = ()
    content_type: str = "application/json"


Run: TypeAlias = Callable[[Call], Awaitable[Answer]]
Resource: TypeAlias = Callable[[Call], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a service.

    ``path`` is a template as in the service model (``/2015-03-31/functions/{FunctionName}/code``;
    ``{Name+}`` takes slashes too). For JSON-RPC services ``path`` is the X-Amz-Target's last part.
    ``resource`` gives the ARN that policies are asked about. ``query_flag`` is a query parameter
    that must be present with this value (``find=LayerVersion``), for paths used twice. ``action``
    is what policies name it by, if not ``SERVICE:NAME``. ``decides`` says that the operation asks
    the gatekeeper itself, not the door: the policy of what it is about has the last word.
    """

    name: str
    method: str
    path: str
    run: Run
    status: int = 200
    resource: Resource | None = None
    query_flag: tuple[str, str] | None = None
    action: str = ""
    decides: bool = False


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def decoded(text: str) -> str:
    """A part of a path, percent-decoded."""
    return unquote(text)
