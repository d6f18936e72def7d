"""What a front process and the core say to each other: values, and their bytes. No sockets.

A front speaks HTTP and proves signatures; the core decides and runs. Both are Dynimo's own and
trust each other; they are made of the same version, so the form may change with any of them.
A frame is ``!I`` (bytes that follow) and a MessagePack array.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from dynimo.model.caller import Caller, Proof
from dynimo.web.message import Headers, Request

FRAME_BYTES_SPARE = 1024 * 1024
"""What a frame may have beyond the largest body."""
PIECE_BYTES_MAX = 64 * 1024
"""Of a streamed answer; larger pieces are cut."""

Pairs: TypeAlias = list[tuple[str, str]]
Vouched: TypeAlias = tuple[str, str, str, str, bool, str, str, str, str, str]
"""The members of a Caller, then region and service of the proof."""


class Broken(ValueError):
    """The other side said what it cannot have meant; the link is of no more use."""


# From a front.


class Asked(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A request. ``vouched`` says who signed it, if the front could prove that."""

    number: int
    method: str
    path: str
    query: str
    headers: Pairs
    body: bytes
    peer: str
    arrived_ns: int
    request_id: str
    scheme: str
    proxied: bool
    marked: bool
    version: str
    vouched: Vouched | None


class Left(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Whoever asked is gone."""

    number: int


class Taken(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """So many bytes of a streamed answer went on; there is room for as many more."""

    number: int
    size: int


class Counted(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """(status, seconds) of requests that were answered, and what the server says of itself."""

    requests: list[tuple[int, float]]
    statistics: dict[str, int]


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Nothing that was said before a ``Forget`` is given to anybody any more."""

    number: int


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """It accepts connections."""


# From the core.


class Answered(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """A whole answer. For ``keep_seconds`` the front may give it again to who asks the same.

    ``vary`` names the request headers that must be the same for that.
    """

    number: int
    status: int
    headers: Pairs
    body: bytes
    keep_seconds: float = 0.0
    vary: list[str] = msgspec.field(default_factory=list)


class Begun(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """An answer whose pieces follow."""

    number: int
    status: int
    headers: Pairs


class Piece(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """The next piece."""

    number: int
    data: bytes


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """No piece follows; ``whole`` says whether that was all."""

    number: int
    whole: bool


class Informed(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """An informational answer ahead of the real one."""

    number: int
    status: int
    headers: Pairs


class Forget(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """Give nothing again that was said before this."""

    number: int


class Retire(msgspec.Struct, frozen=True, array_like=True, tag=17):
    """Accept no more, end what is under way within ``grace_seconds``, then end.

    For ``rest_seconds`` connections without a request may stay: their clients may be about to use
    them, and are told with their next answer.
    """

    rest_seconds: float
    grace_seconds: float


FromFront: TypeAlias = Asked | Left | Taken | Counted | Forgotten | Ready
FromCore: TypeAlias = Answered | Begun | Piece | Ended | Informed | Forget | Retire

_encode = msgspec.msgpack.Encoder().encode
_of_front: Callable[[bytes | memoryview], FromFront] = msgspec.msgpack.Decoder(FromFront).decode
_of_core: Callable[[bytes | memoryview], FromCore] = msgspec.msgpack.Decoder(FromCore).decode
_LENGTH = struct.Struct("!I")


def frame(message: FromFront | FromCore) -> bytes:
    """The bytes of a message."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


def from_front(body: bytes | memoryview) -> FromFront:
    """Read what a front said. Raises Broken."""
    try:
        return _of_front(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(str(error)) from None


def from_core(body: bytes | memoryview) -> FromCore:
    """Read what the core said. Raises Broken."""
    try:
        return _of_core(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(str(error)) from None


def asked(number: int, request: Request, proof: Proof | None) -> Asked:
    """A request as it goes to the core."""
    return Asked(
        number, request.method, request.path, request.query, request.headers.pairs, request.body,
        request.peer, request.arrived_ns, request.request_id, request.scheme, request.proxied,
        request.marked, request.version, _vouched(proof),
    )  # fmt: skip


def request(told: Asked) -> Request:
    """A request as the core sees it."""
    headers = Headers()
    headers.pairs = told.headers
    return Request(
        method=told.method, path=told.path, query=told.query, headers=headers, body=told.body,
        peer=told.peer, arrived_ns=told.arrived_ns, request_id=told.request_id,
        scheme=told.scheme, proxied=told.proxied, marked=told.marked, version=told.version,
        proof=_proof(told.vouched) if told.vouched is not None else None,
    )  # fmt: skip


def _vouched(proof: Proof | None) -> Vouched | None:
    if proof is None:
        return None
    who = proof.caller
    return (
        who.arn, who.account, who.user_id, who.access_key, who.signed, who.principal,
        who.session_policy, who.function, proof.region, proof.service,
    )  # fmt: skip


@functools.lru_cache(1024)
def _proof(vouched: Vouched) -> Proof:
    *_, region, service = vouched
    arn, account, user_id, access_key, signed, principal, policy, function = vouched[:8]
    caller = Caller(
        arn=arn, account=account, user_id=user_id, access_key=access_key, signed=signed,
        principal=principal, session_policy=policy, function=function,
    )  # fmt: skip
    return Proof(caller=caller, region=region, service=service)
