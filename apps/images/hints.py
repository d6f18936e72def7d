"""What a client's hints say about its screen and its wishes: density, width, saving data. Pure.

Client Hints (RFC 8942; Responsive Image Client Hints; Save-Data). Only hints that the deployment
names are looked at: each one multiplies what caches hold. Values are rounded to few steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

HEADERS: Mapping[str, tuple[str, ...]] = {
    "dpr": ("sec-ch-dpr", "dpr"),
    "width": ("sec-ch-width", "width"),
    "save-data": ("save-data",),
}
"""Hint → the headers that carry it, the standard's first and then the older name."""
DENSITIES = (Decimal(1), Decimal("1.5"), Decimal(2), Decimal(3))
"""What a density is rounded up to; nobody sees more than three."""
WIDTH_STEP = 100
"""What a width is rounded up to a multiple of."""
WIDTH_MAX = 4_000
SAVING = Decimal("0.7")
"""What quality is multiplied by for who wants to save data; density is 1 then."""
QUALITY_LEAST = 30
_NUMBER = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What was said; ``names`` are the headers that were looked at, for Vary."""

    dpr: Decimal | None = None
    width: int | None = None
    saving: bool = False
    names: tuple[str, ...] = ()

    def quality(self, quality: int) -> int:
        """Give the quality for this client; 0 stays the encoder's own."""
        if not self.saving or not quality:
            return quality
        return max(min(quality, QUALITY_LEAST), int(quality * SAVING))

    def size(
        self, w: int | None, h: int | None, dpr: Decimal | None, widths: Iterable[int] = ()
    ) -> tuple[int | None, int | None, Decimal | None]:
        """Give the sides and the density, where the URL says less than all.

        ``widths`` are those that a rule allows: the hinted width comes to the next larger one.
        """
        if w is None and h is None and self.width is not None:
            allowed = sorted(widths)
            larger = [each for each in allowed if each >= self.width]
            w, dpr = (larger or allowed[-1:] or [self.width])[0], Decimal(1)
        if dpr is None and (w or h) and self.dpr is not None:
            dpr = self.dpr
        return w, h, Decimal(1) if self.saving and dpr is not None else dpr


NONE = Hints()


def read(headers: Mapping[str, str], wanted: Iterable[str]) -> Hints:
    """Read the hints that the deployment wants; whatever is malformed says nothing."""
    told: dict[str, str] = {}
    names: list[str] = []
    for hint in wanted:
        names += HEADERS[hint]
        told[hint] = next((headers[name] for name in HEADERS[hint] if name in headers), "")
    return Hints(
        dpr=_density(told.get("dpr", "")),
        width=_width(told.get("width", "")),
        saving=told.get("save-data", "").strip().lower() == "on",
        names=tuple(names),
    )


def accept_ch(wanted: Iterable[str]) -> str:
    """Print the header that asks browsers for these hints; Save-Data comes unasked."""
    asked = [name for hint in wanted if hint != "save-data" for name in HEADERS[hint]]
    return ", ".join(
        "-".join(
            {"ch": "CH", "dpr": "DPR"}.get(part, part.capitalize()) for part in name.split("-")
        )
        for name in asked
    )


def _density(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text.strip()) or not (said := Decimal(text.strip())):
        return None
    return next((each for each in DENSITIES if each >= said), DENSITIES[-1])


def _width(text: str) -> int | None:
    if not _NUMBER.fullmatch(text.strip()) or not (said := Decimal(text.strip())):
        return None
    return min(
        -(-int(said.to_integral_value()) // WIDTH_STEP) * WIDTH_STEP or WIDTH_STEP, WIDTH_MAX
    )
