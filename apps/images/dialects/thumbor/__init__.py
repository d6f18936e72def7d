"""thumbor's dialect, with imagor's additions: ``/thumbor/HASH/300x200/smart/NAME/photo.jpg``.

Glue of its parts: `signature` opens the URL, `path` reads it, `compiling` makes operations of it,
with the filters of `effects`, `overlays` and `output`. Filters that cannot be done are left out,
as thumbor does, and named in a header of the answer.
"""

from __future__ import annotations

import re

import colours
import recipe as recipes
import refusals
import rules
from dialects.dialect import Asked, Decision, World
from dialects.thumbor import compiling, signature, telling
from dialects.thumbor.compiling import Compiled, Setting
from dialects.thumbor.job import Job, Layers
from dialects.thumbor.sources import Known
from dynimo.sdk import http
from ops.output import Output

REPORT = "thumbor"
SKIPPED_HEADER = "skipped-filters"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SHOWN_MAX = 16
_MOVING = (".gif", ".webp")
"""Names of files that may be animations: these stay so, as in thumbor and imagor."""
_STILL = ("jpg", "png", "tiff")


def decide(asked: Asked, world: World) -> Decision | http.Reply:
    """Say which picture is meant, or what the path says.

    Raises:
        Refusal: 400 for a wrong hash or a path that cannot be read; 404 for files that are not
            there; 410 after ``expire()``.
    """
    if asked.path.startswith(telling.PREFIX):
        return telling.told(asked.path.removeprefix(telling.PREFIX))
    terms = world.deployment.thumbor
    text = signature.opened(asked.path, terms, unsigned=world.unsigned)
    known = Known(named=world.sources, addresses=world.deployment.url_sources, default=terms.source)
    setting = Setting(sources=known, smart=terms.smart, layers=Layers())
    made = compiling.compiled(text, setting)
    until = made.job.until
    if until is not None and until <= world.now():
        raise refusals.Refusal(410, "expired", "this URL was good for a time that is over")
    ops, negotiated = made.ops, False
    if made.job.path.meta:
        out, ops = Output(fm="json", report=REPORT), made.shaping
    else:
        out, negotiated = _output(made, world, asked.headers.get("accept", ""))
    recipe = recipes.canonical(
        source=made.source, path=made.path, engine=world.engine, ops=ops, out=out
    )
    vary = ("accept",) if negotiated else ()
    return Decision(recipe=recipe, vary=vary, until=until, said=_said(made.job))


def _said(job: Job) -> tuple[tuple[str, str], ...]:
    """Name the filters that were left out, as far as they have decent names."""
    if not job.skipped:
        return ()
    names = dict.fromkeys(name if _NAME.fullmatch(name) else "?" for name in job.skipped)
    return ((SKIPPED_HEADER, ", ".join(list(names)[:_SHOWN_MAX])),)


def _output(made: Compiled, world: World, accepts: str) -> tuple[Output, bool]:
    """Give the output, and whether it depended on ``accepts``.

    Raises:
        Refusal: 400; the rules do not allow the format.
    """
    rule, given = world.rules.find(made.source, made.path), dict(made.job.out)
    given.setdefault("ttl_seconds", rule.ttl_seconds)
    asked, negotiated = given.pop("fm", ""), False
    moving = made.path.lower().endswith(_MOVING)
    if asked == "mp4" and not moving:  # thumbor lets other files be, too
        made.job.skipped.append("gifv")
        asked, given["frames"] = "", 1
    if asked == "original":
        return Output(fm="original", **given), False
    if not asked:
        asked, negotiated = rules.format_for("auto", rule, accepts)
        if asked == "avif":
            given["among"] = rules.stands_in(made.ops, rule, accepts, world.limits)
        if asked == "source" and "autojpg" in made.job.flags:
            asked, given["among"] = "best", "jpg"  # PNG where something is clear
    elif rule.formats and asked not in rule.formats:
        raise refusals.parameter("format", asked, f"one of {', '.join(rule.formats)}")
    given["quality"] = given.get("quality") or rules.quality_for(
        "jpg" if asked == "best" else asked, rule
    )
    if moving and asked not in _STILL:
        given.setdefault("frames", 0)
    flat = rule.background is not None
    bg = rule.background or colours.WHITE
    return Output(fm=asked, bg=bg, flat=flat, **given), negotiated
