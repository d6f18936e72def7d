"""What a client's hints say about its screen and its wishes: density, width, saving data. Pure.

Client Hints (RFC 8942; Responsive Image Client Hints; Save-Data). Only hints that the deployment
names are looked at, only where they matter, and only by the steps that they are rounded up to:
each one multiplies what caches hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from dynimo.sdk import selecting

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
WIDTHS = tuple(map(Decimal, range(WIDTH_STEP, WIDTH_MAX + 1, WIDTH_STEP)))
SAVING = Decimal("0.7")
"""What quality is multiplied by for who wants to save data; density is 1 then."""
QUALITY_LEAST = 30


class Hints:
    """What one request says, looked up when it matters; what was looked at is in ``apart``.

    ``apart`` maps headers to how their values are told apart (`http.forward`).
    """

    def __init__(self, headers: Mapping[str, str], wanted: Iterable[str]) -> None:
        self.apart: dict[str, str] = {}
        self._headers = headers
        self._wanted = frozenset(wanted)

    def quality(self, quality: int) -> int:
        """Give the quality for this client; 0 stays the encoder's own."""
        if not quality or not self._saves():
            return quality
        return max(min(quality, QUALITY_LEAST), int(quality * SAVING))

    def size(
        self, w: int | None, h: int | None, dpr: Decimal | None, widths: Iterable[int] = ()
    ) -> tuple[int | None, int | None, Decimal | None]:
        """Give the sides and the density, where the URL says less than all.

        ``widths`` are those that a rule allows: the hinted width comes to the next larger one.
        """
        if w is None and h is None:
            hinted = self._step("width", tuple(map(Decimal, widths)) or WIDTHS)
            if hinted is not None:
                w, dpr = int(hinted), Decimal(1)
        if dpr is None and (w or h):
            dpr = self._step("dpr", DENSITIES)
        if dpr not in (None, 1) and self._saves():
            dpr = Decimal(1)
        return w, h, dpr

    def _step(self, hint: str, steps: tuple[Decimal, ...]) -> Decimal | None:
        """Give the step that the first header with a number comes to."""
        for name in HEADERS[hint] if hint in self._wanted else ():
            self.apart[name] = selecting.steps(steps)
            found = selecting.number(self._headers.get(name, ""))
            if found is not None:
                return selecting.step(found, steps)
        return None

    def _saves(self) -> bool:
        if selecting.SAVE_DATA not in self._wanted:
            return False
        self.apart[selecting.SAVE_DATA] = selecting.BY_ON
        return bool(selecting.on(self._headers.get(selecting.SAVE_DATA, "")))


def accept_ch(wanted: Iterable[str]) -> str:
    """Print the header that asks browsers for these hints; Save-Data comes unasked."""
    asked = [name for hint in wanted if hint != "save-data" for name in HEADERS[hint]]
    return ", ".join(
        "-".join(
            {"ch": "CH", "dpr": "DPR"}.get(part, part.capitalize()) for part in name.split("-")
        )
        for name in asked
    )
