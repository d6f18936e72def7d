"""Sources of several frames: stills by default, and animations where they are asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

import animation
import decode
import limits
import recipe as recipes
import refusals
import render
from dynimo.sdk import http
from encoding import mp4
from ops import geometry, values
from ops.output import Output

Make = Callable[..., http.Reply]
Look = Callable[[http.Reply], Image.Image]
COLOURS = [(220, 20, 20), (20, 200, 20), (20, 20, 220)]
DELAYS = [100, 200, 400]


def animated(kind: str, frames: int = 3, size: tuple[int, int] = (120, 80)) -> bytes:
    """Frames of one colour each, with a clear corner, each longer than the one before."""
    images = []
    for number in range(frames):
        image = Image.new("RGBA", size, (*COLOURS[number % 3], 255))
        image.paste((0, 0, 0, 0), (0, 0, size[0] // 4, size[1] // 4))
        images.append(image)
    buffer = io.BytesIO()
    more: dict[str, Any] = {
        "WEBP": {"lossless": True}, "GIF": {"disposal": 2}, "AVIF": {"quality": 95, "speed": 9},
    }[kind]  # fmt: skip
    delays = (DELAYS * frames)[:frames]
    images[0].save(
        buffer, kind, save_all=True, append_images=images[1:], duration=delays, loop=2, **more
    )
    return buffer.getvalue()


@pytest.fixture
def give(folder: Path, make: Make) -> Make:
    def call(data: bytes, *, ops: Any = None, **wishes: Any) -> http.Reply:
        (folder / "a").write_bytes(data)
        made = recipes.canonical(
            source="pics", path="a", engine="1", out=Output(**{"fm": "source", **wishes}),
            ops=[geometry.Resize("inside", values.pixels(60))] if ops is None else ops,
        )  # fmt: skip
        return make(recipes.spell(made))

    return call


def frames(image: Image.Image) -> list[tuple[tuple[int, int], Any, int]]:
    """Size, colour in the middle and duration of each frame."""
    found = []
    for frame in ImageSequence.Iterator(image):
        seen = frame.convert("RGBA")
        middle = seen.getpixel((seen.width // 2, seen.height // 2))
        found.append((seen.size, middle, frame.info["duration"]))
    return found


def near(found: Any, wanted: Any, most: int = 12) -> bool:
    return all(abs(a - b) <= most for a, b in zip(found, wanted, strict=False))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("fm", ["gif", "webp", "avif", "source", "jxl"])
def test_all_frames_stay_where_they_are_asked_for(
    give: Make, look: Look, kind: str, fm: str
) -> None:
    """Resized, in order, with their times, repeats and clear parts; else in the source's format."""
    reply = give(animated(kind), frames=0, fm=fm)
    image = look(reply)
    assert image.format == (fm.upper() if fm in ("gif", "webp", "avif") else kind)
    assert dict(reply.headers)["content-type"] == f"image/{image.format.lower()}"
    if "AVIF" not in (kind, image.format):  # which says nothing of repeats
        # A GIF says how often it is repeated, a WebP how often it is played.
        plays = image.info["loop"] + (image.format == "GIF")
        assert plays == (3 if kind == "GIF" else 2)
    told = frames(image)
    assert [(size, delay) for size, _, delay in told] == [((60, 40), delay) for delay in DELAYS]
    assert all(near(found, wanted) for (_, found, _), wanted in zip(told, COLOURS, strict=True))
    image.seek(1)
    assert image.convert("RGBA").getpixel((3, 3))[3] <= 3  # type: ignore[index]


