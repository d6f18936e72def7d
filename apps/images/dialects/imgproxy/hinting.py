"""What a client says of its screen, where imgproxy is told to listen; only where it matters. Pure.

Numbers count in thousandths. imgproxy makes a picture for each, so each is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from dialects.imgproxy.said import ONE, Said
from dynimo.sdk import selecting
from ops import geometry

DPR_MAX = 8
"""A client's word on its screen is believed up to here."""
DPR = ("sec-ch-dpr", "dpr")
WIDTH = ("sec-ch-width", "width")
_UNSAID = -1


class Hinting:
    """One request's hints; ``apart`` are the headers that were looked at (`http.forward`)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.apart: dict[str, str] = {}
        self._headers = headers

    def begin(self, said: Said) -> None:
        """Mark what a URL may say, before it is read."""
        said.w, said.dpr = _UNSAID, Decimal(_UNSAID)

    def fill(self, said: Said) -> None:
        """Let the hints say what the URL left open."""
        width = self._number(WIDTH, geometry.SIDE_MAX) if said.w == _UNSAID else None
        hinted = None
        if said.dpr == _UNSAID or width is not None:  # a hinted width is one of screen pixels
            hinted = self._number(DPR, DPR_MAX) or ONE
        if said.dpr == _UNSAID:
            said.dpr = hinted or ONE
        if said.w == _UNSAID:
            said.w = int((width or 0) / (hinted or ONE) + Decimal("0.5"))

    def _number(self, names: Sequence[str], most: int) -> Decimal | None:
        for name in names:
            self.apart[name] = selecting.BY_NUMBER
            found = selecting.number(self._headers.get(name, ""))
            if found is not None and found <= most:
                return found
        return None
