"""A front's handler: each request goes to the core, and its answer comes back.

Runs in a front process. Nothing is decided here, but whether the shelf may have the answer too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from dynimo.fronts import messages
from dynimo.fronts.messages import Answered, Begun, Ended, Informed, Piece
from dynimo.fronts.shelf import Shelf, prepared
from dynimo.model.caller import Proof
from dynimo.web import writing
from dynimo.web.message import Headers, Prepared, Request, Response

_Prove: TypeAlias = Callable[[Request], Proof | None]


class Cut(Exception):
    """The end of a streamed answer is missing, and so it must be for the client."""


@dataclass(slots=True)
class _Open:
    """A request whose answer has not ended."""

    request: Request
    first: asyncio.Future[Response]
    pieces: asyncio.Queue[Piece | Ended] = field(default_factory=asyncio.Queue)


class Remote:
    """Asks the core over ``send``; ``take`` is given what it says of these requests."""

    def __init__(
        self, send: Callable[[bytes], None], prove: _Prove, shelf: Shelf, date: writing.DateText
    ) -> None:
        self._send = send
        self._prove = prove
        self._shelf = shelf
        self._date = date
        self._open: dict[int, _Open] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._open)

    async def __call__(self, request: Request) -> Response:
        """Answer a request as the core does."""
        number = next(self._numbers)
        asked = messages.asked(number, request, self._prove(request))
        first: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._open[number] = _Open(request, first)
        self._send(messages.frame(asked))
        try:
            return await first
        except asyncio.CancelledError:
            self._leave(number)
            raise

    def take(self, message: Answered | Begun | Piece | Ended | Informed) -> None:
        """The core says something of a request; of one that is over it is passed over."""
        found = self._open.get(message.number)
        if found is None:
            return
        if isinstance(message, Answered):
            del self._open[message.number]
            if not found.first.done():
                found.first.set_result(self._whole(found.request, message))
        elif isinstance(message, Begun):
            if not found.first.done():
                found.first.set_result(
                    Response(
                        status=message.status,
                        headers=_headers(message.headers),
                        pieces=self._pieces(message.number, found),
                    )
                )
        elif isinstance(message, Informed):
            if found.request.inform is not None:
                found.request.inform(message.status, _headers(message.headers))
        else:
            found.pieces.put_nowait(message)  # bounded by the room that the core was given

    def _whole(self, request: Request, told: Answered) -> Response:
        headers = _headers(told.headers)
        if not told.keep_seconds:
            return Response(status=told.status, headers=headers, body=told.body)
        head = writing.head(told.status, headers, len(told.body), self._date.now())
        answer: Prepared = prepared(told.status, headers, told.body, head)
        self._shelf.put(request, answer, told.vary, told.keep_seconds)
        return answer

    async def _pieces(self, number: int, found: _Open) -> AsyncGenerator[bytes, None]:
        ended = False
        try:
            while True:
                message = await found.pieces.get()
                if isinstance(message, Ended):
                    ended = True
                    if not message.whole:
                        raise Cut
                    return
                yield message.data
                self._send(messages.frame(messages.Taken(number, len(message.data))))
        finally:
            if ended:
                self._open.pop(number, None)
            else:
                self._leave(number)

    def _leave(self, number: int) -> None:
        if self._open.pop(number, None) is not None:
            self._send(messages.frame(messages.Left(number)))


def _headers(pairs: list[tuple[str, str]]) -> Headers:
    headers = Headers()
    headers.pairs = pairs
    return headers
