"""Which settings to try next: lower quality until a file is small enough; candidates for `best`.

Pure: encoding itself is a callable. Every search has a bounded number of tries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from encoding import savers
from ops.output import FORMATS, QUALITIES, Output

TRIES_MAX = 5
"""Encodings beyond the first, in a search for a size: seven bits of quality need no more."""
QUALITY_FLOOR = 10
"""Below, a picture is no picture; what is still too large then stays too large."""
PALETTES = (256, 64, 16, 4, 2)
BEST = ("webp", "jpg", "png")
"""What `best` tries where the recipe names nothing: what every client shows."""

_NO_PICTURES = ("source", "best", "original", "json", "svg", "mp4")

Try = Callable[[Output], bytes]


def candidates(out: Output, *, clear: bool) -> list[Output]:
    """Give what `best` compares; JPEG only where nothing is ``clear`` (transparent)."""
    named = [name for name in out.among.split(".") if name in FORMATS and name not in _NO_PICTURES]
    kept = [name for name in dict.fromkeys(named or BEST) if not (clear and name == "jpg")]
    return [replace(out, fm=name) for name in kept or ["png"]]  # type: ignore[arg-type]


def fit(out: Output, body: bytes, attempt: Try) -> bytes:
    """Find the best quality (or the largest palette) whose file has at most ``bytes_max``.

    ``body`` is too large. Gives the smallest file seen where nothing fits.
    """
    if out.fm in ("png", "gif"):
        return _palettes(out, body, attempt)
    if out.fm not in QUALITIES:
        return body
    lossy = replace(out, lossless=False)
    most = (savers.quality(out) or 80) if not out.lossless else 100
    smallest, fits = body, b""
    low, high = QUALITY_FLOOR, most - 1
    guess = _first_guess(most, len(body) / out.bytes_max)
    for _ in range(TRIES_MAX):
        if low > high:
            break
        made = attempt(replace(lossy, quality=guess))
        if len(made) <= out.bytes_max:
            fits, low = made, guess + 1
        else:
            smallest, high = min(smallest, made, key=len), guess - 1
        guess = (low + high) // 2
    if fits:
        return fits
    if low == QUALITY_FLOOR <= high:
        made = attempt(replace(lossy, quality=QUALITY_FLOOR))
        smallest = min(smallest, made, key=len)
    return smallest


def _first_guess(most: int, times: float) -> int:
    """Guess the quality from how many times too large the first file is."""
    part = 0.25 if times > 3 else 0.5 if times > 1.5 else 0.75
    return max(QUALITY_FLOOR, min(most - 1, int(most * part)))


def _palettes(out: Output, body: bytes, attempt: Try) -> bytes:
    most = out.colours or 257
    for count in PALETTES:
        if count < most:
            made = attempt(replace(out, colours=count, depth=0))
            body = min(body, made, key=len)
            if len(made) <= out.bytes_max:
                return made
    return body
