"""What the rules make of a dialect's draft: canvas, layers, effects, another file, tags. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import limits as limit_names
import paths
import recipe as recipes
import refusals
import steps
import tags
from ops import geometry, values
from ops.base import TEXT_MAX, Op, Text
from ops.output import Output
from parameters import sizing
from rulesets import buckets, ruleset
from rulesets.choosing import TITLE, Chosen, Match, fails
from rulesets.situation import Situation

_UNTOUCHED = ("json", "original")
"""No picture is made: there is nothing to lay anything on."""
_PLACED = (geometry.Cut, geometry.Shape, geometry.Extend)
_SIZED = (geometry.Resize, geometry.Cut, geometry.Extend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The recipe, the one to fall back to if its file cannot be had, and tags for both."""

    recipe: recipes.Recipe
    fallback: recipes.Recipe | None
    tags: tuple[str, ...]


def finish(
    draft: recipes.Recipe,
    chosen: Chosen,
    situation: Situation,
    *,
    limits: limit_names.Limits,
    asked_policy: bool,
    version: str,
) -> Finished:
    """Finish a draft. ``asked_policy``: its dialect has asked for sizes, formats and the like.

    Raises:
        Refusal: 400; the rules do not allow the format, or it all becomes too large.
    """
    out = draft.out if asked_policy else _by_policy(draft.out, chosen)
    ops: list[Op] = list(draft.ops)
    kept = ops
    source, path, fallback = draft.source, draft.path, ""
    if out.fm not in _UNTOUCHED and not out.report:  # a part fits what was told of the whole
        for match in chosen.matches:
            ops = _worked(ops, match, limits)
            ops += _layers(match, situation, f"{draft.source}/{draft.path}")
            fallback = ruleset.filled(match.clause.fallback, match.known) or fallback
            shown = _shown(match, situation, f"{draft.source}/{draft.path}")
            source, path = _file(shown) or (source, path)
    made, instead = draft, _file(fallback)
    if instead and instead != (source, path):
        out = _failing_to(out, fallback)
    if out is not draft.out or (source, path) != (draft.source, draft.path) or ops != kept:
        made = recipes.canonical(
            source=source, path=path, engine=draft.engine, ops=ops, out=out,
            known=(*draft.ops, draft.out),
        )  # fmt: skip
    second = _second(made, *instead) if instead else None
    return Finished(recipe=made, fallback=second, tags=tuple(_tags(made, chosen, version)))


def _second(made: recipes.Recipe, source: str, path: str) -> recipes.Recipe:
    """Give the same picture of the other file."""
    return steps.instead(made) or replace(made, source=source, path=path)


def _failing_to(out: Output, fallback: str) -> Output:
    """Let the recipe itself say what to show if the file cannot be had, where that has room."""
    told = replace(out, instead=Text(fallback))
    return told if len(recipes.spell_ops((told,))) <= recipes.OUT_SPELLED_MAX else out


def _by_policy(out: Output, chosen: Chosen) -> Output:
    """Apply what holds for every language of URLs to a draft that knows nothing of it."""
    policy = chosen.policy
    if any("ttl_seconds" in match.clause.policy for match in chosen.matches):
        out = replace(out, ttl_seconds=policy.ttl_seconds)
    if out.fm in _UNTOUCHED:
        return out
    if policy.formats and out.fm not in {"source", "best", *policy.formats}:
        raise refusals.parameter("format", out.fm, f"one of {', '.join(policy.formats)}")
    if policy.background is not None:
        out = replace(out, bg=policy.background, flat=True)
    if not out.quality and not out.target and not out.lossless:
        out = replace(out, quality=policy.quality.get(out.fm, 0))
    return out


