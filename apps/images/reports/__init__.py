"""What is told about a picture instead of the picture: one function a report, found by its name.

A recipe that ends in ``as:json`` names its report (`ops.output.Output.report`). A report is told by
the Generator, which has opened the source's header and nothing more; ``Seen.pixels`` decodes for
those who must. How JSON becomes an answer is `generate`'s; nothing here knows HTTP's validators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyvips

import decode
import refusals
from reports import iiif, imgproxy, info, thumbor
from reports.report import Seen, Told

__all__ = ["REPORTS", "Seen", "Told", "tell"]

REPORTS: Mapping[str, Callable[[Seen], Told]] = {
    "imgproxy": imgproxy.tell,
    "info": info.tell,
    "thumbor": thumbor.tell,
    **iiif.REPORTS,
}
"""Who tells what, by the name that recipes spell."""


def tell(seen: Seen) -> Told:
    """Tell what the recipe asks about.

    Raises:
        Refusal: 404, there is no such report; what the report itself refuses; or 422, the source
            cannot be decoded.
    """
    report = REPORTS.get(seen.recipe.out.report)
    if report is None:
        raise refusals.not_found()
    try:
        return report(seen)
    except pyvips.Error as error:
        raise decode.refused(error) from error
