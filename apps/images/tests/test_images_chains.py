"""Chains of any operations on any small picture: the size that was foretold, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import colours
import limits
import refusals
import render
import shapes
from ops import base, effects, geometry, values
from ops.base import Between, Op, Text
from pixels import table
from pixels.canvas import Scene
from worked import MODES, canvas

SMALL = limits.Limits(output_pixels=40_000, output_side=600, source_side=2_000)
SCENE = Scene(limits=SMALL, fetch=render.nowhere)
NEAR = 60
"""Most numbers are at most this, as the pictures are small; some are as large as they may be."""
KINDS = [
    kind
    for kind in table.WORK
    if kind.__module__ in ("ops.geometry", "ops.effects") and kind is not effects.Detections
]
TEXTS = {
    effects.Mask: st.just(""),
    effects.Curve: st.sampled_from(["", "0 255 255 0", "0 0 9 90 200 100 255 255", "1 2 3"]),
    effects.Convolve: st.sampled_from(["1", "0 1 2 3 4 5 6 7 8", "-1 0 1", "x", ""]),
}


def decimals(limit: Between) -> st.SearchStrategy[Decimal]:
    least, most = Decimal(limit.least), Decimal(limit.most)
    near = st.decimals(max(least, Decimal(-NEAR)), min(most, Decimal(NEAR)), places=2)
    return near | st.sampled_from([least, most])


def integers(limit: Between) -> st.SearchStrategy[int]:
    least, most = int(limit.least), int(limit.most)
    return st.integers(max(least, -NEAR), min(most, NEAR)) | st.sampled_from([least, most])


def lengths(limit: Between) -> st.SearchStrategy[values.Length]:
    shares = st.decimals(Decimal(-1 if limit.least < 0 else 0), Decimal(2), places=2)
    return integers(limit).map(values.pixels) | shares.map(values.share)


GRAVITIES = st.one_of(
    st.builds(
        values.Gravity,
        st.sampled_from(values.SIDES),
        st.integers(-NEAR, NEAR).map(values.pixels),
        st.decimals(-1, 1, places=2).map(values.share),
    ),
    st.builds(values.focal, st.decimals(0, 1, places=2), st.decimals(0, 1, places=2)),
    st.sampled_from([values.Gravity("attention"), values.Gravity("entropy")]),
)
BYTES = st.integers(0, 255)
LIMITED: dict[Any, Callable[[Between], st.SearchStrategy[Any]]] = {
    Decimal: decimals, int: integers, values.Length: lengths,
}  # fmt: skip
FREE: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(), values.Gravity: GRAVITIES,
    colours.Colour: st.tuples(BYTES, BYTES, BYTES, st.sampled_from([0, 128, 255])),
}  # fmt: skip


def argument(kind: type[Op], hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Annotated:
        bare, limit = get_args(hint)
        return LIMITED[bare](limit)
    if get_origin(hint) is Literal:
        return st.sampled_from([word for word in get_args(hint) if word != "file"])
    return TEXTS[kind].map(Text) if hint is Text else FREE[hint]


def operations(kind: type[Op]) -> st.SearchStrategy[Op]:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return st.builds(kind, **{name: argument(kind, hints[name]) for name in names})


ANY = st.sampled_from(KINDS).flatmap(operations)
SIDES = st.sampled_from([1, 2, 3, 17, 40])


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    mode = draw(st.sampled_from(["L", "RGB", "RGBA"]))
    size = draw(SIDES), draw(SIDES)
    count = size[0] * size[1] * len(mode if mode != "L" else "L")
    pattern = draw(st.binary(min_size=1, max_size=24))
    return Image.frombytes(mode, size, (pattern * (count // len(pattern) + 1))[:count])


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(pictures(), st.lists(ANY, min_size=1, max_size=5))
def test_any_chain_gives_what_was_foretold(image: Image.Image, ops: list[Op]) -> None:
    """A valid picture of the size that `shapes` says, or a refusal of the request."""
    base.check_all(ops)
    try:
        done = table.apply(canvas(image), ops, SCENE)
        data = done.image.write_to_memory()
    except refusals.Refusal as refusal:
        assert 400 <= refusal.status < 500
        return
    made = Image.frombytes(MODES[done.image.bands], done.size, data)
    assert made.size == (done.image.width, done.image.height)
    assert done.image.format == "uchar"
    if not any(isinstance(op, geometry.Trim) for op in ops):
        size = image.size
        for op in ops:
            size = shapes.after(size, op)
        assert made.size == size


@settings(deadline=None, max_examples=30)
@given(pictures(), st.lists(ANY, min_size=1, max_size=4))
def test_a_chain_gives_equal_bytes_again(image: Image.Image, ops: list[Op]) -> None:
    """Nothing depends on what ran before, or on chance."""
    made = []
    for _ in range(2):
        try:
            made.append(table.apply(canvas(image), ops, SCENE).image.write_to_memory())
        except refusals.Refusal as refusal:
            made.append(refusal.message)
    assert made[0] == made[1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.op_name)
def test_any_operation_is_spelled_and_read_back(kind: type[Op]) -> None:
    """Whatever its arguments; those of the chains above are such."""

    @settings(deadline=None, max_examples=15)
    @given(operations(kind))
    def check(op: Op) -> None:
        assert base.parse(base.spell(op)) == op

    check()
