"""A row of the table of parameters, and the tools with which rows become operations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from ops import values
from parameters.readers import Reader

Given: TypeAlias = Mapping[str, Any]
"""Checked values by the names of their parameters."""


@dataclass(frozen=True, slots=True)
class Row:
    """``means`` is a sentence for the reference; ``needs`` what must be given beside it, if any."""

    name: str
    reader: Reader
    means: str
    needs: str = ""


def scaled(length: values.Length, dpr: Decimal) -> values.Length:
    """Give a length on a screen of that density; shares stay shares."""
    if dpr == 1 or length.share:
        return length
    return values.Length(values.rounded(length.value * dpr))
