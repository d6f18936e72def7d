"""What a path's image stands for: a file of a source, an address, or a colour. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import colours
import paths
import refusals
import solid
import urls
from dialects.thumbor import arguments
from dialects.thumbor.arguments import Skip

COLOUR = "color:"
_BASE64 = "b64:"
_ADDRESS = re.compile(r"(?i:(https?)):/{1,2}(?!/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The named sources, and the patterns of addresses that may be asked for.

    ``default`` is the source of files that name none, if there is one.
    """

    named: Mapping[str, str]
    addresses: tuple[str, ...] = ()
    default: str = ""


def resolve(image: str, known: Known) -> tuple[str, str]:
    """Give source and path of an image as a URL writes it, still percent-encoded.

    Raises:
        Refusal: 400 for what cannot be decoded; 404 for what is not there.
    """
    text = paths.decode(image)
    if text.startswith(_BASE64):
        text = paths.decode(paths.encode(arguments.encoded(text.rstrip("/"))))
    return place(text, known)


def place(text: str, known: Known) -> tuple[str, str]:
    """Give source and path of a decoded reference.

    Raises:
        Refusal: as `resolve`.
    """
    if text.startswith(COLOUR):
        return solid.NAME, solid.path(_colour(text.removeprefix(COLOUR)))
    if _ADDRESS.match(text):
        name, path = _address([_ADDRESS.sub(r"\1://", text, count=1)], known) or ("", "")
        return _checked(name, path)
    name, _, path = text.partition("/")
    if name in known.named and paths.is_plain(path):
        return name, path
    found = _address([f"https://{text}", f"http://{text}"], known)
    if not found and known.default not in known.named:
        raise refusals.not_found(
            f"{name!r} is no source ({', '.join(known.named) or 'none'}), and no part of a URL that"
            " may stand before one; /thumbor/params/… tells how a path is read"
        )
    return found or _checked(known.default, text)


def _checked(name: str, path: str) -> tuple[str, str]:
    if not name or not (name in paths.ADDRESSES or paths.is_plain(path)):
        raise refusals.not_found()
    return name, path


def _address(tried: list[str], known: Known) -> tuple[str, str] | None:
    """Give the first address that is allowed; thumbor's URLs mostly leave out ``https://``."""
    for text in tried if known.addresses else ():
        found = urls.place(text)
        if found and urls.is_allowed(urls.address(*found), known.addresses):
            return found
    return None


def _colour(text: str) -> colours.Colour:
    try:
        return arguments.colour(text.strip("/"))
    except Skip:
        raise refusals.parameter("color", text, colours.ALLOWED) from None
