"""The keys of a rule that say what is made of the picture: canvas, layers, effects, files. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import colours
import limits as limit_names
import recipe as recipes
import refusals
from ops import base, layers, values
from rulesets import conditions
from rulesets.mistakes import fail, number, only, table, tables, text, texts, whole
from rulesets.ruleset import ALWAYS, Artworks, Canvas, Draft, Text

LAYERS_MAX = layers.LAYERS_MAX
ARTWORKS_MAX = 32
TAGS_MAX = 16
WEIGHT_MAX = 1_000_000
_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,3})?):(\d{1,5}(?:\.\d{1,3})?)")
_PERCENT = re.compile(r"(-?\d{1,4}(?:\.\d{1,4})?)%")
_FITS = ("cover", "contain", "fill", "inside")


def _canvas(key: str, value: object) -> Canvas:
    given = table(key, value)
    only(key, given, ("w", "h", "ratio", "fit", "background"))
    limits = limit_names.Limits()
    made: dict[str, Any] = {
        name: whole(name, given[name], 1, limits.output_side) for name in "wh" if name in given
    }
    if "ratio" in given:
        made["ratio"] = _ratio(given["ratio"])
    if not made:
        fail(f"{key} must have w, h or ratio", key)
    if "fit" in given:
        if given["fit"] not in _FITS:
            fail(f"fit = {given['fit']!r} must be one of {', '.join(_FITS)}", key, "fit")
        made["fit"] = given["fit"]
    if "background" in given:
        made["background"] = _colour("background", given["background"])
    return Canvas(**made)


def _ratio(value: object) -> float:
    found = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if found is None or not float(found[1]) or not float(found[2]):
        fail(f"ratio = {value!r} must be as '2:3', width to height", "canvas", "ratio")
    ratio = float(found[1]) / float(found[2])
    return number("ratio", ratio, 0.001, 1000)


def _colour(key: str, value: object) -> colours.Colour:
    found = colours.parse(value) if isinstance(value, str) else None
    if found is None:
        fail(f"{key} = {value!r} must be {colours.ALLOWED}", key)
    return found


def _gravity(key: str, value: object) -> values.Gravity:
    found = values.gravity(_shares(text(key, value)))
    if found is None:
        places = ", ".join(values.PLACES)
        fail(f"{key} = {value!r} must be one of {places}; or as 'noea~10~5%', 'fp~50%~30%'", key)
    return found


def _effects(key: str, value: object) -> tuple[base.Op, ...]:
    try:
        made = recipes.parse_ops(";".join(texts(key, value)))
    except refusals.Refusal:
        reason = "must be operations as recipes spell them, such as 'blur:2.5', 'grey'"
        fail(f"{key} = {value!r} {reason}", key)
    if any(op.op_name == "as" for op in made):
        fail(f"{key}: 'as' is no effect; set formats, quality or ttl_seconds", key)
    return made


def _layers(key: str, value: object) -> tuple[Draft, ...]:
    return tuple(_layer(key, each) for each in tables(key, value, LAYERS_MAX))


def _layer(key: str, given: Mapping[str, Any]) -> Draft:
    if ("file" in given) == ("text" in given):
        fail(f"{key}: each has either file or text", key)
    kind, subject = (layers.Layer, "file") if "file" in given else (layers.Words, "text")
    known = tuple(each.name for each in fields(kind))
    only(key, given, (*known, "when"))
    made: dict[str, Any] = {subject: base.Text("x/x")}
    for name, each in given.items():
        if name not in (subject, "when"):
            made[name] = _argument(key, kind, name, each)
    when = conditions.read("when", given["when"]) if "when" in given else ALWAYS
    return Draft(op=kind(**made), text=_texts(subject, given[subject]), when=when)


def _argument(key: str, kind: type[base.Op], name: str, value: object) -> Any:
    if isinstance(value, bool):
        printed = "1" if value else ""
    elif isinstance(value, int | float | str):
        printed = _shares(str(value))
    else:
        fail(f"{key}: {name} = {value!r} must be a text, a number, true or false", key, name)
    try:
        return base.argument(kind, name, printed)
    except refusals.Refusal as refusal:
        fail(f"{key}: {name} = {value!r}: {refusal.message}", key, name)


def _shares(text: str) -> str:
    """Write per cent as recipes do: 12.5% is 0.125r."""
    return _PERCENT.sub(lambda found: f"{_hundredth(found[1])}r", text)


def _hundredth(text: str) -> str:
    found = values.number(text)
    return values.spell_number(found / 100) if found is not None else text


def _texts(key: str, value: object) -> Text:
    by_language = value if isinstance(value, dict) else {"default": value}
    made: dict[str, str] = {}
    for language, each in by_language.items():
        given = text(f"{key}.{language}", each)
        if len(given) > base.TEXT_MAX:
            fail(f"{key}: at most {base.TEXT_MAX} characters", key)
        made["" if language == "default" else language.lower()] = given
    if not made:
        fail(f"{key} must have a text", key)
    return Text(by_language=made)


def _artworks(key: str, value: object) -> Artworks:
    given = table(key, value)
    only(key, given, ("files", "by", "salt"))
    files = given.get("files")
    if isinstance(files, list):
        files = dict.fromkeys(texts("files", files), 1)
    weights = table("files", files)
    if not 1 <= len(weights) <= ARTWORKS_MAX:
        fail(f"{key}: 1 to {ARTWORKS_MAX} files", key, "files")
    made = tuple((file, number(file, weight, 0, WEIGHT_MAX)) for file, weight in weights.items())
    if not sum(weight for _, weight in made):
        fail(f"{key}: at least one weight must be above 0", key, "files")
    salt = given.get("salt", "")
    if not isinstance(salt, str):
        fail(f"{key}: salt = {salt!r} must be a text", key, "salt")
    return Artworks(files=made, by=conditions.by("by", given.get("by", "url")), salt=salt)


def _tags(key: str, value: object) -> tuple[str, ...]:
    found = texts(key, value)
    if len(found) > TAGS_MAX:
        fail(f"{key}: at most {TAGS_MAX}", key)
    return found


READERS: Mapping[str, Callable[[str, object], Any]] = {
    "canvas": _canvas,
    "gravity": _gravity,
    "effects": _effects,
    "layers": _layers,
    "artworks": _artworks,
    "tags": _tags,
    "fallback": text,
}
