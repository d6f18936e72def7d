"""The options of imgproxy's open edition: name and arguments → what is said. Pure.

Each function takes its arguments as written, colons apart; there is always one, perhaps empty. In
options that set several things an empty argument leaves what was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from dialects import bell
from dialects.imgproxy import arguments as read
from dialects.imgproxy import wrong
from dialects.imgproxy.arguments import Arguments
from dialects.imgproxy.said import Said
from ops import effects, values

Apply = Callable[[Said, Arguments], None]
MODES = ("fit", "fill", "fill-down", "force", "auto")
SIDE_MAX = 65_500
ZOOM_MAX = 1_000
NAME_MAX = 200
"""Characters of a file's name."""


def resize(said: Said, args: Arguments) -> None:
    """``rs:type:w:h:enlarge:extend[:gravity]``."""
    read.at_most("resize", args, 8)
    if args[0]:
        resizing_type(said, args[:1])
    if len(args) > 1:
        size(said, args[1:])


def size(said: Said, args: Arguments) -> None:
    """``s:w:h:enlarge:extend[:gravity]``."""
    read.at_most("size", args, 7)
    w, h, enlarge, extends = (*args, "", "", "")[:4]
    if w:
        said.w = read.whole("width", w, 0, SIDE_MAX)
    if h:
        said.h = read.whole("height", h, 0, SIDE_MAX)
    if enlarge:
        said.enlarge = read.flag(enlarge)
    if extends:
        extend(said, args[3:])


def resizing_type(said: Said, args: Arguments) -> None:
    """``rt:type``."""
    read.at_most("resizing_type", args, 1)
    if args[0] not in MODES:
        raise wrong.option("resizing_type", args[0], f"one of {', '.join(MODES)}")
    said.mode = args[0]


def zoom(said: Said, args: Arguments) -> None:
    """``z:both`` or ``z:x:y``."""
    read.at_most("zoom", args, 2)
    said.zoom_x = read.positive("zoom", args[0], ZOOM_MAX)
    said.zoom_y = read.positive("zoom", args[-1], ZOOM_MAX)


def dpr(said: Said, args: Arguments) -> None:
    """``dpr:n``."""
    read.at_most("dpr", args, 1)
    said.dpr = read.positive("dpr", args[0], ZOOM_MAX)


def extend(said: Said, args: Arguments) -> None:
    """``ex:on[:gravity]``."""
    said.extend, said.extend_gravity = _extending("extend", args, said.extend_gravity)


def extend_aspect_ratio(said: Said, args: Arguments) -> None:
    """``exar:on[:gravity]``."""
    name = "extend_aspect_ratio"
    said.extend_shape, said.extend_shape_gravity = _extending(name, args, said.extend_shape_gravity)


def _extending(name: str, args: Arguments, was: values.Gravity) -> tuple[bool, values.Gravity]:
    read.at_most(name, args, 4)
    if len(args) > 1 and args[1]:
        was = read.gravity(name, args[1:], smart=False)
    return read.flag(args[0]), was


def crop(said: Said, args: Arguments) -> None:
    """``c:w:h[:gravity]``."""
    said.crop_w = read.number("crop", args[0], 0, SIDE_MAX)
    said.crop_h = read.number("crop", args[1], 0, SIDE_MAX) if len(args) > 1 else said.crop_h
    if len(args) > 2 and args[2]:
        said.crop_gravity = read.gravity("crop", args[2:])


def trim(said: Said, args: Arguments) -> None:
    """``t:threshold[:colour[:equal_hor[:equal_ver]]]``."""
    read.at_most("trim", args, 4)
    threshold, colour, equal_x, equal_y = (*args, "", "", "")[:4]
    said.trim = read.number("trim", threshold, 0, 442) if threshold else None
    said.trim_colour = read.colour("trim", colour) if colour else None
    said.trim_x = read.flag(equal_x) if equal_x else said.trim_x
    said.trim_y = read.flag(equal_y) if equal_y else said.trim_y


