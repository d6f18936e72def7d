"""What is said of the file that is made → the recipe's output: format, quality, lifetime. Pure."""

from __future__ import annotations

from typing import Any

import accept
import colours
import refusals
import rules
from dialects.imgproxy import shaping, wrong
from dialects.imgproxy.configured import FLAGS, Configured
from dialects.imgproxy.said import Finish, Said
from ops.output import Output
from recipe import TTL_SECONDS_DEFAULT

BEST = "avif.webp.jpg.png"


def output(
    said: Said, rule: rules.Rule, settings: Configured, *, path: str, accepts: str
) -> tuple[Output, bool]:
    """Give the output, and whether it depended on ``accepts`` (the Accept header).

    Raises:
        Refusal: 404, or 400 from the rules.
    """
    finish = said.finish
    lasting: dict[str, Any] = {"ttl_seconds": lifetime(rule, settings)}
    named: dict[str, Any] = {
        key: finish.out[key] for key in ("name", "attach", "buster") if key in finish.out
    }
    if finish.raw or _skips(finish, path):
        return Output(fm="original", **lasting, **named), False
    fm, negotiated = _format(finish, rule, settings, accepts)
    bg = rule.background or shaping.background(said)
    flat = bg is not None and bg[3] == 255
    kept: dict[str, Any] = {**finish.out, **lasting}
    if finish.still:
        kept["frames"] = 1
    if fm == "best":
        kept["among"] = _among(rule)
    meta = "all" if not finish.strip else "copyright" if finish.copyright else "none"
    made = Output(
        fm=fm,  # type: ignore[arg-type]
        quality=_quality(finish, fm, rule, settings),
        bg=colours.on_white(bg) if bg else colours.WHITE,
        flat=flat,
        meta=meta,  # type: ignore[arg-type]
        **kept,
    )
    return made, negotiated


def lifetime(rule: rules.Rule, settings: Configured) -> int:
    """Give how many seconds caches may keep a picture; what its URL has left is the handler's."""
    seconds = rule.ttl_seconds
    if settings.ttl_seconds and seconds == TTL_SECONDS_DEFAULT:
        return settings.ttl_seconds
    return seconds


def _skips(finish: Finish, path: str) -> bool:
    """Whether the file itself is given: by its name's ending, as no file is read here."""
    own = path.partition("?")[0].rpartition(".")[2].lower()
    own = {"jpeg": "jpg", "tif": "tiff"}.get(own, own)
    return own in finish.skip and finish.fm in ("", own)


def _format(
    finish: Finish, rule: rules.Rule, settings: Configured, accepts: str
) -> tuple[str, bool]:
    if settings.auto is None:
        if finish.fm:
            return _allowed(finish.fm, rule), False
        return rules.format_for("auto", rule, accepts)
    wanted = settings.enforced if finish.fm else settings.auto | settings.enforced
    offered = [name for name in FLAGS if name in wanted and _allows(name, rule)]
    for name in offered:
        if _accepts(name, accepts):
            return name, True
    if finish.fm:
        try:
            return _allowed(finish.fm, rule), bool(offered)
        except refusals.Refusal as refusal:
            refusal.apart = {"accept": ""} if offered else {}
            raise
    plain, _ = rules.format_for("auto", rule, "")
    return plain, bool(offered)


def _accepts(name: str, accepts: str) -> bool:
    if name in accept.OFFERED.values():
        return accept.best(accepts, (name,)) == name
    return f"image/{name}" in accepts.lower()


def _allows(fm: str, rule: rules.Rule) -> bool:
    return not rule.formats or fm in rule.formats or fm == "best"


def _allowed(fm: str, rule: rules.Rule) -> str:
    if not _allows(fm, rule):
        raise wrong.option("format", fm, f"one of {', '.join(rule.formats)}")
    return fm


def _among(rule: rules.Rule) -> str:
    names = [name for name in BEST.split(".") if _allows(name, rule)]
    return ".".join(names) or "jpg"


def _quality(finish: Finish, fm: str, rule: rules.Rule, settings: Configured) -> int:
    if fm == "best":
        return finish.quality
    name = "jpg" if fm == "source" else fm
    return (
        finish.quality
        or finish.qualities.get(name)
        or rule.quality.get(name)
        or settings.qualities.get(name)
        or settings.quality
    )
