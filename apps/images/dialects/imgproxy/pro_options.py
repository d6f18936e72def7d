"""The options of imgproxy Pro whose operations are here, and the names of the others. Pure.

Facts: imgproxy's reference of processing options. Where it does not say enough to give the same
pixels, the effect is the nearest of ours; docs/reference/images-imgproxy.md says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import colours
from dialects.imgproxy import arguments as read
from dialects.imgproxy import options, wrong
from dialects.imgproxy.arguments import Arguments
from dialects.imgproxy.options import Apply
from dialects.imgproxy.said import Said
from ops import effects, values
from ops.base import Op

TEXT_MAX = 500
DSSIM_STEP = 1_000
"""How much SSIMULACRA2 falls for each unit of DSSIM, near what is hardly seen: 0.02 is 80."""
AREAS_MAX = 32
_RANGE = Decimal(255)


def background_alpha(said: Said, args: Arguments) -> None:
    """``bga:alpha``."""
    read.at_most("background_alpha", args, 1)
    said.bg_alpha = read.part("background_alpha", args[0])


def adjust(said: Said, args: Arguments) -> None:
    """``a:brightness:contrast:saturation``, each of which may be empty."""
    read.at_most("adjust", args, 3)
    for each, text in zip((brightness, contrast, saturation), args, strict=False):
        if text:
            each(said, (text,))


def brightness(said: Said, args: Arguments) -> None:
    """``br:-255 to 255``."""
    read.at_most("brightness", args, 1)
    steps = read.whole("brightness", args[0], -255, 255)
    said.effects["brightness"] = (effects.Brightness(values.rounded(steps * 100 / _RANGE)),)


def contrast(said: Said, args: Arguments) -> None:
    """``co:factor``, 1 as it is."""
    read.at_most("contrast", args, 1)
    factor = read.number("contrast", args[0], 0, 2)
    said.effects["contrast"] = (effects.Contrast((factor - 1) * 100),)


def saturation(said: Said, args: Arguments) -> None:
    """``sa:factor``, 1 as it is."""
    read.at_most("saturation", args, 1)
    said.effects["saturation"] = (effects.Saturation(read.number("saturation", args[0], 0, 100)),)


def monochrome(said: Said, args: Arguments) -> None:
    """``mc:intensity[:colour]``."""
    read.at_most("monochrome", args, 2)
    amount = read.part("monochrome", args[0])
    colour = _colour("monochrome", args, 1, effects.GREY)
    _laid(said, "monochrome", amount, effects.Monochrome(amount, colour))


def duotone(said: Said, args: Arguments) -> None:
    """``dt:intensity[:dark[:light]]``."""
    read.at_most("duotone", args, 3)
    amount = read.part("duotone", args[0])
    dark = _colour("duotone", args, 1, effects.BLACK)
    light = _colour("duotone", args, 2, colours.WHITE)
    _laid(said, "duotone", amount, effects.Duotone(amount, dark, light))


def colorize(said: Said, args: Arguments) -> None:
    """``col:opacity[:colour[:keep_alpha]]``."""
    read.at_most("colorize", args, 3)
    amount = read.part("colorize", args[0])
    colour = _colour("colorize", args, 1, effects.BLACK)
    keep = len(args) > 2 and read.flag(args[2])
    _laid(said, "colorize", amount, effects.Colourise(amount, colour, keep))


def gradient(said: Said, args: Arguments) -> None:
    """``gr:opacity[:colour[:direction[:start[:stop]]]]``; a direction is a word or an angle."""
    read.at_most("gradient", args, 5)
    amount = read.part("gradient", args[0])
    colour = _colour("gradient", args, 1, effects.BLACK)
    word, degrees, start, stop = _graded("gradient", args[2:])
    made = effects.Gradient(amount, colour, word, start, stop, degrees)  # type: ignore[arg-type]
    _laid(said, "gradient", amount, made)


def progressive_blur(said: Said, args: Arguments) -> None:
    """``pbl:sigma[:direction[:start[:stop]]]``."""
    read.at_most("progressive_blur", args, 4)
    sigma = read.number("progressive_blur", args[0], 0, 250)
    word, degrees, start, stop = _graded("progressive_blur", args[1:])
    if degrees:
        raise wrong.option("progressive_blur", args[1], "one of down, up, right, left")
    made = effects.ProgressiveBlur(sigma, word, start, stop)  # type: ignore[arg-type]
    _laid(said, "progressive_blur", sigma, made)


def _graded(name: str, args: Arguments) -> tuple[str, Decimal, Decimal, Decimal]:
    """Direction, turn, start and stop."""
    way, start, stop = (*args, "", "", "")[:3]
    word, degrees = way or "down", Decimal(0)
    if word not in ("down", "up", "right", "left"):
        word, degrees = "down", read.number(name, word, -36_000, 36_000) % 360
        degrees += 360 if degrees < 0 else 0
    return (
        word,
        degrees,
        read.part(name, start) if start else Decimal(0),
        read.part(name, stop) if stop else Decimal(1),
    )


def blur_areas(said: Said, args: Arguments) -> None:
    """``ba:sigma:left:top:width:height[:left:…]``, in parts of the picture."""
    sigma = read.number("blur_areas", args[0], 0, 250)
    areas = [read.part("blur_areas", each) for each in args[1 : 1 + 4 * AREAS_MAX + 1]]
    if not areas or len(areas) % 4 or len(areas) > 4 * AREAS_MAX:
        raise wrong.option(
            "blur_areas",
            ":".join(args),
            f"a sigma and up to {AREAS_MAX} times left:top:width:height",
        )
    boxes = (map(values.share, areas[at : at + 4]) for at in range(0, len(areas), 4))
    made = tuple(effects.Region("blur", x, y, w, h, sigma) for x, y, w, h in boxes)
    said.effects["blur_areas"] = made if sigma else ()


def unsharp_masking(said: Said, args: Arguments) -> None:
    """``ush:mode[:weight[:divider]]``; ``auto`` is taken as always."""
    read.at_most("unsharp_masking", args, 3)
    mode, weight, divider = (*args, "", "")[:3]
    if mode not in ("", "auto", "none", "always"):
        raise wrong.option("unsharp_masking", mode, "one of auto, none, always")
    amount = read.number("unsharp_masking", weight, 0, 20) if weight else Decimal(1)
    amount *= 24 / (read.positive("unsharp_masking", divider) if divider else Decimal(24))
    made = effects.Unsharp(Decimal(1), values.rounded(min(amount, Decimal(20))))
    said.effects["unsharp_masking"] = (made,) if mode != "none" and amount else ()


def blur_detections(said: Said, args: Arguments) -> None:
    """``bd:sigma:face``."""
    sigma = read.number("blur_detections", args[0], 0, 250)
    _only_faces("blur_detections", args[1:])
    made = effects.Detections("blur", sigma)
    said.effects["blur_detections"] = (made,) if sigma else ()


def draw_detections(said: Said, args: Arguments) -> None:
    """``dd:draw:face``."""
    _only_faces("draw_detections", args[1:])
    made = effects.Detections("frame")
    said.effects["draw_detections"] = (made,) if read.flag(args[0]) else ()


def _only_faces(name: str, classes: Arguments) -> None:
    if set(classes) - {"face", ""}:
        raise wrong.unsupported(name, "is there for faces only")


def crop_aspect_ratio(said: Said, args: Arguments) -> None:
    """``car:ratio[:enlarge]``; 0 is none."""
    read.at_most("crop_aspect_ratio", args, 2)
    said.crop_ratio = read.number("crop_aspect_ratio", args[0], 0, 1000)
    said.crop_grows = len(args) > 1 and read.flag(args[1])


def watermark_url(said: Said, args: Arguments) -> None:
    """``wmu:base64 URL``; empty is the deployment's."""
    read.at_most("watermark_url", args, 1)
    said.mark.file = read.base64("watermark_url", args[0])