def _worked(ops: list[Op], match: Match, limits: limit_names.Limits) -> list[Op]:
    clause = match.clause
    if clause.canvas is not None:
        ops = _on_canvas(ops, clause.canvas, limits)
    if clause.gravity is not None:
        ops = [
            replace(op, gravity=clause.gravity)
            if isinstance(op, _PLACED) and op.gravity != clause.gravity
            else op
            for op in ops
        ]
    return [*ops, *clause.effects]


def _on_canvas(ops: list[Op], canvas: ruleset.Canvas, limits: limit_names.Limits) -> list[Op]:
    """Put the canvas where the draft had its size; it is the last word on the shape."""
    w, h = _sides(canvas, *recipes.box(ops))
    if max(w, h) > limits.output_side or w * h > limits.output_pixels:
        allowed = f"at most {limits.output_side} each side and {limits.output_pixels} pixels"
        raise refusals.parameter("size", f"{w}x{h}", allowed)
    at = next((i for i, op in enumerate(ops) if isinstance(op, _SIZED)), len(ops))
    shaped = sizing.shaping(w or None, h or None, canvas.fit)
    if w and h and canvas.fit == "contain":
        across, down = values.pixels(w), values.pixels(h)
        shaped = (*shaped, geometry.Extend(across, down, bg=canvas.background))
    return [*ops[:at], *shaped, *(op for op in ops[at:] if not isinstance(op, _SIZED))]


def _sides(canvas: ruleset.Canvas, w: int, h: int) -> tuple[int, int]:
    if canvas.w or canvas.h:
        w, h = canvas.w, canvas.h
    if canvas.ratio:
        ratio = Decimal(str(canvas.ratio))
        if w and not (h and canvas.h):
            h = _rounded(Decimal(w) / ratio)
        elif h:
            w = _rounded(Decimal(h) * ratio)
    return w, h


def _rounded(side: Decimal) -> int:
    return max(1, int(side.quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def _layers(match: Match, situation: Situation, url: str) -> Iterator[Op]:
    """Give the layers whose conditions hold and whose holes can be filled; others are left out."""
    for draft in match.clause.layers:
        if fails(draft.when, situation, match.known, url):
            continue
        there = draft.text.by_language
        language = situation.language(there) if draft.text.depends else ""
        text = draft.text.fill(language, match.known)
        if not text or len(text) > TEXT_MAX:
            continue
        changes: dict[str, Any] = {"text": Text(text)}
        if draft.op.op_name == "layer":
            if _file(text) is None:
                continue
            changes = {"file": Text(text)}
        yield replace(draft.op, **changes)  # type: ignore[type-var]


def _shown(match: Match, situation: Situation, url: str) -> str:
    """Give the file that is shown instead of the one that was asked for; "" for none."""
    artworks = match.clause.artworks
    if artworks is None:
        return ""
    filled = [(ruleset.filled(file, match.known), weight) for file, weight in artworks.files]
    files = [(file, weight) for file, weight in filled if file and _file(file)]
    if not files:
        return ""
    key = situation.key(artworks.by, match.known.get(TITLE) or url)
    weights: Sequence[float] = [weight for _, weight in files]
    number = 0 if key is None else buckets.chosen(weights, key, artworks.salt)
    return files[number][0] or ""


def _file(reference: str) -> tuple[str, str] | None:
    """Split ``NAME/path``; None for what could lead out of a source."""
    name, _, path = reference.partition("/")
    fit = name and path and len(reference) <= TEXT_MAX and reference.isprintable()
    return (name, path) if fit and paths.is_plain(path) else None


def _tags(made: recipes.Recipe, chosen: Chosen, version: str) -> Iterator[str]:
    yield from tags.of_recipe(made)
    if version:
        yield tags.named(tags.RULESET, version)
    for match in chosen.matches:
        if match.clause.name:
            yield tags.named(tags.RULE, match.clause.name)
        if match.known.get(TITLE):
            yield tags.named(tags.TITLE, str(match.known[TITLE]))
        for text in match.clause.tags:
            if filled := ruleset.filled(text, match.known):
                yield tags.named(tags.TAG, filled)
