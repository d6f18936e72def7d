"""One page of a PDF, drawn by PDFium in the size that is needed. The package is an extra."""

from __future__ import annotations

from typing import Any

import pyvips

import extras
import limits as limit_names
import refusals
from decoding.opened import Opened, check_memory, check_size

DENSITY = 144
"""Pixels an inch of a page whose size nobody says: twice its points."""
POINTS = 72
BYTES_PER_PIXEL = 12


def open_page(data: bytes, limits: limit_names.Limits, *, page: int, density: int) -> Opened:
    """Open the page with that number, from 0.

    Raises:
        Refusal: 422; the package is missing, there is no such page, or it is damaged or too large.
    """
    pdfium = extras.load("pypdfium2", "PDF")
    try:
        document = pdfium.PdfDocument(data)
        pages = len(document)
    except pdfium.PdfiumError as error:
        raise _damaged() from error
    if page >= pages:
        raise refusals.unusable("no_such_page", f"the source has {pages} pages, no page {page + 1}")
    try:
        found = document[page]
        across, down = found.get_size()
    except pdfium.PdfiumError as error:
        raise _damaged() from error
    scale = (density or DENSITY) / POINTS
    width, height = round(across * scale), round(down * scale)
    check_size(width, height, limits)

    def draw(w: int, h: int) -> pyvips.Image:
        check_memory(BYTES_PER_PIXEL * w * h, limits)
        return _drawn(pdfium, found, max(w / across, h / down))

    return Opened(width=width, height=height, has_alpha=False, draw=draw, vector=True)


def _drawn(pdfium: Any, page: Any, scale: float) -> pyvips.Image:
    try:
        bitmap = page.render(scale=scale, rev_byteorder=True, no_smoothtext=False)
        width, height, stride = bitmap.width, bitmap.height, bitmap.stride
        rows, bands = bytes(bitmap.buffer), bitmap.n_channels
    except (pdfium.PdfiumError, ValueError, MemoryError) as error:
        raise _damaged() from error
    image = pyvips.Image.new_from_memory(rows, stride // bands, height, bands, "uchar")
    image = image.crop(0, 0, width, height).copy(interpretation="srgb" if bands >= 3 else "b-w")
    return (image.extract_band(0, n=3) if bands == 4 else image).copy_memory()


def _damaged() -> refusals.Refusal:
    return refusals.unusable("damaged", "the PDF is damaged, or needs a password")