def fallback_image_url(said: Said, args: Arguments) -> None:
    """``fiu:base64 URL``; empty is the deployment's."""
    read.at_most("fallback_image_url", args, 1)
    said.finish.fallback = read.base64("fallback_image_url", args[0])


def watermark_text(said: Said, args: Arguments) -> None:
    """``wmt:base64 text``, without markup."""
    read.at_most("watermark_text", args, 1)
    text = read.base64("watermark_text", args[0])
    if len(text) > TEXT_MAX or "\0" in text:
        raise wrong.option("watermark_text", args[0], f"at most {TEXT_MAX} characters of text")
    if "<" in text and ">" in text:
        raise wrong.unsupported("watermark_text", "takes plain text here, no markup")
    said.mark.text = text


def watermark_size(said: Said, args: Arguments) -> None:
    """``wms:w:h``."""
    read.at_most("watermark_size", args, 2)
    said.mark.w = read.whole("watermark_size", args[0], 0, options.SIDE_MAX) if args[0] else 0
    h = args[1] if len(args) > 1 else ""
    said.mark.h = read.whole("watermark_size", h, 0, options.SIDE_MAX) if h else 0


def watermark_rotate(said: Said, args: Arguments) -> None:
    """``wmr:angle``."""
    read.at_most("watermark_rotate", args, 1)
    said.mark.degrees = read.number("watermark_rotate", args[0], -36_000, 36_000) % 360
    said.mark.degrees += 360 if said.mark.degrees < 0 else 0