def test_a_missing_package_leaves_the_sources_format(
    give: Make, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An animation is then what it was; a source that cannot be read without it says its name."""
    monkeypatch.setattr(animation.moving, "is_there", lambda: False)
    assert look(give(animated("GIF"), frames=0, fm="avif")).format == "GIF"
    monkeypatch.setitem(sys.modules, "PIL._avif", None)
    reply = give(animated("AVIF"), fm="png")
    assert reply.status == 422
    assert b"pip install pillow" in reply.body


def test_a_lossless_avif_animation_is_refused(give: Make) -> None:
    """The encoder has none, and something else would not be what was asked for."""
    reply = give(animated("GIF"), frames=0, fm="avif", lossless=True)
    assert (reply.status, b"fm=webp" in reply.body) == (422, True)


def test_a_large_negotiated_animation_is_not_stood_in_for(give: Make, look: Look) -> None:
    """What stands in for a slow AVIF would be a still, or slower than this one."""
    ops = [geometry.Resize("fill", values.pixels(1200), values.pixels(800), enlarge=True)]
    data = animated("GIF")
    image = look(give(data, frames=0, fm="avif", among="source", ops=ops))
    assert (image.format, image.n_frames) == ("AVIF", 3)  # type: ignore[attr-defined]


def test_an_avif_animation_is_an_avif() -> None:
    """It is called an AVIF, and its frames are counted."""
    header = decode.open_header(animated("AVIF"), limits.Limits())
    assert (header.format, header.pages, header.width, header.height) == ("avif", 3, 120, 80)


@pytest.mark.parametrize(("scale", "status"), [(0, 422), (1, 200), (0xFFFFFFFF, 200)])
@pytest.mark.parametrize("fm", ["gif", "webp", "avif", "png"])
def test_times_that_make_no_sense_are_no_mistake_of_ours(
    give: Make, scale: int, status: int, fm: str
) -> None:
    """A clock that stands still, or frames that stay for a hundred years: refused, or cut short."""
    data = bytearray(animated("AVIF"))
    clock = data.index(b"mdhd") + 4
    at = clock + (20 if data[clock] else 12)
    data[at : at + 4] = scale.to_bytes(4, "big")
    times = data.index(b"stts") + 16
    data[times : times + 4] = b"\xff\xff\xff\xff"
    assert give(bytes(data), frames=0, fm=fm).status == status


def test_a_still_is_the_default(give: Make, look: Look) -> None:
    """The first frame, or the one that `page` names; one that is not there is 422."""
    for fm in ("png", "jpg", "gif", "webp"):
        image = look(give(animated("GIF"), fm=fm))
        assert getattr(image, "n_frames", 1) == 1
        assert near(image.convert("RGB").getpixel((30, 20)), COLOURS[0])
    for kind in ("GIF", "WEBP", "AVIF"):
        third = look(give(animated(kind), fm="png", page=2))
        assert near(third.convert("RGB").getpixel((30, 20)), COLOURS[2])
        assert give(animated(kind), fm="png", page=3).status == 422


def test_pages_of_a_tiff_are_read(give: Make, look: Look) -> None:
    """By number."""
    images = [Image.new("RGB", (120, 80), colour) for colour in COLOURS]
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:])
    assert near(look(give(buffer.getvalue(), fm="png", page=1)).getpixel((30, 20)), COLOURS[1])


def test_fewer_frames_may_be_asked_for(give: Make, look: Look) -> None:
    """So many, from a page on."""
    told = frames(look(give(animated("GIF"), fm="webp", frames=2, page=1)))
    assert [delay for _, _, delay in told] == DELAYS[1:]
    assert near(told[0][1], COLOURS[1])


def test_operations_are_done_on_every_frame(give: Make, look: Look) -> None:
    """Also those that would look at each one: frames do not jump."""
    half = values.pixels(40)
    ops = [geometry.Cut(half, half, values.Gravity(values.SMART[0])), geometry.Flip(x=True)]
    told = frames(look(give(animated("WEBP"), ops=ops, fm="webp", frames=0)))
    assert [size for size, _, _ in told] == [(40, 40)] * 3


def test_an_animation_has_a_budget_of_pixels(give: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames count, as they come and as they go; a still of the same source is made."""
    data = animated("GIF", 300, (400, 300))
    reply = give(data, fm="webp", frames=0)
    assert reply.status == 422
    assert b"animation_pixels" in reply.body
    assert give(data, fm="webp", frames=3).status == 200
    assert give(data, fm="webp").status == 200
    late = give(animated("AVIF", 300, (400, 300)), fm="png", page=299)
    assert (late.status, b"animation_pixels" in late.body) == (422, True)
    large = [geometry.Resize("fill", values.pixels(4000), values.pixels(4000), enlarge=True)]
    assert give(animated("GIF"), ops=large, fm="webp", frames=0).status == 422


def test_an_animation_becomes_a_video(give: Make, tmp_path: Path) -> None:
    """MP4 in which each frame stays as long as it did; clear parts lie on the background."""
    reply = give(animated("GIF"), fm="mp4", frames=0)
    assert reply.status == 200, reply.body
    assert dict(reply.headers)["content-type"] == "video/mp4"
    (tmp_path / "a.mp4").write_bytes(reply.body)
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", tmp_path / "a.mp4",
         "-fps_mode", "passthrough", tmp_path / "%03d.png"],
        check=True, timeout=60,
    )  # fmt: skip
    shown = sorted(tmp_path.glob("*.png"))
    assert len(shown) == sum(DELAYS) * mp4.RATE // 1000 + 1
    for name, colour in ((shown[0], COLOURS[0]), (shown[-1], COLOURS[2])):
        with Image.open(name) as image:
            assert near(image.convert("RGB").getpixel((30, 20)), colour, 25)
    assert give(animated("GIF"), fm="mp4", frames=0).body == reply.body


def test_a_video_has_a_longest_time() -> None:
    """Frames that stay for hours are refused."""
    assert mp4.repeats([40, 80, 0]) == [0, 1, 1, 2]
    with pytest.raises(refusals.Refusal):
        mp4.repeats([3_600_000])


def test_a_program_that_fails_or_hangs_makes_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the time limit at the latest, and nothing is left running."""
    frames = [memoryview(b"x" * 1_000_000)] * 3
    assert mp4._fed(["cat"], frames)
    assert not mp4._fed(["false"], frames)
    assert not mp4._fed(["/nowhere/ffmpeg"], frames)
    monkeypatch.setattr(mp4, "SECONDS_MAX", 0.2)
    assert not mp4._fed(["sleep", "60"], frames)
    assert not mp4._fed(["sleep", "60"], [])


def test_a_still_is_no_video(give: Make) -> None:
    """422: only what has frames."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    assert give(buffer.getvalue(), fm="mp4", frames=0).status == 422


SMALL = {kind: animated(kind) for kind in ("GIF", "WEBP", "AVIF")}
RECIPE = recipes.canonical(
    source="s", path="p", engine="1", out=Output(fm="webp", frames=0),
    ops=[geometry.Resize("fill", values.pixels(30), values.pixels(20), enlarge=True)],
)  # fmt: skip


@given(st.sampled_from(sorted(SMALL)), st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_animations_are_rendered_or_refused(kind: str, data: st.DataObject) -> None:
    """Any bytes changed anywhere, or cut off: frames of the right size, or 422."""
    broken = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    keep = data.draw(st.just(len(broken)) | st.integers(0, len(broken)))
    few = limits.Limits(animation_pixels=1_000_000, source_pixels=1_000_000)
    try:
        made = render.render(bytes(broken[:keep]), RECIPE, few)
    except refusals.Refusal as refusal:
        assert refusal.status == 422
    else:
        assert (made.pixels.width, made.pixels.page_height or made.pixels.height) == (30, 20)
