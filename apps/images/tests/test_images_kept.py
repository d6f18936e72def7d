"""Many sizes of one source: one download, one decode, and pictures that look the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

import decode
import kept
import limits
import opening
import original
import recipe
import render
import spelled
from dynimo.sdk import http
from tests import origins

Ask = Callable[..., http.Reply]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"
DATA = SAMPLE.read_bytes()


def rendered(place: kept.Picture | None, w: int, data: bytes = DATA) -> np.ndarray:
    made = render.render(data, spelled.canonical(w=w), limits.Limits(), shared=place)
    pixels = made.pixels
    return np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width, pixels.bands)


def test_the_first_of_a_source_is_as_if_alone() -> None:
    """Nothing is decoded for others before there are others."""
    place = kept.Picture(kept.Pictures(), "a", "1")
    assert np.array_equal(rendered(place, 300), rendered(None, 300))
    assert not place.shared


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_what_is_shared_looks_the_same(kind: str) -> None:
    """From the second on they come from one decode, and differ by what nobody sees."""
    data = DATA
    if kind != "jpg":
        data = pyvips.Image.new_from_buffer(DATA, "").write_to_buffer(f".{kind}")
    pictures = kept.Pictures()
    for number, w in enumerate((200, 640, 320, 100, 500)):
        place = kept.Picture(pictures, "a", str(w))
        shared, alone = rendered(place, w, data), rendered(None, w, data)
        assert place.shared is (number > 0)
        assert shared.shape == alone.shape
        off = np.abs(shared.astype(int) - alone)
        assert off.mean() < 4


def test_one_decode_serves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first decodes for itself, the second for all that are not larger."""
    decoded: list[tuple[int, int]] = []
    real = opening.turbo.decode

    def counted(*given: object, **how: object) -> object:
        decoded.append(given[2])  # type: ignore[arg-type]
        return real(*given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(opening.turbo, "decode", counted)
    pictures = kept.Pictures()
    for w in (100, 200, 300, 400, 500, 600, 700, 800):
        rendered(kept.Picture(pictures, "a", str(w)), w)
    assert len(decoded) == 2


def test_where_many_sizes_are_usual_the_first_decodes_for_them() -> None:
    """It is learnt from the last sources, and unlearnt when single sizes are asked for again."""
    pictures = kept.Pictures()
    size = (4_000, 3_000)

    def first(key: str, *more: str) -> bool:
        place = kept.Picture(pictures, key, "1")
        place.useful(size, (100, 75))
        for size_of in more:
            kept.Picture(pictures, key, size_of).useful(size, (100, 75))
        return place.shared

    assert [first(f"many {n}", "2", "3") for n in range(5)] == [False, False, False, True, True]
    alone = [first(f"one {n}", "1") for n in range(6)]
    assert alone == [True, True, True, True, False, False]


def test_it_stays_learnt_while_pictures_come_from_what_is_kept() -> None:
    """Whoever finds a decoded picture asks for one more size, too: nothing is unlearnt by that."""
    pictures = kept.Pictures()
    shared = []
    for number in range(2 * kept.FIRSTS):
        places = [kept.Picture(pictures, f"many {number}", str(w)) for w in (100, 200, 300)]
        for place, w in zip(places, (100, 200, 300), strict=True):
            rendered(place, w)
        shared.append(places[0].shared)
    assert shared == [False] * kept.FOLLOWED_MIN + [True] * (2 * kept.FIRSTS - kept.FOLLOWED_MIN)


def test_it_is_learnt_how_large_is_useful() -> None:
    """As large as the largest that was asked of the last sources, within limits; else 1,400."""
    for sides, w in (((320, 1280), 1920), ((100, 700), 960), ((60, 90), 960), ((9, 3000), 3840)):
        pictures = kept.Pictures(bytes_max=1 << 30)
        for number in range(kept.FIRSTS):
            for side in sides:
                kept.Picture(pictures, f"{number}", f"{side}").useful(
                    (3840, 2160), (side, side // 2)
                )
        found = kept.Picture(pictures, "next", "1").useful((3840, 2160), (50, 30))
        assert found == (w, w * 9 // 16)
    assert kept.Picture(kept.Pictures(), "a", "1", expected=True).useful((5120, 2880), (9, 9)) == (
        2560, 1440
    )  # fmt: skip


def test_another_revision_is_another_picture() -> None:
    """What changed is never made of what was there before."""
    pictures = kept.Pictures()
    for w in (200, 300):
        rendered(kept.Picture(pictures, "a\n1", str(w)), w)
    assert pictures.find("a\n1", (300, 1)) is not None
    assert pictures.find("a\n2", (1, 1)) is None


def test_the_budget_holds() -> None:
    """The least lately used goes; what is larger than all of it is not kept."""
    image = pyvips.Image.black(100, 100, bands=3)
    pictures = kept.Pictures(bytes_max=65_000)
    for key in ("a", "b"):
        pictures.keep(key, (image,))
    assert pictures.find("a", (1, 1)) is not None
    pictures.keep("c", (image,))
    assert [pictures.find(key, (1, 1)) is not None for key in "abc"] == [True, False, True]
    pictures.keep("d", (pyvips.Image.black(1000, 1000, bands=3),))
    assert [pictures.find(key, (1, 1)) is not None for key in "acd"] == [True, True, False]


def test_headers_with_large_profiles_are_read_again() -> None:
    """Hundreds of headers are remembered, and a profile may have megabytes."""
    for size, wanted in ((kept.PROFILE_BYTES_MAX, 1), (kept.PROFILE_BYTES_MAX + 1, 3)):
        read: list[int] = []
        header = decode.Header(kind="jpg", width=1, height=1, has_alpha=False, icc=bytes(size))
        pictures = kept.Pictures()
        for number in range(3):
            assert pictures.header("a", lambda: read.append(number) or header) is header  # noqa: B023
        assert len(read) == wanted


def test_what_could_not_be_kept_is_not_decoded_for_keeping() -> None:
    """A part of a very large picture is taken while its lines come, every time."""
    pictures = kept.Pictures(bytes_max=4 * 4_000 * 3_000)
    for size, useful in (((4_000, 3_000), (4_000, 3_000)), ((4_001, 3_000), None)):
        place = kept.Picture(pictures, "a", "1", expected=True)
        assert (place.useful(size, size), place.shared) == (useful, useful is not None)


def test_files_are_forgotten_in_time_and_within_the_budget() -> None:
    """A server's file may have changed; and memory is limited."""
    now = [0.0]
    files = kept.Files(bytes_max=10, clock=lambda: now[0])
    for key in "ab":
        files.keep(
            key, original.Original(data=b"12345", revision=key, modified=None), downloaded=True
        )
    found = files.find("a")
    assert found is not None
    assert found.read().revision == "a"
    files.keep("c", original.Original(data=b"1", revision="c", modified=None), downloaded=True)
    assert [files.find(key) is not None for key in "abc"] == [False, True, True]
    now[0] = kept.FILE_SECONDS + 0.1
    assert files.find("c") is None


def test_a_file_of_a_known_revision_is_not_read_again() -> None:
    """A folder tells what it has without reading; where nobody can tell, it is read."""
    files = kept.Files()
    file = original.Original(data=b"1", revision="a", modified=None)
    files.keep("key", file, downloaded=False)
    assert files.find("key") is None
    assert files.same("key", "a") is file
    assert [files.same(*each) for each in (("key", "b"), ("key", None), ("other", "a"))] == [
        None
    ] * 3


def test_a_changed_file_is_seen_although_the_old_is_kept(
    folder: Path, make: Ask, look: Callable[[http.Reply], Image.Image]
) -> None:
    """Where many sizes are usual the file stays in memory, and never longer than it is true."""
    for number in range(kept.FOLLOWED_MIN + 1):
        (folder / f"{number}.jpg").write_bytes(DATA)
        for w in (100, 200):
            make(recipe.spell(spelled.canonical(source="pics", path=f"{number}.jpg", w=w)))
    path = recipe.spell(spelled.canonical(source="pics", path=f"{number}.jpg", w=100))
    before = look(make(path))
    (folder / f"{number}.jpg").write_bytes(pyvips.Image.black(200, 200).jpegsave_buffer())
    after = look(make(path))
    assert (before.height, after.height) == (63, 100)


def test_shared_pixels_have_their_own_validator(folder: Path, make: Ask) -> None:
    """Other bytes, another ETag; each of both gives 304; and one picture alone stays the same."""
    (folder / "a.jpg").write_bytes(DATA)
    path = recipe.spell(spelled.canonical(source="pics", path="a.jpg", w=300))
    other = recipe.spell(spelled.canonical(source="pics", path="a.jpg", w=200))
    first, again, _, third = (make(each) for each in (path, path, other, path))
    tags = [dict(reply.headers)["etag"] for reply in (first, again, third)]
    assert tags[0] == tags[1] != tags[2]
    assert first.body == again.body
    for tag in (tags[0], tags[2]):
        reply = make(path, {"if-none-match": tag})
        assert (reply.status, dict(reply.headers)["etag"]) == (304, tag)


def test_who_is_told_of_others_decodes_for_them(folder: Path, make: Ask) -> None:
    """At once, not only the second time."""
    (folder / "a.jpg").write_bytes(DATA)
    path = recipe.spell(spelled.canonical(source="pics", path="a.jpg", w=100))
    alone, first = make(path), make(path, kin=3)
    assert dict(first.headers)["etag"] != dict(alone.headers)["etag"]


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Serve the sample, and remember what was asked for."""
    asked: list[str] = []

    class Handler(origins.Handler):
        def get(self) -> None:
            asked.append(self.path)
            self.say(200, DATA)

    with origins.listening(Handler) as port:
        yield f"http://127.0.0.1:{port}/", asked


def test_many_sizes_are_one_download(
    server: tuple[str, list[str]], make: Ask, look: Callable[[http.Reply], Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The server of the source sees one request, not one for each size."""
    base, asked = server
    monkeypatch.setenv("DYNIMO_SOURCES", f'{{"web": "{base}"}}')
    for w in (100, 200, 300):
        path = recipe.spell(spelled.canonical(source="web", path="a.jpg", w=w))
        assert look(make(path)).width == w
    assert asked == ["/a.jpg"]
