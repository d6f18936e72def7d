"""The fonts that words are set in: those that come with the app, and a folder of the deployment's.

Nothing of the machine's own is ever used, so that a text has the same pixels everywhere. Fonts are
the whole process's (fontconfig's are), hence this module's state: what `use` says, once.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import refusals
import sfnt

BUNDLED = Path(__file__).parent / "fonts"
FILES_MAX = 500
"""Font files looked at in one folder, those below it included."""
FAMILIES_TOLD_MAX = 40
DEFAULT = "Noto Sans"
ALIASES = frozenset({"", "sans", "sans-serif", "sans serif"})
"""Names that mean ``DEFAULT``."""
STYLES = {
    word.replace("-", ""): word
    for word in (
        "regular", "normal", "roman", "italic", "oblique", "thin", "ultra-light", "extra-light",
        "light", "semi-light", "book", "medium", "demi-bold", "semi-bold", "bold", "ultra-bold",
        "extra-bold", "heavy", "black", "ultra-condensed", "extra-condensed", "condensed",
        "semi-condensed", "semi-expanded", "expanded",
    )
}  # fmt: skip
"""Words that may follow a family; one that it does not have becomes the nearest that it has."""
_DEGREE = re.compile(r"\b(semi|demi|ultra|extra)[ -]")
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_HAN = {"ja": " jp", "ko": " kr", "zh-tw": " tc", "zh-hant": " tc", "zh-hk": " hk", "zh": " sc"}
"""A language, and how names of fonts with its form of Chinese characters end."""
_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>{folders}<cachedir>{cache}</cachedir><config><rescan><int>0</int></rescan></config>
<match target="font"><edit name="hinting" mode="assign"><bool>false</bool></edit>
<edit name="antialias" mode="assign"><bool>true</bool></edit></match>
<selectfont><rejectfont><pattern><patelt name="outline"><bool>false</bool></patelt></pattern>
</rejectfont></selectfont></fontconfig>
"""
_folders: list[Path] = [BUNDLED]
_private: list[tempfile.TemporaryDirectory[str]] = []


class FontsError(ValueError):
    """The deployment's folder of fonts cannot be used."""


@dataclass(frozen=True, slots=True)
class Fonts:
    """Families by lower-case name, the bundled ones first, and the characters that all have."""

    families: dict[str, str]
    covers: sfnt.Ranges


def use(folder: Path | None) -> None:
    """Read what fonts there are, those of the deployment's own folder too; before the first text.

    Raises:
        FontsError: the folder cannot be read, or there is no font in it.
    """
    _folders[1:] = [] if folder is None else [folder]
    known.cache_clear()
    revision.cache_clear()
    if folder is not None and not any(folder in path.parents for path in _files()):
        raise FontsError(f"[apps.images] fonts = {str(folder)!r}: there are no font files in it")
    known()


@cache
def known() -> Fonts:
    """Read what all font files say of themselves; those that are none are left out."""
    covers: list[sfnt.Ranges] = []
    families: dict[str, str] = {}
    for path in _files():
        try:
            found = sfnt.read(path)
        except (sfnt.NotAFont, OSError):
            continue
        covers += {id(face.covers): face.covers for face in found}.values()
        for family in sorted({name for face in found for name in face.families}):
            if "," not in family:  # Pango would read two
                families.setdefault(family.casefold(), family)
    return Fonts(families, sfnt.joined(one for each in covers for one in each))


def _files() -> Iterable[Path]:
    for folder in _folders:
        below = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        yield from below[:FILES_MAX]


@cache
def revision() -> str:
    """Give a word that changes when font files do."""
    digest = hashlib.sha256()
    for path in _files():
        found = path.stat()
        told = path.name, found.st_size, 0 if BUNDLED in path.parents else found.st_mtime_ns
        digest.update(repr(told).encode())
    return digest.hexdigest()[:16]


def ready() -> None:
    """Tell fontconfig about our fonts and no others; before libvips sets the first text.

    Where it keeps what it learns is this process's own and goes with it.

    Raises:
        Refusal: 503; there is no room to write that down.
    """
    if _private:
        return
    try:
        own = tempfile.TemporaryDirectory(prefix="fonts-", ignore_cleanup_errors=True)
        folders = "".join(f"<dir>{escape(str(folder))}</dir>" for folder in _folders)
        file = Path(own.name) / "fonts.conf"
        file.write_text(_CONFIG.format(folders=folders, cache=escape(own.name)), "utf-8")
    except OSError as error:
        raise refusals.Refusal(
            503, "no_room", "there is no room to prepare the fonts; try again"
        ) from error
    _private.append(own)
    os.environ["FONTCONFIG_FILE"] = str(file)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A font: families to look for a glyph in, in this order, and words for their style."""

    families: Sequence[str]
    style: str

    def pango(self, points: float) -> str:
        """Describe it to Pango. The comma ends the families, whatever the last is called."""
        return f"{','.join(self.families)}, {self.style} {points:g}"


def choose(font: str, language: str = "") -> Chosen:
    """Find the font that a description (``Noto Sans Bold``) means.

    Raises:
        Refusal: 400; it is not there, and says which are.
    """
    families = known().families
    words = font.replace(",", " ").split()
    for count in range(len(words), -1, -1):
        name = " ".join(words[:count]).casefold()
        family = families.get(DEFAULT.casefold() if name in ALIASES else name)
        rest = _DEGREE.sub(r"\1", " ".join(words[count:]).casefold()).split()
        styles = [STYLES.get(word.replace("-", "")) for word in rest]
        if family is not None and None not in styles:
            others = _ordered(families.values(), language)
            chosen = dict.fromkeys((family, *others))
            return Chosen(tuple(chosen), " ".join(filter(None, styles)))
    told = ", ".join(sorted(set(families.values()))[:FAMILIES_TOLD_MAX])
    allowed = f"one of {told}, and words for its style ({', '.join(STYLES.values())})"
    raise refusals.parameter("words.font", font, allowed)


def _ordered(families: Iterable[str], language: str) -> list[str]:
    """Put those that have the language's form of Chinese characters before the others."""
    asked = language.casefold()
    ending = _HAN.get(asked) or _HAN.get(asked.partition("-")[0])
    if ending is None:
        return list(families)
    return sorted(families, key=lambda family: ending not in f"{family.casefold()} ")
