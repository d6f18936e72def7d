"""Which build of the decoders and encoders makes the pixels, by name, without importing them.

The name is part of every recipe, so that a new build gives new keys. It is read from the names of
the installed packages' folders: the Preprocessor must stay too small to import them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

UNKNOWN = "0"
_PACKAGES = ("pyvips_binary", "simplejpeg")
_FOLDER = re.compile(r"(?P<name>\w+)-(?P<version>[0-9a-z.]{1,16})\.dist-info")


def build(search: Iterable[str] | None = None) -> str:
    """Name the build, as ``PYVIPS-BINARY-VERSION-SIMPLEJPEG-VERSION``; ``0`` stands for not found.

    ``search`` is the folders to look in, by default those that imports look in.
    """
    versions: dict[str, str] = {}
    for folder in sys.path if search is None else search:
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208 - names only, as cheap as can be
        except OSError:
            continue
        for entry in entries:
            matched = _FOLDER.fullmatch(entry)
            if matched and matched["name"] in _PACKAGES:
                versions.setdefault(matched["name"], matched["version"])
    return "-".join(versions.get(name, UNKNOWN) for name in _PACKAGES)
