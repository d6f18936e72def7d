"""Which module opens which kind; nothing is opened here, and nothing optional imported."""

from __future__ import annotations

from collections.abc import Callable

import limits as limit_names
from decoding import avif_sequence, by_pillow, jp2, pdf, svg, video
from decoding.opened import Opened
from ops.output import Output

KINDS = frozenset({"svg", "pdf", avif_sequence.KIND, jp2.KIND, *by_pillow.NAMES, *video.DEMUXERS})
"""What is read here, and not by libvips itself."""


def open_source(
    data: bytes,
    kind: str,
    limits: limit_names.Limits,
    out: Output,
    judge: Callable[[bytes], object],
) -> Opened:
    """Open a source of one of ``KINDS``; ``judge`` refuses pictures that lie inside of it.

    Raises:
        Refusal: 422.
        pyvips.Error: it cannot be read.
    """
    if kind == "svg":
        return svg.open_drawing(data, limits, out.density, judge)
    if kind == "pdf":
        return pdf.open_page(data, limits, page=out.page, density=out.density)
    if kind == avif_sequence.KIND:
        return avif_sequence.open_sequence(data, limits, page=out.page)
    if kind == jp2.KIND:
        return jp2.open_picture(data, limits)
    if kind in by_pillow.NAMES:
        return by_pillow.open_picture(data, kind, limits)
    return video.open_frame(data, kind, limits, out.second)
