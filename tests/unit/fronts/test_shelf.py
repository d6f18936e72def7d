"""What a front gives again by itself: a moment, to who asks the same, and never after a purge."""

from __future__ import annotations

import pytest

from dynimo.fronts.desk import KEEP_SECONDS_MAX, keeping
from dynimo.fronts.shelf import VARIANTS_MAX, Shelf, prepared
from dynimo.web.message import Headers, Prepared, Request, Response


class Time:
    """Seconds that a test owns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def asked(path: str = "/a", **headers: str) -> Request:
    """A GET of one host."""
    pairs = [("host", "h"), *((name.replace("_", "-"), text) for name, text in headers.items())]
    return Request(method="GET", path=path, headers=Headers(pairs))


def answer(body: bytes = b"body") -> Prepared:
    """An answer for the shelf."""
    return prepared(200, Headers(), body, b"HTTP/1.1 200 OK\r\n\r\n")


def test_it_is_given_for_a_moment() -> None:
    """Not longer than the core said."""
    time = Time()
    shelf = Shelf(time)
    shelf.put(asked(), answer(), [], 1.0)

    assert shelf.find(asked()) == answer()
    assert shelf.find(asked("/b")) is None
    time.now += 1.0
    assert shelf.find(asked()) is None


def test_only_who_asks_the_same_gets_it() -> None:
    """Every header that the answer varies by is the same, and the host and query are."""
    shelf = Shelf(Time())
    shelf.put(asked(accept="image/avif"), answer(b"avif"), ["accept"], 1.0)
    shelf.put(asked(accept="image/webp"), answer(b"webp"), ["accept"], 1.0)

    found = [shelf.find(asked(accept=kind)) for kind in ("image/avif", "image/webp", "*/*")]
    assert [each and each.body for each in found] == [b"avif", b"webp", None]
    assert shelf.find(asked()) is None
    assert (
        shelf.find(Request(method="GET", path="/a", query="q=1", headers=asked().headers)) is None
    )


@pytest.mark.parametrize(
    "header",
    ["authorization", "cache_control", "pragma", "range", "if_none_match", "if_modified_since"],
)
def test_who_says_more_asks_the_core(header: str) -> None:
    """And what they are answered is given to nobody else."""
    shelf = Shelf(Time())
    shelf.put(asked(), answer(), [], 1.0)
    assert shelf.find(asked(**{header: "x"})) is None

    other = Shelf(Time())
    other.put(asked(**{header: "x"}), answer(), [], 1.0)
    assert other.find(asked()) is None


def test_it_is_bounded() -> None:
    """By bytes in all, oldest first; and by variants of one address."""
    shelf = Shelf(Time(), bytes_max=100)
    for number in range(10):
        shelf.put(asked(f"/{number}"), answer(b"x" * 40), [], 1.0)
    held = [number for number in range(10) if shelf.find(asked(f"/{number}"))]
    assert held == [8, 9]

    many = Shelf(Time())
    for number in range(100):
        many.put(asked(accept=str(number)), answer(), ["accept"], 1.0)
    assert len(many) <= VARIANTS_MAX


def test_a_purge_empties_it() -> None:
    """All of it, whatever was purged."""
    shelf = Shelf(Time())
    shelf.put(asked(), answer(), [], 1.0)
    shelf.clear()
    assert shelf.find(asked()) is None
    assert len(shelf) == 0


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {"cache-status": "Dynimo; hit", "cache-control": "max-age=60"}, 1.0),
        (200, {"cache-status": "Dynimo; hit", "cache-control": "max-age=60", "age": "60"}, 0.0),
        (200, {"cache-status": "Dynimo; hit", "cache-control": "s-maxage=0, max-age=60"}, 0.0),
        (200, {"cache-status": "Dynimo; hit", "cache-control": "private, max-age=60"}, 0.0),
        (200, {"cache-status": "Dynimo; hit", "cache-control": "max-age=9", "vary": "*"}, 0.0),
        (200, {"cache-status": "Dynimo; hit"}, 0.0),
        (200, {"cache-status": "Dynimo; fwd=miss; stored", "cache-control": "max-age=60"}, 0.0),
        (200, {"cache-control": "max-age=60"}, 0.0),
        (404, {"cache-status": "Dynimo; hit", "cache-control": "max-age=60"}, 0.0),
        (
            200,
            {"cache-status": "Dynimo; hit", "cache-control": "max-age=60", "set-cookie": "a=b"},
            0.0,
        ),
    ],
)
def test_what_may_be_given_again(status: int, headers: dict[str, str], expected: float) -> None:
    """Only what the cache had, is fresh to everybody, and belongs to nobody."""
    seconds, _ = keeping(Response(status=status, headers=Headers(headers.items())))
    assert seconds == expected <= KEEP_SECONDS_MAX


def test_what_it_varies_by_is_told() -> None:
    """In lower case, as headers are compared."""
    headers = {"cache-status": "Dynimo; hit", "cache-control": "max-age=60", "vary": "Accept, DPR"}
    assert keeping(Response(headers=Headers(headers.items()))) == (1.0, ["accept", "dpr"])
