"""Who may ask for which picture in the native dialect: signed URLs, presets, known widths. Pure.

What a URL asks for beyond its rights is refused before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import limits as limit_names
import query
import refusals
import rules
import signing
from parameters import access

WIDTHS = (
    16, 32, 48, 64, 96, 128, 256, 320, 384, 480, 640, 750, 768, 828, 1024, 1080, 1200, 1280,
    1536, 1600, 1920, 2048, 2560, 3840,
)  # fmt: skip
"""Widths that the image components of web frameworks ask for by default."""
FORMATS = ("auto", "avif", "webp", "jpg", "png")
"""Formats that need no signature."""
FREE = ("w", "h", "fm", "preset", "locale")
PRESETS_MAX = 1_000


class AdmissionError(ValueError):
    """Keys, widths or presets of the deployment cannot be used. Never has a key in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """``keys``: any of them may have signed. ``widths``: need no signature. ``presets`` by name."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    widths: frozenset[int] = frozenset(WIDTHS)
    presets: Mapping[str, query.Wanted] = field(default_factory=dict)


def read(settings: Mapping[str, Any], limits: limit_names.Limits) -> Admission:
    """Read what the deployment's table says of it.

    Raises:
        AdmissionError: naming the key.
    """
    return Admission(
        keys=_keys(settings.get("keys", [])),
        widths=_widths(settings.get("widths", list(WIDTHS)), limits),
        presets=_presets(settings.get("presets", {}), limits),
    )


def _keys(value: object) -> tuple[str, ...]:
    least = signing.KEY_CHARACTERS_MIN
    if not isinstance(value, list) or not all(
        isinstance(key, str) and len(key) >= least for key in value
    ):
        raise AdmissionError(f"keys must be a list of texts of at least {least} characters")
    return tuple(value)


def _widths(value: object, limits: limit_names.Limits) -> frozenset[int]:
    most = limits.output_side
    if not isinstance(value, list) or not all(
        isinstance(one, int) and not isinstance(one, bool) and 1 <= one <= most for one in value
    ):
        raise AdmissionError(f"widths must be a list of whole numbers from 1 to {most}")
    return frozenset(value)


def _presets(value: object, limits: limit_names.Limits) -> Mapping[str, query.Wanted]:
    if not isinstance(value, Mapping) or len(value) > PRESETS_MAX:
        raise AdmissionError(f"presets must be a table of at most {PRESETS_MAX} presets")
    made = {}
    for name, text in value.items():
        if access.PRESET_NAMES.take(name) != (name,) or not isinstance(text, str):
            raise AdmissionError(
                f"presets: {name} = {text!r} must be a query such as 'w=200&h=200&fit=cover',"
                " its name of letters, digits, - and _"
            )
        try:
            wanted = query.parse(text, limits)
            for each in access.ROWS:
                if each.name in wanted.given:
                    raise refusals.parameter(each.name, "", "in the URL: it cannot be in a preset")
        except refusals.Refusal as refusal:
            raise AdmissionError(f"presets: {name} = {text!r}: {refusal.message}") from None
        made[name] = wanted
    return made


def expanded(wanted: query.Wanted, admission: Admission) -> query.Wanted:
    """Put in what the presets say: later ones win over earlier ones, the URL over all.

    Raises:
        Refusal: 400; there is no such preset.
    """
    names = wanted.given.get("preset", ())
    for name in reversed(names):
        if name not in admission.presets:
            known = ", ".join(sorted(admission.presets))
            allowed = f"one or more of {known}" if known else "left out: there are no presets"
            raise refusals.parameter("preset", name, allowed)
        wanted = wanted.over(admission.presets[name])
    return wanted


def check_unsigned(wanted: query.Wanted, rule: rules.Rule, admission: Admission) -> None:
    """Check what an unsigned URL says, before its presets are put in.

    Raises:
        Refusal: 403; it needs a signature.
    """
    given = wanted.given
    if all(name in FREE for name in given) and given.get("fm", "auto") in FORMATS:
        w, h = given.get("w"), given.get("h")
        if not h and (w is None or w in admission.widths):
            return
        if rules.Size(w=w, h=h) in rule.sizes:
            return
    widths = ", ".join(map(str, sorted(admission.widths)))
    raise refusals.forbidden(
        "unsigned",
        "this URL must be signed (s): without, it may have only preset, fm"
        f" ({', '.join(FORMATS)}), locale and w, one of {widths or 'none'}",
    )
