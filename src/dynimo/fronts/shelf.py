"""What a front may give again without asking: answers that the core's cache gave a moment ago.

The core says how long (a second at most) and for whom; so nothing here judges freshness, and a
purge only has to empty the shelf. Requests that say more than what they want go to the core.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dynimo.web.message import Headers, Prepared, Request, Response

BYTES_MAX = 32 * 1024 * 1024
BODY_BYTES_MAX = 1024 * 1024
"""A larger answer is not worth its copy."""
VARIANTS_MAX = 16
"""Of one address; when there are more, all of them go."""
_SAY_MORE = frozenset(
    {
        "authorization", "cache-control", "pragma", "range", "if-range", "if-match",
        "if-none-match", "if-modified-since", "if-unmodified-since",
    }
)  # fmt: skip


@dataclass(slots=True)
class _Place:
    """The answers of one address by the values of the headers in ``vary``; ``until`` for each."""

    vary: tuple[str, ...]
    answers: dict[tuple[str, ...], tuple[float, Prepared]]
    size: int = 0


class Shelf:
    """Answers ready to be sent."""

    def __init__(self, monotonic: Callable[[], float], bytes_max: int = BYTES_MAX) -> None:
        self.hits = 0
        self._now = monotonic
        self._bytes_max = bytes_max
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._size = 0
        self._cleared = 0

    def __len__(self) -> int:
        return sum(len(place.answers) for place in self._places.values())

    def find(self, request: Request) -> Response | None:
        """The answer for a request, if it may be given now."""
        if request.method != "GET":
            return None
        place = self._places.get(_address(request))
        if place is None:
            return None
        headers = request.headers
        for name, _ in headers.pairs:
            if name in _SAY_MORE:
                return None
        found = place.answers.get(tuple([headers.get(name) for name in place.vary]))
        if found is None or found[0] <= self._now():
            return None
        self.hits += 1
        return found[1]

    def put(self, request: Request, answer: Prepared, vary: list[str], seconds: float) -> None:
        """Keep an answer for the next who ask the same."""
        if request.method != "GET" or len(answer.body) > BODY_BYTES_MAX:
            return
        if not _SAY_MORE.isdisjoint(name for name, _ in request.headers.pairs):
            return
        address, names = _address(request), tuple(vary)
        place = self._places.get(address)
        if place is None or place.vary != names or len(place.answers) >= VARIANTS_MAX:
            self._drop(address)
            place = self._places[address] = _Place(names, {})
        variant = tuple([request.headers.get(name) for name in names])
        before = place.answers.get(variant)
        grown = len(answer.body) - (len(before[1].body) if before is not None else 0)
        until = self._now() + seconds
        place.answers[variant] = (until, answer)
        answer.again = self._again(until)
        place.size += grown
        self._size += grown
        self._places.move_to_end(address)
        while self._size > self._bytes_max:
            self._drop(next(iter(self._places)))

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._size = 0
        self._cleared += 1

    def _again(self, until: float) -> Callable[[], bool]:
        """Say how to tell that an answer may be given to the same request once more."""
        cleared = self._cleared

        def again() -> bool:
            if cleared != self._cleared or self._now() >= until:
                return False
            self.hits += 1
            return True

        return again

    def _drop(self, address: str) -> None:
        place = self._places.pop(address, None)
        if place is not None:
            self._size -= place.size


def _address(request: Request) -> str:
    query = f"?{request.query}" if request.query else ""
    return f"{request.scheme}://{request.headers.get('host').lower()}{request.path}{query}"


def prepared(status: int, headers: Headers, body: bytes, head: bytes) -> Prepared:
    """An answer for the shelf."""
    return Prepared(status=status, headers=headers, body=body, head=head)
