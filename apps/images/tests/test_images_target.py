"""Quality by target: the metric, the search, and that an asset is learnt about once."""

from __future__ import annotations

import io
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import learning
import limits
import making
import recipe as recipes
from encoding import likeness
from ops import geometry, values
from ops.output import Output

SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def small(size: tuple[int, int] = (400, 250)) -> Image.Image:
    with Image.open(SAMPLE) as image:
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def squeezed(image: Image.Image, kind: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return Image.open(buffer).convert("RGB")


@pytest.fixture(scope="module")
def asset() -> bytes:
    """Give the sample in a size that is quick to read."""
    buffer = io.BytesIO()
    small((320, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def score(image: Image.Image, other: Image.Image) -> float:
    return likeness.Original(np.asarray(image)).likeness(np.asarray(other))


@pytest.mark.parametrize(
    ("kind", "quality", "told"),
    [("JPEG", 50, 57.8), ("JPEG", 80, 74.4), ("JPEG", 95, 88.0), ("WEBP", 78, 73.7)],
)
def test_the_metric_agrees_with_another_implementation(
    kind: str, quality: int, told: float
) -> None:
    """Within two points of the PyPI package ssimulacra2 0.3.0, run on the same pictures."""
    image = small()
    assert score(image, squeezed(image, kind, quality)) == pytest.approx(told, abs=2.5)


def test_a_picture_is_like_itself() -> None:
    """100, and less with every loss; any size can be judged."""
    image = small((120, 75))
    assert score(image, image) == pytest.approx(100, abs=0.1)
    worse = [score(image, squeezed(image, "JPEG", quality)) for quality in (95, 70, 40, 10)]
    assert worse == sorted(worse, reverse=True)
    for size in ((1, 1), (1, 300), (8, 8), (9, 17)):
        other = small(size)
        assert score(other, other) == pytest.approx(100, abs=0.1)


@given(st.integers(0, 120))
def test_the_search_finds_the_least_quality_that_is_enough(needed: int) -> None:
    """Or the best there is; in at most five looks."""
    looked: list[int] = []

    def reaches(quality: int) -> bool:
        looked.append(quality)
        return quality >= needed

    found = learning.least(reaches)
    enough = [quality for quality in learning.LADDER if quality >= needed]
    assert found == (enough[0] if enough else learning.LADDER[-1])
    assert len(looked) <= 5


def made(data: bytes, w: int = 200, **wishes: Any) -> making.Made:
    recipe = recipes.canonical(
        source="s", path="p", engine="1", out=Output(**wishes),
        ops=[geometry.Resize("inside", values.pixels(w))],
    )  # fmt: skip
    return making.make(data, recipe, limits.Limits())


@pytest.mark.parametrize("fm", ["jpg", "webp", "avif"])
def test_a_picture_looks_as_like_its_source_as_asked(fm: str, asset: bytes) -> None:
    """At the size that was learnt from: at least the target, and not much more."""
    original = Image.open(io.BytesIO(asset))
    told = []
    for target in (60, 80):
        body = made(asset, 320, fm=fm, target=Decimal(target)).body
        told.append(score(original, Image.open(io.BytesIO(body)).convert("RGB")))
    assert 59 <= told[0] < 70  # two decoders round differently
    assert 79 <= told[1] < 88


def noise() -> bytes:
    """A picture that is hard to squeeze, the same each time."""
    rows = random.Random(1).randbytes(200 * 150 * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (200, 150), rows).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_is_learnt_once_for_all_sizes(asset: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an asset, a format and a target; another of these is learnt anew."""
    counted: list[str] = []

    def counting(_: learning.Asset, out: Output) -> int:
        counted.append(out.fm)
        return 50

    monkeypatch.setattr(learning, "learn", counting)
    monkeypatch.setattr(making, "_LEARNT", learning.Learnt())
    for w in (100, 200, 300):
        made(asset, w, fm="jpg", target=Decimal(70))
    assert counted == ["jpg"]
    made(asset, fm="webp", target=Decimal(70))
    made(asset, fm="jpg", target=Decimal(71))
    made(noise(), fm="jpg", target=Decimal(70))
    assert counted == ["jpg", "webp", "jpg", "jpg"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least lately used is forgotten, and the answer stays the same."""
    monkeypatch.setattr(learning, "learn", lambda asset, out: len(asset.key))
    learnt = learning.Learnt(most=3)
    for number in range(50):
        asset = learning.Asset("k" * number, b"", limits.Limits())
        out = learnt.settle(Output(fm="jpg", target=Decimal(70)), asset)
        assert out.quality == number
    assert len(learnt) == 3


def test_the_same_target_gives_the_same_bytes(
    asset: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was remembered or not."""
    first = made(asset, fm="webp", target=Decimal(75)).body
    monkeypatch.setattr(making, "_LEARNT", learning.Learnt())
    assert made(asset, fm="webp", target=Decimal(75)).body == first


def test_a_target_beats_a_quality_and_means_nothing_without_loss() -> None:
    """In one spelling each."""
    one, other = (
        recipes.canonical(
            source="s", path="p", engine="1",
            out=Output(fm="jpg", quality=quality, target=Decimal(70)),
        )
        for quality in (50, 90)
    )  # fmt: skip
    assert one == other
    plain = Output(fm="png", target=Decimal(70))
    assert recipes.canonical(source="s", path="p", engine="1", out=plain).out.target == 0


def test_best_by_target_compares_what_looks_alike(asset: bytes) -> None:
    """Each format in its own quality for that target."""
    best = made(asset, fm="best", among="webp.jpg", target=Decimal(70))
    each = [made(asset, fm=fm, target=Decimal(70)) for fm in ("webp", "jpg")]
    assert best.body == min((one.body for one in each), key=len)
