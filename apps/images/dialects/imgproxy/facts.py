"""``/imgproxy/info/SIGNATURE/OPTIONS/SOURCE``: which facts are asked for (imgproxy Pro). Pure.

The facts are named in one text, which the report ``imgproxy`` reads back: ``size palette=8``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dialects.imgproxy import arguments as read
from dialects.imgproxy import options, wrong
from dialects.imgproxy.reading import Option
from dialects.imgproxy.said import Said

REPORT = "imgproxy"
NAMES: Mapping[str, str] = {
    "size": "size", "s": "size", "format": "format", "f": "format", "dimensions": "dimensions",
    "d": "dimensions", "exif": "exif", "detect_objects": "objects", "do": "objects",
    "average": "average", "avg": "average",
}  # fmt: skip
"""Facts that are told or not, by the options' names."""
DEFAULT = ("size", "format", "dimensions", "exif")
ABSENT = frozenset({"iptc", "xmp", "video_meta", "vm", "dominant_colors", "dc"})
"""Facts that nobody tells here: refused where they are switched on."""
COLOURS_MAX = 256
COMPONENTS_MAX = 9


def asked(said: Said, given: Sequence[Option]) -> str:
    """Give the facts, in one order, so that equal questions are spelled alike.

    Raises:
        Refusal: 404; an option is not known here, or has an argument that it cannot have.
    """
    told = dict.fromkeys(DEFAULT, "")
    for name, args in given:
        if name in NAMES:
            told.pop(NAMES[name], None)
            if read.flag(args[0]):
                told[NAMES[name]] = ""
        elif name in ("palette", "p"):
            _set(told, "palette", _palette(args[0]))
        elif name in ("blurhash", "bh"):
            _set(told, "blurhash", _blurhash(args))
        elif name in ("cachebuster", "cb"):
            options.cachebuster(said, args)
        elif name in ("expires", "exp"):
            options.expires(said, args)
        elif name not in ABSENT or read.flag(args[0]):
            raise wrong.unsupported(f"info:{name[: wrong.SHOWN_MAX]}")
    return " ".join(f"{name}={how}" if how else name for name, how in sorted(told.items()))


def _set(told: dict[str, str], name: str, how: str) -> None:
    told.pop(name, None)
    if how:
        told[name] = how


def _palette(text: str) -> str:
    count = read.whole("palette", text, 0, COLOURS_MAX)
    if count == 1:
        raise wrong.option("palette", text, f"0, or from 2 to {COLOURS_MAX}")
    return str(count or "")


def _blurhash(args: read.Arguments) -> str:
    across, down = (read.whole("blurhash", each, 0, COMPONENTS_MAX) for each in (*args, "0")[:2])
    return f"{across}x{down}" if across and down else ""