def autoquality(said: Said, args: Arguments) -> None:
    """``aq:method:target[:min:max:error]``: ``size`` in bytes, ``dssim`` and ``ml`` as DSSIM."""
    read.at_most("autoquality", args, 5)
    method, target = args[0], args[1] if len(args) > 1 else ""
    out = said.finish.out
    if method == "size":
        out["bytes_max"] = int(read.number("autoquality", target, 1, 1 << 30))
    elif method in ("dssim", "ml"):
        dssim = read.part("autoquality", target) if target else Decimal("0.02")
        out["target"] = values.rounded(max(Decimal(1), 100 - DSSIM_STEP * dssim))
    elif method in ("", "none"):
        out.pop("target", None)
    else:
        raise wrong.option("autoquality", method, "one of none, size, dssim, ml")


def jpeg_options(said: Said, args: Arguments) -> None:
    """``jpgo:progressive:no_subsample:…``; what only tunes the encoder's work is left to ours."""
    read.at_most("jpeg_options", args, 6)
    if args[0]:
        said.finish.out["progressive"] = read.flag(args[0])
    if len(args) > 1 and args[1]:
        said.finish.out["chroma"] = "off" if read.flag(args[1]) else "auto"


def png_options(said: Said, args: Arguments) -> None:
    """``pngo:interlaced:quantize:colours``."""
    read.at_most("png_options", args, 3)
    interlaced, quantize, count = (*args, "", "")[:3]
    if interlaced:
        said.finish.out["progressive"] = read.flag(interlaced)
    if quantize:
        most = read.whole("png_options", count, 2, 256) if count else 256
        said.finish.out["colours"] = most if read.flag(quantize) else 0


def webp_options(said: Said, args: Arguments) -> None:
    """``webpo:compression:…``."""
    read.at_most("webp_options", args, 3)
    if args[0] not in ("", "lossy", "near_lossless", "lossless"):
        raise wrong.option("webp_options", args[0], "one of lossy, near_lossless, lossless")
    if args[0]:
        said.finish.out["lossless"] = args[0] != "lossy"


def avif_options(said: Said, args: Arguments) -> None:
    """``avifo:subsample``."""
    read.at_most("avif_options", args, 1)
    if args[0] not in ("", "auto", "on", "off"):
        raise wrong.option("avif_options", args[0], "one of auto, on, off")
    if args[0]:
        said.finish.out["chroma"] = args[0]


def pages(said: Said, args: Arguments) -> None:
    """``pgs:n``: how many, in a format that holds several."""
    read.at_most("pages", args, 1)
    said.finish.out["frames"] = read.whole("pages", args[0], 1, 10_000)


