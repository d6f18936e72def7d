"""The numbers of the IIIF Image API: plain decimals, never negative, never an exponent. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

WHOLE = r"([0-9]{1,9})"
NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,12})?)"
_NUMBER = re.compile(NUMBER)


def number(text: str) -> Decimal | None:
    """Read a number; None for what is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) and text.isascii() else None
