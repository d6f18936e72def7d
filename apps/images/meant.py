"""Which name somebody may have meant who wrote another one. Pure; only for messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAME_MAX = 32
"""Characters of a name for which others are looked for."""


def closest(name: str, known: Iterable[str], also: Mapping[str, str] | None = None) -> str:
    """Give the known name that another one is a slip of; "" if there is none.

    It differs in case, in one character, or in two that changed places. ``also`` are other words
    for known names.
    """
    written = name[: NAME_MAX + 1].lower()
    if not written or len(written) > NAME_MAX:
        return ""
    if also and written in also:
        return also[written]
    names = list(known)
    alike = [each for each in names if each.lower() == written]
    if len(written) > 1:
        alike += [each for each in names if len(each) > 1 and _is_slip(written, each.lower())]
    return alike[0] if alike else ""


def _is_slip(written: str, meant: str) -> bool:
    """Tell whether one of two has a character more, another one, or two in another order."""
    shorter, longer = sorted((written, meant), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    at = next((i for i, each in enumerate(shorter) if each != longer[i]), len(shorter))
    if len(shorter) < len(longer):
        return shorter[at:] == longer[at + 1 :]
    swapped = longer[at + 1 : at + 2] + longer[at : at + 1] + longer[at + 2 :]
    return shorter[at + 1 :] == longer[at + 1 :] or shorter[at:] == swapped


def asked(meant: str) -> str:
    """Print a question behind a message; "" where nothing was found."""
    return f"; did you mean {meant}?" if meant else ""
