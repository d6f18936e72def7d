"""What libvips says may quote a file's own bytes, which need not be UTF-8: it is read all the same.

pyvips (3.2) decodes messages and metadata strictly, so a damaged file could end in a
UnicodeDecodeError instead of `pyvips.Error`. Nothing else of it is changed.
"""

from __future__ import annotations

from typing import Any

import pyvips
from pyvips import error, gvalue


def text(pointer: Any) -> str:
    """Read a C string, with a mark for each byte that is no UTF-8."""
    if pointer == pyvips.ffi.NULL:
        return "NULL"
    found = pyvips.ffi.string(pointer)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def read_all() -> None:
    """Read every message and every text so, from now on in this process."""
    for module in (pyvips, error, gvalue):
        module._to_string = text  # noqa: SLF001 - there is no public place for it
