"""The shape that every image server has for a bench, and the recipe they are all given."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

WORKERS = 2
"""Worker processes (or cores' worth of threads) that every contender gets."""
OPTIMISE_HUFFMAN = True
"""Whether a JPEG gets Huffman tables of its own: a few per cent fewer bytes for more time. All are
levelled to what Dynimo's encoder does; the outputs' markers are read to see that it is so."""
WEBP_EFFORT = 2
"""libwebp's method that all are asked for (0 is fastest, 6 is best): what Dynimo uses."""
AVIF_EFFORT = 1
"""libvips' AVIF effort that all are asked for (0 is fastest): what Dynimo uses for such sizes."""
AVIF_SPEED = 9 - AVIF_EFFORT
"""The same, as libaom counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Fit within ``side`` x ``side`` pixels, in ``format`` (``jpeg``, ``webp``, ``avif``)."""

    format: str = "jpeg"
    side: int = 512
    quality: int = 80


class Running(Protocol):
    """A server that answers. ``ports`` share the load; ``pids`` are the roots of its trees."""

    @property
    def ports(self) -> Sequence[int]:
        """Where to ask."""

    @property
    def pids(self) -> list[int]:
        """Whose memory to count."""


class Contender(Protocol):
    """An image server that can be installed, started and asked."""

    name: str

    def install(self) -> str:
        """Make sure it is here; return its versions, for the report.

        Raises:
            setting.Unavailable: it cannot be had here; the message says why.
        """

    def settings(self) -> str:
        """Say in one line how it is run, for the report."""

    def start(self, sources: Path, recipe: Recipe) -> AbstractContextManager[Running]:
        """Serve the pictures below ``sources``; leaving the context stops it."""

    def target(self, path: str, recipe: Recipe) -> str:
        """Return the request target for the picture ``path`` below ``sources``."""
