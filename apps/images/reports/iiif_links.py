"""What IIIF's answers say beside the picture: its profile, and its one address.

The canonical address can only be told when the source's size is known, so the Generator tells it.
"""

from __future__ import annotations

import iiif_terms as terms
import recipe as recipes
import refusals
import shapes
from ops import effects, geometry, values
from reports.iiif import LEVELS
from shapes import Size

REPORTS = {terms.report(version): version for version in terms.VERSIONS}
_FORMATS = {ours: name for name, ours in terms.FORMATS.items()}


def headers(recipe: recipes.Recipe, size: Size) -> tuple[tuple[str, str], ...]:
    """Give the headers of a picture that is made of a source of ``size``; none if not IIIF's."""
    version = REPORTS.get(recipe.out.report)
    if version is None:
        return ()
    links = (
        f'<{LEVELS[version]}>;rel="profile"',
        f'<{canonical(recipe, size, version)}>;rel="canonical"',
    )
    return (("link", ", ".join(links)),)


def refused(recipe: recipes.Recipe, refusal: refusals.Refusal) -> refusals.Refusal:
    """Give a refusal with the status that IIIF has for it: too large a size is a bad request."""
    if recipe.out.report in REPORTS and refusal.code in ("output_too_large", "too_elongated"):
        return refusals.Refusal(400, refusal.code, refusal.message, facts=refusal.facts)
    return refusal


def canonical(recipe: recipes.Recipe, size: Size, version: str) -> str:
    """Give the one address of the picture, as a path on this server."""
    identifier = terms.identifier(recipe.source, recipe.path)
    region, scale, turn, quality = "full", "max" if version == "3" else "full", "0", "default"
    mirrored = ""
    current = size
    for op in recipe.ops:
        match op:
            case geometry.Crop():
                region = _region(shapes.cropped(current, op), current)
            case geometry.Shape():
                part = shapes.shaped(current, op.ratio)
                region = _region((*shapes.window(current, part, op.gravity), *part), current)
            case geometry.Resize():
                scale = _scale(current, op, version)
            case geometry.Flip():
                mirrored = "!"
            case geometry.Rotate():
                turn = values.spell_number(op.degrees)
            case effects.Grey():
                quality = "gray"
            case effects.Bitonal():
                quality = "bitonal"
        current = shapes.after(current, op)
    last = f"{quality}.{_FORMATS.get(recipe.out.fm, recipe.out.fm)}"
    return f"{terms.PREFIX}{version}/{identifier}/{region}/{scale}/{mirrored}{turn}/{last}"


def _region(box: shapes.Box, size: Size) -> str:
    return "full" if box == (0, 0, *size) else ",".join(map(str, box))


def _scale(region: Size, op: geometry.Resize, version: str) -> str:
    w, h = shapes.resized(region, op)
    if version == "2":
        if (w, h) == region:
            return "full"
        kept = shapes.resized(region, geometry.Resize("inside", values.pixels(w), enlarge=True))
        return f"{w}," if kept == (w, h) else f"{w},{h}"
    if (w, h) == region or not (op.strict or op.enlarge):  # only max shrinks to what is allowed
        return "max"
    return f"^{w},{h}" if w > region[0] or h > region[1] else f"{w},{h}"
