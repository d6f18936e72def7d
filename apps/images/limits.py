"""How much the app takes on: every limit with its name, and the reader of a deployment's own.

Values only; each limit is enforced where the thing it limits happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MIB = 1 << 20


class LimitsError(ValueError):
    """The deployment's ``limits`` table has an unknown name or an impossible value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused when exceeded. Bytes, pixels, counts; ``*_seconds`` in seconds."""

    source_bytes: int = 64 * MIB
    """Size of a source file, as stored or transferred."""
    source_pixels: int = 64_000_000
    """Width x height of a source, as its header declares."""
    source_side: int = 65_500
    """Width or height of a source, as its header declares."""
    frames: int = 2_000
    """Frames or pages of a source, used or not."""
    animation_pixels: int = 32_000_000
    """Pixels of all frames of an animation, as they come and as they go."""
    jpeg_scans: int = 60
    """Scans of a progressive JPEG; each costs a pass over the whole picture."""
    decode_bytes: int = 320 * MIB
    """Estimated memory that decoding needs at once."""
    output_side: int = 8_192
    """Width or height of the picture made."""
    output_pixels: int = 40_000_000
    """Width x height of the picture made."""
    avif_pixels: int = 12_000_000
    """Up to here AVIF is made; larger pictures become JPEG or PNG, because AVIF's encoder takes
    about 23 bytes of memory and 100 ns a pixel."""
    avif_wait_pixels: int = 2_000_000
    """Up to here a client waits for an AVIF that was negotiated; of what is larger it gets another
    format first, and AVIF follows."""
    connect_seconds: float = 3.0
    """Until a source's server takes the connection."""
    read_seconds: float = 5.0
    """Between two pieces of a source's answer."""
    fetch_seconds: float = 10.0
    """A whole download, redirects included."""
    redirects: int = 3
    """Redirects followed in one download."""


def read(table: object) -> Limits:
    """Make limits of a deployment's ``limits`` table; names left out keep their defaults.

    Raises:
        LimitsError: an unknown name, or a value that is not a positive number.
    """
    if not isinstance(table, Mapping):
        raise LimitsError("limits must be a table")
    known = {field.name: field.type for field in fields(Limits)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise LimitsError(f"limits: unknown name {name!r}; allowed: {', '.join(known)}")
        kinds = (int,) if known[name] == "int" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or value <= 0:
            raise LimitsError(f"limits: {name} = {value!r} must be a number above 0")
        values[name] = value
    return Limits(**values)
