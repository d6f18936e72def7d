"""The encoder of answers, held against the one of AWS's own runtime."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import math
import sys
from typing import Any, NamedTuple

import pytest

from dynimo.runtime import marshalling

theirs = pytest.importorskip("awslambdaric.lambda_runtime_marshaller")


class Point(NamedTuple):
    x: Any
    y: Any


class Number(enum.IntEnum):
    ONE = 1


class Text(enum.StrEnum):
    A = "a\u00fc"


class Own(dict[str, Any]):
    pass


VALUES: list[Any] = [
    None, True, 0, -1, 10**40, 1.5, 1e300, -0.0, math.nan, math.inf, -math.inf,
    "", "a\"\\\n\t\x00\x7f/", "\u00fc\u2028\U0001f600", [], {}, (), [[]], {"a": []},
    {7: 1, 2.5: 2, None: 3, True: 4, "\u00fc": 5}, (1, (2, [3])), Point(1, Point(2, [])),
    [Point(1, 2)], decimal.Decimal("1.10"), decimal.Decimal("NaN"), [decimal.Decimal("-0")],
    decimal.Decimal("1E+400"), [b"bytes"], {b"key": b"value"}, Number.ONE, Text.A, Own(a=Own()),
    {Number.ONE: Text.A}, collections.OrderedDict(b=1, a=2), collections.defaultdict(int, {"a": 1}),
    [True, Number.ONE, decimal.Decimal(3)], "\ud800",
]  # fmt: skip


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Theirs, as under the Python that this is."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python{version}")
    return theirs.Encoder()


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_values_are_encoded_alike(encoder: Any, value: Any) -> None:
    """Byte for byte."""
    assert marshalling.encode(value) == encoder.encode(value).encode()


@pytest.mark.parametrize(
    "value",
    [{1}, object, dt.date(2026, 1, 1), {(1,): 2}, [complex(1)], {"a": {"b": {frozenset()}}}],
    ids=ascii,
)
def test_what_cannot_be_said_is_refused_alike(encoder: Any, value: Any) -> None:
    """With the same words."""
    with pytest.raises(TypeError) as expected:
        encoder.encode(value)
    with pytest.raises(TypeError) as got:
        marshalling.encode(value)
    assert str(got.value) == str(expected.value)


def test_a_circle_is_refused() -> None:
    """The same thing twice is no circle."""
    twice = [Point(1, 2)]
    assert marshalling.encode([twice, twice]) == b'[[{"x": 1, "y": 2}], [{"x": 1, "y": 2}]]'
    circle: list[Any] = [Point(1, 2)]
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular reference detected"):
        marshalling.encode(circle)
