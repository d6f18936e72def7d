"""Colours as URLs and rules write them, and their one canonical spelling.

A colour is ``(red, green, blue, alpha)``, each 0 to 255. Pure.
"""

from __future__ import annotations

import re

from colour_names import NAMED

Colour = tuple[int, int, int, int]

WHITE: Colour = (255, 255, 255, 255)
ALLOWED = (
    "a colour as rgb, rrggbb or rrggbbaa in hexadecimal, or one of "
    "black, white, red, green, blue, yellow, gray, transparent, or another name of CSS"
)
NAMES: dict[str, Colour] = {
    "black": (0, 0, 0, 255),
    "white": WHITE,
    "red": (255, 0, 0, 255),
    "green": (0, 128, 0, 255),
    "blue": (0, 0, 255, 255),
    "yellow": (255, 255, 0, 255),
    "gray": (128, 128, 128, 255),
    "transparent": (255, 255, 255, 0),
    **{name: (rgb[0], rgb[1], rgb[2], 255) for name, rgb in NAMED.items()},
}
_HEX = re.compile(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def parse(text: str) -> Colour | None:
    """Read a colour in any spelling; None when it is none."""
    if text.lower() in NAMES:
        return NAMES[text.lower()]
    if not _HEX.fullmatch(text):
        return None
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha


def spell(colour: Colour) -> str:
    """Print the canonical spelling: lower-case rrggbb, or rrggbbaa when not opaque."""
    return bytes(colour if colour[3] < 255 else colour[:3]).hex()


def on_white(colour: Colour) -> Colour:
    """Give the opaque colour one sees when ``colour`` lies on white."""
    alpha = colour[3]
    red, green, blue = ((part * alpha + 255 * (255 - alpha) + 127) // 255 for part in colour[:3])
    return red, green, blue, 255
