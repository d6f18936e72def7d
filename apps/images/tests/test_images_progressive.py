"""What is left out, nobody misses: at 1/8 the samples are the same to the bit, else to the eye."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import jpeg
import progressive
import turbo
from encoding import likeness


def _jpeg(width: int, height: int, *, seed: int = 1, **options: object) -> bytes:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((width, height))
    mode = options.pop("mode", "RGB")
    out = io.BytesIO()
    picture.convert(str(mode)).save(out, "JPEG", **{"progressive": True, "quality": 90, **options})
    return out.getvalue()


def _eighth(data: bytes, width: int, height: int, space: str = "RGB") -> np.ndarray:
    return simplejpeg.decode_jpeg(
        data, space, min_width=width // 8 or 1, min_height=height // 8 or 1, strict=True
    )


@given(
    width=st.integers(8, 700),
    height=st.integers(8, 700),
    subsampling=st.sampled_from([0, 1, 2]),
    quality=st.integers(5, 98),
    seed=st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_at_an_eighth_nothing_changes(
    width: int, height: int, subsampling: int, quality: int, seed: int
) -> None:
    """Any size, any usual sampling, any quality."""
    data = _jpeg(width, height, subsampling=subsampling, quality=quality, seed=seed)
    slimmed = progressive.slim(data)

    assert slimmed is not None
    assert np.array_equal(_eighth(data, width, height), _eighth(slimmed, width, height))


def test_grey_is_one_component_of_full_resolution() -> None:
    """All its AC scans go."""
    data = _jpeg(640, 480, mode="L")
    slimmed = progressive.slim(data)

    assert slimmed is not None
    assert len(slimmed) < len(data) / 3
    assert np.array_equal(_eighth(data, 640, 480, "GRAY"), _eighth(slimmed, 640, 480, "GRAY"))


def test_restart_intervals_do_not_reach_the_added_scan() -> None:
    """A file with restart markers decodes alike too."""
    data = _jpeg(400, 300, restart_marker_blocks=5)
    slimmed = progressive.slim(data)

    assert b"\xff\xdd" in data
    assert slimmed is not None
    assert np.array_equal(_eighth(data, 400, 300), _eighth(slimmed, 400, 300))


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_ends_early_is_left_to_the_decoder(kept: float) -> None:
    """Otherwise a cut file would pass for a whole one."""
    data = _jpeg(640, 480)

    assert progressive.slim(data[: int(len(data) * kept)]) is None


def test_a_second_frame_is_not_for_it() -> None:
    """Which of two sizes a file has is for a decoder to say (T.81, B.2.1: there is one)."""
    data, other = _jpeg(64, 64), _jpeg(48, 64)
    at, end = other.index(b"\xff\xc2"), other.index(b"\xff\xda")
    assert progressive.slim(data[:-2] + other[at:end] + b"\xff\xd9") is None


def test_a_marker_without_a_length_hides_no_other_frame() -> None:
    """What is left has the size that was judged: a frame behind TEM (T.81, B.1.1.3) counts."""
    data, other = _jpeg(64, 64), _jpeg(640, 640)
    at, end = other.index(b"\xff\xc2"), other.index(b"\xff\xda")
    frame = other[at : at + 19]
    assert frame in other[at:end]
    hidden = b"\xff\x01" + (2 + len(frame)).to_bytes(2, "big") + frame
    assert progressive.slim(data[:2] + hidden + data[2:]) is None


def test_a_baseline_file_is_not_for_it() -> None:
    """There is nothing to leave out."""
    assert progressive.slim(_jpeg(64, 64, progressive=False)) is None


SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def _photograph(quality: int, **options: object) -> bytes:
    out = io.BytesIO()
    with Image.open(SAMPLE) as opened:
        opened.save(out, "JPEG", quality=quality, progressive=True, **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", [95, 98, 100])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_without_the_last_bits_it_looks_the_same(quality: int, subsampling: int) -> None:
    """At half and at a quarter, by SSIMULACRA2; and a good part of the file is not read."""
    data = _photograph(quality, subsampling=subsampling)
    shorter = progressive.coarse(data)
    assert shorter is not None
    assert len(shorter) < 0.95 * len(data)
    with Image.open(io.BytesIO(data)) as opened:
        width, height = opened.size
    for divisor in (2, 4):
        whole, made = (
            simplejpeg.decode_jpeg(
                each, "RGB", min_width=width // divisor, min_height=height // divisor, strict=True
            )
            for each in (data, shorter)
        )
        assert whole.shape == made.shape
        assert likeness.Original(whole).likeness(made) >= 93


@pytest.mark.parametrize("quality", [60, 85, 93])
def test_with_coarser_steps_every_bit_is_seen(quality: int) -> None:
    """So all of them are read."""
    assert progressive.coarse(_photograph(quality)) is None


def test_without_refinement_there_is_nothing_to_leave_out() -> None:
    """And a file that ends early is left to the decoder here, too."""
    data = _photograph(98)
    assert progressive.coarse(_photograph(98)[: len(data) // 2]) is None
    assert progressive.coarse(progressive.coarse(data) or b"") is None


def test_only_what_is_shared_is_decoded_without_the_last_bits() -> None:
    """One picture alone is made of all that the file says."""
    data = _photograph(98)
    header = jpeg.read(data)
    half = (header.width // 2, header.height // 2)
    whole = simplejpeg.decode_jpeg(data, "RGB", min_width=half[0], min_height=half[1])
    assert np.array_equal(turbo.decode(data, header, half), whole)
    assert not np.array_equal(turbo.decode(data, header, half, alike=True), whole)
    full = (header.width, header.height)
    whole = simplejpeg.decode_jpeg(data, "RGB")
    assert np.array_equal(turbo.decode(data, header, full, alike=True), whole)


@given(st.binary(max_size=300))
def test_garbage_is_not_for_it(data: bytes) -> None:
    """Whatever comes: None, or something; never an exception."""
    for shorten in (progressive.slim, progressive.coarse):
        shorten(b"\xff\xd8" + data)
        shorten(_SAMPLE[: len(data) * 7] + data + _SAMPLE[len(data) * 8 :])


_SAMPLE = _jpeg(96, 64)


@pytest.mark.parametrize("length", range(1, 129))
def test_a_table_that_is_cut_off_is_no_mistake_of_ours(length: int) -> None:
    """Steps of 16 bits, half of one missing: whether it is damaged is for a decoder to say."""
    table = b"\x10" + bytes(length)
    segment = b"\xff\xdb" + (2 + len(table)).to_bytes(2, "big") + table
    data = b"\xff\xd8" + segment + b"\xff\xd9"
    assert progressive.coarse(data) is None
    assert progressive.slim(data) is None