def padding(said: Said, args: Arguments) -> None:
    """``pd:top[:right[:bottom[:left]]]``: what is left out is as on the side across."""
    read.at_most("padding", args, 4)
    texts = (*args, "", "", "")[:4]
    top = read.whole("padding", texts[0], 0, SIDE_MAX) if texts[0] else said.padding[0]
    right = read.whole("padding", texts[1], 0, SIDE_MAX) if texts[1] else top
    bottom = read.whole("padding", texts[2], 0, SIDE_MAX) if texts[2] else top
    left = read.whole("padding", texts[3], 0, SIDE_MAX) if texts[3] else right
    said.padding = (top, right, bottom, left)


def rotate(said: Said, args: Arguments) -> None:
    """``rot:angle``, right angles only."""
    read.at_most("rotate", args, 1)
    angle = read.whole("rotate", args[0], -360_000, 360_000)
    if angle % 90:
        raise wrong.option("rotate", args[0], "a multiple of 90")
    said.rotate = angle % 360


def flip(said: Said, args: Arguments) -> None:
    """``fl:horizontally[:vertically]``."""
    read.at_most("flip", args, 2)
    said.flip_x = read.flag(args[0]) if args[0] else said.flip_x
    said.flip_y = read.flag(args[1]) if len(args) > 1 and args[1] else said.flip_y


def background(said: Said, args: Arguments) -> None:
    """``bg:hex`` or ``bg:R:G:B``; ``bg:`` takes it back."""
    if len(args) == 3:
        red, green, blue = (read.whole("background", each, 0, 255) for each in args)
        said.bg = (red, green, blue, 255)
        return
    read.at_most("background", args, 1)
    said.bg = read.colour("background", args[0]) if args[0] else None


def watermark(said: Said, args: Arguments) -> None:
    """``wm:opacity[:position[:x[:y[:scale]]]]``."""
    read.at_most("watermark", args, 7)
    opacity, place, x, y, scale = (*args, "", "", "", "")[:5]
    mark = said.mark
    mark.opacity = read.part("watermark", opacity)
    if place:
        if place == "ch":
            raise wrong.unsupported("watermark:…:ch")
        if place != "re" and place not in values.SIDES:
            raise wrong.option("watermark", place, f"one of {', '.join(values.SIDES)}, re")
        mark.place = place
    mark.x = read.length(read.number("watermark", x, -SIDE_MAX, SIDE_MAX)) if x else mark.x
    mark.y = read.length(read.number("watermark", y, -SIDE_MAX, SIDE_MAX)) if y else mark.y
    mark.scale = read.number("watermark", scale, 0, ZOOM_MAX) if scale else mark.scale


def format_quality(said: Said, args: Arguments) -> None:
    """``fq:format:quality[:format:quality…]``."""
    if len(args) % 2:
        raise wrong.option("format_quality", ":".join(args), "pairs of a format and a quality")
    for name, quality in zip(args[::2], args[1::2], strict=True):
        fm = read.fm("format_quality", name)
        said.finish.qualities[fm] = read.whole("format_quality", quality, 0, 100)


def cachebuster(said: Said, args: Arguments) -> None:
    """``cb:text``: other text, another picture to every cache, ours too."""
    said.finish.out["buster"] = hashlib.sha256(
        ":".join(args).encode("utf-8", "replace")
    ).hexdigest()[:12]


def expires(said: Said, args: Arguments) -> None:
    """``exp:unix seconds``; 0 is never."""
    read.at_most("expires", args, 1)
    said.finish.expires = read.whole("expires", args[0], 0, 9_999_999_999)


def filename(said: Said, args: Arguments) -> None:
    """``fn:name[:is_base64]``."""
    read.at_most("filename", args, 2)
    name = args[0]
    if len(args) > 1 and read.flag(args[1]):
        name = read.base64("filename", name)
    if len(name) > NAME_MAX or not name.isprintable() or "/" in name or "\\" in name:
        raise wrong.option("filename", name, f"at most {NAME_MAX} characters that can be printed")
    said.finish.out["name"] = name


def skip_processing(said: Said, args: Arguments) -> None:
    """``skp:format[:format…]``."""
    said.finish.skip |= {read.fm("skip_processing", each) for each in args}


def gravity(said: Said, args: Arguments) -> None:
    """``g:type[:x:y]``."""
    said.gravity = read.gravity("gravity", args)


def blur(said: Said, args: Arguments) -> None:
    """``bl:sigma``, which is libvips'."""
    read.at_most("blur", args, 1)
    sigma = bell.of_libvips(read.number("blur", args[0], 0, 250))
    said.effects["blur"] = (effects.Blur(sigma),) if sigma else ()


