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
_EXTRAS = {
    "pillow": "i", "pillow_heif": "h", "pillow_jxl_plugin": "x", "pypdfium2": "p",
    "imageio_ffmpeg": "v",
}  # fmt: skip
"""Optional packages that make pixels or bytes, and the letter before their version."""
_FOLDER = re.compile(r"(?P<name>\w+)-(?P<version>[0-9a-z.]{1,16})\.dist-info")


def build(search: Iterable[str] | None = None) -> str:
    """Name the build, as ``PYVIPS-BINARY-VERSION-SIMPLEJPEG-VERSION``; ``0`` stands for not found.

    Optional packages that are there follow: ``8.18.7-1.9.0-h1.8.1``.
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
            if matched and matched["name"] in (*_PACKAGES, *_EXTRAS):
                versions.setdefault(matched["name"], matched["version"])
    extras = [letter + versions[name] for name, letter in _EXTRAS.items() if name in versions]
    return "-".join([*(versions.get(name, UNKNOWN) for name in _PACKAGES), *extras])