def video_thumbnail_second(said: Said, args: Arguments) -> None:
    """``vts:second``."""
    read.at_most("video_thumbnail_second", args, 1)
    second = read.number("video_thumbnail_second", args[0], 0, 86_400)
    said.finish.out["second"] = second


def disable_animation(said: Said, args: Arguments) -> None:
    """``da:on``."""
    read.at_most("disable_animation", args, 1)
    said.finish.still = read.flag(args[0])


def _colour(name: str, args: Arguments, at: int, default: colours.Colour) -> colours.Colour:
    return read.colour(name, args[at]) if len(args) > at and args[at] else default


def _laid(said: Said, name: str, amount: Decimal, made: Op) -> None:
    said.effects[name] = (made,) if amount else ()


def _security(name: str) -> Callable[[Said, Arguments], None]:
    def apply(said: Said, args: Arguments) -> None:
        del said, args
        raise wrong.forbidden(f"{name}: limits are the deployment's to set ([apps.images.limits])")

    return apply


def _absent(name: str) -> Callable[[Said, Arguments], None]:
    def apply(said: Said, args: Arguments) -> None:
        del said, args
        raise wrong.unsupported(name)

    return apply


TABLE: Mapping[tuple[str, ...], Apply] = {
    ("background_alpha", "bga"): background_alpha,
    ("adjust", "a"): adjust,
    ("brightness", "br"): brightness,
    ("contrast", "co"): contrast,
    ("saturation", "sa"): saturation,
    ("monochrome", "mc"): monochrome,
    ("duotone", "dt"): duotone,
    ("colorize", "col"): colorize,
    ("gradient", "gr"): gradient,
    ("progressive_blur", "pbl"): progressive_blur,
    ("blur_areas", "ba"): blur_areas,
    ("unsharp_masking", "ush"): unsharp_masking,
    ("blur_detections", "bd"): blur_detections,
    ("draw_detections", "dd"): draw_detections,
    ("crop_aspect_ratio", "crop_ar", "car"): crop_aspect_ratio,
    ("watermark_url", "wmu"): watermark_url,
    ("watermark_text", "wmt"): watermark_text,
    ("watermark_size", "wms"): watermark_size,
    ("watermark_rotate", "wm_rot", "wmr"): watermark_rotate,
    ("fallback_image_url", "fiu"): fallback_image_url,
    ("dpi",): options.out_whole("dpi", 1200),
    ("autoquality", "aq"): autoquality,
    ("jpeg_options", "jpgo"): jpeg_options,
    ("png_options", "pngo"): png_options,
    ("webp_options", "webpo"): webp_options,
    ("avif_options", "avifo"): avif_options,
    ("page", "pg"): options.out_whole("page", 10_000),
    ("pages", "pgs"): pages,
    ("disable_animation", "da"): disable_animation,
    ("video_thumbnail_second", "vts"): video_thumbnail_second,
}

ABSENT: Mapping[tuple[str, ...], Apply] = {
    names: _absent(names[0])
    for names in (
        ("resizing_algorithm", "ra"),
        ("objects_position", "obj_pos", "op"),
        ("crop_objects",),
        ("watermark_shadow", "wmsh"),
        ("style", "st"),
        ("color_profile", "cp", "icc"),
        ("video_thumbnail_keyframes", "vtk"),
        ("video_thumbnail_tile", "vtt"),
        ("video_thumbnail_animation", "vta"),
        ("bypass_cache", "bc"),
        ("cache_tags", "ct"),
        ("hashsum", "hs"),
    )
}
"""Refused by name: their operations are not here."""

SECURITY: Mapping[tuple[str, ...], Apply] = {
    names: _security(names[0])
    for names in (
        ("max_src_resolution", "msr"),
        ("max_src_file_size", "msfs"),
        ("max_animation_frames", "maf"),
        ("max_animation_frame_resolution", "mafr"),
        ("max_result_dimension", "mrd"),
    )
}
"""403, as from an imgproxy that does not allow them."""