def sharpen(said: Said, args: Arguments) -> None:
    """``sh:sigma``."""
    read.at_most("sharpen", args, 1)
    sigma = read.number("sharpen", args[0], 0, 10)
    said.effects["sharpen"] = (effects.Sharpen(sigma),) if sigma else ()


def pixelate(said: Said, args: Arguments) -> None:
    """``pix:size``; up to 1 it does nothing."""
    read.at_most("pixelate", args, 1)
    squares = read.whole("pixelate", args[0], 0, 4096)
    said.effects["pixelate"] = (effects.Pixelate(squares),) if squares > 1 else ()


def _side(attribute: str) -> Apply:
    def apply(said: Said, args: Arguments) -> None:
        read.at_most(attribute, args, 1)
        setattr(said, attribute, read.whole(attribute, args[0], 0, SIDE_MAX))

    return apply


def _switch(attribute: str, *, finish: bool = True) -> Apply:
    def apply(said: Said, args: Arguments) -> None:
        read.at_most(attribute, args, 1)
        setattr(said.finish if finish else said, attribute, read.flag(args[0]))

    return apply


def out_flag(argument: str, *, on: object = True, off: object = False) -> Apply:
    """An option that is one argument of the output."""

    def apply(said: Said, args: Arguments) -> None:
        read.at_most(argument, args, 1)
        said.finish.out[argument] = on if read.flag(args[0]) else off

    return apply


def out_whole(argument: str, most: int) -> Apply:
    """An option that is one number of the output."""

    def apply(said: Said, args: Arguments) -> None:
        read.at_most(argument, args, 1)
        said.finish.out[argument] = read.whole(argument, args[0], 0, most)

    return apply


def quality(said: Said, args: Arguments) -> None:
    """``q:n``; 0 is the format's."""
    read.at_most("quality", args, 1)
    said.finish.quality = read.whole("quality", args[0], 0, 100)


def fm(said: Said, args: Arguments) -> None:
    """``f:format``."""
    read.at_most("format", args, 1)
    said.finish.fm = read.fm("format", args[0])


def nothing(said: Said, args: Arguments) -> None:
    """Take an option that changes nothing here."""
    del said, args


TABLE: Mapping[tuple[str, ...], Apply] = {
    ("resize", "rs"): resize,
    ("size", "s"): size,
    ("resizing_type", "rt"): resizing_type,
    ("width", "w"): _side("w"),
    ("height", "h"): _side("h"),
    ("min-width", "mw"): _side("least_w"),
    ("min-height", "mh"): _side("least_h"),
    ("zoom", "z"): zoom,
    ("dpr",): dpr,
    ("enlarge", "el"): _switch("enlarge", finish=False),
    ("extend", "ex"): extend,
    ("extend_aspect_ratio", "extend_ar", "exar"): extend_aspect_ratio,
    ("gravity", "g"): gravity,
    ("crop", "c"): crop,
    ("trim", "t"): trim,
    ("padding", "pd"): padding,
    ("auto_rotate", "ar"): out_flag("upright"),
    ("rotate", "rot"): rotate,
    ("flip", "fl"): flip,
    ("background", "bg"): background,
    ("blur", "bl"): blur,
    ("sharpen", "sh"): sharpen,
    ("pixelate", "pix"): pixelate,
    ("watermark", "wm"): watermark,
    ("strip_metadata", "sm"): _switch("strip"),
    ("keep_copyright", "kcr"): _switch("copyright"),
    ("strip_color_profile", "scp"): out_flag("icc", on="srgb", off="keep"),
    ("preserve_hdr", "ph"): out_flag("hdr"),
    ("enforce_thumbnail", "eth"): nothing,
    ("quality", "q"): quality,
    ("format_quality", "fq"): format_quality,
    ("max_bytes", "mb"): out_whole("bytes_max", 1 << 30),
    ("format", "f", "ext"): fm,
    ("skip_processing", "skp"): skip_processing,
    ("raw",): _switch("raw"),
    ("cachebuster", "cb"): cachebuster,
    ("expires", "exp"): expires,
    ("filename", "fn"): filename,
    ("return_attachment", "att"): out_flag("attach"),
}
"""All names of an option, the long one first; `preset` is read in `reading`."""
