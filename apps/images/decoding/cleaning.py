"""An SVG drawing without what it could run or load: only shapes, text, gradients and filters stay.

An allow-list of elements; what is not in it is left out with all that it holds. Pure: expat reads
(no entity is ever resolved, no file opened), and the drawing is written anew. What SVG elements
mean: SVG 2, W3C; where scripts and loads hide: SVG Integration, W3C.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import refusals
from decoding import expansion

BYTES_MAX = 8 << 20
"""Bytes of a drawing."""
DEPTH_MAX = 100
ELEMENTS_MAX = 100_000
TEXT_MAX = 20_000
"""Characters; each may cost librsvg 0.15 ms."""
IMAGES_MAX = 32
"""Pictures inside a drawing."""
SIDE_MAX = 32_767
"""Of a drawing's own size, in any unit."""
ATTRIBUTES_MAX = 100
"""Of one element."""
_SHAPES = "svg g defs symbol use path rect circle ellipse line polyline polygon switch a title desc"
_TEXT = "text tspan textpath style"
_PAINT = "lineargradient radialgradient stop pattern clippath mask marker image filter"
_FILTERS = (
    "feblend fecolormatrix fecomponenttransfer fecomposite feconvolvematrix fediffuselighting"
    " fedisplacementmap fedistantlight fedropshadow feflood fefunca fefuncb fefuncg fefuncr"
    " fegaussianblur femerge femergenode femorphology feoffset fepointlight fespecularlighting"
    " fespotlight fetile feturbulence"
)
ELEMENTS = frozenset(f"{_SHAPES} {_TEXT} {_PAINT} {_FILTERS}".split())
_LINKS = ("href", "src")
_LOADS = re.compile(r"url\s*\(\s*['\"]?\s*(?!#|['\"]?\s*#)|@import|expression|javascript:|\\", re.I)
"""In a style or an attribute: another file, or an escape that hides one."""
_NUMBER = re.compile(r"\s*[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,9})?")
_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,([A-Za-z0-9+/=\s]*)", re.I)

Judge = Callable[[str], bool]


def clean(data: bytes, judge: Judge = lambda _: False) -> bytes:
    """Write the drawing anew; ``judge`` says whether a picture in it (in base64) may stay.

    Raises:
        Refusal: 422; it is no drawing, has entities, or is over a limit.
    """
    if len(data) > BYTES_MAX:
        raise refusals.unusable(
            "too_large", f"the drawing has {len(data)} bytes, more than {BYTES_MAX}"
        )
    writer = _Writer(judge)
    parser = expat.ParserCreate()
    parser.StartElementHandler = writer.start
    parser.EndElementHandler = writer.end
    parser.CharacterDataHandler = writer.text
    parser.EntityDeclHandler = _refuse_entity
    parser.ExternalEntityRefHandler = _refuse_entity
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise refusals.unusable("damaged", "the drawing is no well-formed SVG") from error
    writer.census.check()
    if not writer.whole:
        raise refusals.unusable("not_an_image", "the source is not an SVG drawing")
    return "".join(writer.pieces).encode()


def _refuse_entity(*_: object) -> int:
    raise refusals.unusable("unsafe_drawing", "the drawing declares entities, which are not read")


class _Writer:
    """Takes expat's events and writes what may stay."""

    def __init__(self, judge: Judge) -> None:
        self.pieces: list[str] = []
        self.whole = False
        self.census = expansion.Census()
        self._judge = judge
        self._depth = 0
        self._elements = 0
        self._images = 0
        self._letters = 0
        self._skipped = 0
        self._style: list[str] | None = None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise refusals.unusable(
                "too_complex",
                f"the drawing has more than {ELEMENTS_MAX} elements, or {DEPTH_MAX} in each other",
            )
        local = _local(name)
        root = self._depth == 1
        if self._skipped or local not in ELEMENTS or (root and local != "svg"):
            self._skipped += 1
            return
        if root:
            _check_sides(attributes)
        self.whole = True
        if local == "style":
            self._style = []
        kept = [
            f" {key}={quoteattr(value)}"
            for key, value in list(attributes.items())[:ATTRIBUTES_MAX]
            if self._may_stay(local, key, value)
        ]
        self.pieces.append(f"<{name}{''.join(kept)}>")
        self._count(attributes)

    def _count(self, attributes: Mapping[str, str]) -> None:
        refers = [other for value in attributes.values() for other in expansion.local(value)]
        for key, value in attributes.items():
            if _local(key) == "href" and value.strip().startswith("#"):
                refers.append(value.strip()[1:])
        self.census.enter(attributes.get("id", ""), refers)

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._skipped:
            self._skipped -= 1
            return
        self.census.leave()
        if self._style is not None:
            style = "".join(self._style)
            self.pieces.append("" if _LOADS.search(style) else escape(style))
            self._style = None
        self.pieces.append(f"</{name}>")

    def text(self, text: str) -> None:
        if self._skipped:
            return
        if self._style is not None:
            self._style.append(text)
            return
        self._letters += len(text.strip())
        if self._letters > TEXT_MAX:
            raise refusals.unusable(
                "too_complex", f"the drawing has more than {TEXT_MAX} characters of text"
            )
        self.pieces.append(escape(text))

    def _may_stay(self, element: str, key: str, value: str) -> bool:
        local = _local(key)
        if local.startswith("on") or key.lower() == "xml:base":
            return False
        if local in _LINKS:
            return value.strip().startswith("#") or self._is_picture(element, value.strip())
        if key.startswith("xmlns"):
            return True
        return not _LOADS.search(value)

    def _is_picture(self, element: str, value: str) -> bool:
        found = _DATA.fullmatch(value) if element == "image" else None
        self._images += found is not None
        return found is not None and self._images <= IMAGES_MAX and self._judge(found[1])


def _check_sides(attributes: Mapping[str, str]) -> None:
    """Refuse what libvips could not even count."""
    for name in ("width", "height"):
        found = _NUMBER.match(attributes.get(name, ""))
        if found and float(found[0]) > SIDE_MAX:
            raise refusals.unusable(
                "too_many_pixels", f"the drawing's {name} is more than {SIDE_MAX}"
            )


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
