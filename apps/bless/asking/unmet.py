"""The one way in which a part of a rule says that it does not hold, with the words for it."""

from __future__ import annotations

SHOWN_CHARACTERS_MAX = 64
SHOWN_ITEMS_MAX = 8


class Unmet(ValueError):
    """A part of a rule does not hold; the text says which and why, and is fit for the asker."""


def shown(text: str) -> str:
    """Text of unknown origin for a message: short ASCII, control characters written out."""
    return ascii(text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…")


def listed(texts: tuple[str, ...]) -> str:
    """The first few of them, for a message."""
    more = len(texts) - SHOWN_ITEMS_MAX
    return ", ".join(texts[:SHOWN_ITEMS_MAX]) + (f" and {more} more" if more > 0 else "")
