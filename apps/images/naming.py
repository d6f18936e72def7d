"""How a browser calls a picture, and whether it saves it: Content-Disposition. Pure.

RFC 6266 (4.3: the fallback for those that know only ASCII), RFC 8187 (3.2: any other character).
"""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

NAME_MAX = 200
"""Characters of a file's name."""
_SAFE = "!#$&+-.^_`|~"
_EXTENSIONS = {"jpg": (".jpg", ".jpeg"), "tiff": (".tiff", ".tif")}


def disposition(name: str, fm: str, *, attach: bool) -> str:
    """Print the header; empty where nothing is to be said.

    The name gets the format's ending if it has another; folders, quotes and control characters
    are taken out of it.
    """
    clean = _clean(name)
    kind = "attachment" if attach else "inline"
    if not clean:
        return kind if attach else ""
    endings = _EXTENSIONS.get(fm, (f".{fm}",))
    if fm and not clean.lower().endswith(endings):
        clean += endings[0]
    plain = clean.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    printed = f'{kind}; filename="{plain}"'
    if plain != clean:
        printed += f"; filename*=UTF-8''{quote(clean, safe=_SAFE)}"
    return printed


def _clean(name: str) -> str:
    kept = "".join(
        "_" if character in '/\\"' else character
        for character in name[:NAME_MAX]
        if unicodedata.category(character)[0] != "C"
    )
    return kept.strip(" .")
