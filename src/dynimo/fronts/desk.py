"""The core's end of one front: requests come in, the handler answers, answers go out.

Also here: for how long the front may give an answer again. Whether an answer is fresh was judged by
the cache; here is only read what it says of itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from dynimo.fronts import messages
from dynimo.fronts.messages import Answered, Asked, Begun, Ended, Informed, Piece
from dynimo.web import message

log = logging.getLogger("dynimo.fronts")

KEEP_SECONDS_MAX = 1.0
"""How long a front may give an answer again: what a purge cannot reach is gone by then."""
ROOM_BYTES = 256 * 1024
"""Of a streamed answer, on its way to a client that has not taken it yet."""

Fast = Callable[[message.Request], message.Response | bytes | None]
_LIFE = re.compile(r"(?:^|,)\s*(s-maxage|max-age)\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.I)
_PRIVATE = re.compile(r"(?:^|,)\s*(?:private|no-store|no-cache|must-understand)\b", re.I)
_VARY = re.compile(r"[A-Za-z0-9-]+")


@dataclass(slots=True)
class _Work:
    """A request that is being answered."""

    task: asyncio.Task[None] | None = None
    room: int = ROOM_BYTES
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class Desk:
    """Answers one front's requests with ``handler``; ``fast`` is asked first, as by a server.

    ``purges`` counts purges: what was answered across one may not be kept.
    """

    def __init__(
        self,
        handler: message.Handler,
        send: Callable[[bytes], None],
        *,
        fast: Fast | None,
        purges: Callable[[], int],
    ) -> None:
        self._handler = handler
        self._send = send
        self._fast = fast
        self._purges = purges
        self._work: dict[int, _Work] = {}

    def __len__(self) -> int:
        return len(self._work)

    def ask(self, asked: Asked) -> None:
        """A request came."""
        request = messages.request(asked)
        if self._fast is not None and not request.body and not request.marked:
            answer = self._fast(request)
            if isinstance(answer, message.Response):
                self._answer(asked.number, answer, kept_since=self._purges())
                return
        number = asked.number

        def inform(status: int, headers: message.Headers) -> None:
            self._send(messages.frame(Informed(number, status, headers.pairs)))

        request.inform = inform
        work = self._work[number] = _Work()
        work.task = asyncio.get_running_loop().create_task(self._run(number, request, work))

    def leave(self, number: int) -> None:
        """Whoever asked is gone."""
        work = self._work.get(number)
        if work is not None and work.task is not None:
            work.task.cancel()

    def taken(self, number: int, size: int) -> None:
        """A streamed answer has so much more room."""
        work = self._work.get(number)
        if work is not None:
            work.room += size
            work.taken.set()

    def close(self) -> None:
        """The front is gone, and so are all its clients."""
        for number in list(self._work):
            self.leave(number)

    async def _run(self, number: int, request: message.Request, work: _Work) -> None:
        since = self._purges()
        try:
            response = await self._handler(request)
            if response.pieces is None:
                self._answer(number, response, kept_since=since)
            else:
                await self._stream(number, response, work)
        except Exception:
            log.exception("Handler failed: %s %s", request.method, request.path)
            body = b'{"error":"InternalError","message":"Something failed inside the server."}'
            headers = [("content-type", "application/json")]
            self._send(messages.frame(Answered(number, 500, headers, body)))
        finally:
            self._work.pop(number, None)

    def _answer(self, number: int, response: message.Response, *, kept_since: int) -> None:
        seconds, vary = 0.0, list[str]()
        if kept_since == self._purges():
            seconds, vary = keeping(response)
        pairs = _without_framing(response)
        told = Answered(number, response.status, pairs, response.body, seconds, vary)
        self._send(messages.frame(told))

    async def _stream(self, number: int, response: message.Response, work: _Work) -> None:
        assert response.pieces is not None
        self._send(messages.frame(Begun(number, response.status, response.headers.pairs)))
        whole = False
        try:
            async with aclosing(response.pieces) as pieces:
                async for piece in pieces:
                    for at in range(0, len(piece), messages.PIECE_BYTES_MAX):
                        await self._room(work)
                        part = piece[at : at + messages.PIECE_BYTES_MAX]
                        work.room -= len(part)
                        self._send(messages.frame(Piece(number, bytes(part))))
            whole = True
        except Exception:
            log.exception("Stream broke")
        finally:
            self._send(messages.frame(Ended(number, whole)))

    async def _room(self, work: _Work) -> None:
        while work.room <= 0:
            work.taken.clear()
            await work.taken.wait()


def keeping(response: message.Response) -> tuple[float, list[str]]:
    """(seconds, names of request headers) for which an answer may be given again; 0 if not.

    Only what the cache gave from its store, and by what the answer says to every cache.
    """
    headers = response.headers
    if response.status != 200 or "; hit" not in headers.get("cache-status"):
        return 0.0, []
    control = headers.get("cache-control")
    if _PRIVATE.search(control) or "set-cookie" in headers:
        return 0.0, []
    life = {name.lower(): int(value) for name, value in _LIFE.findall(control)}
    age = headers.get("age")
    left = life.get("s-maxage", life.get("max-age", 0)) - (int(age) if age.isdecimal() else 0)
    vary = headers.get("vary")
    names = [name.lower() for name in _VARY.findall(vary)]
    if left <= 0 or "*" in vary:
        return 0.0, []
    return min(float(left), KEEP_SECONDS_MAX), names


def _without_framing(response: message.Response) -> list[tuple[str, str]]:
    """Headers as a front's server takes them: it says itself how long the answer is, and when."""
    if type(response) is not message.Prepared:
        return response.headers.pairs
    return [pair for pair in response.headers.pairs if pair[0] not in {"content-length", "date"}]
