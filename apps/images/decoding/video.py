"""One frame of a video, by a static ffmpeg that an extra package brings, as a program of its own.

It reads only the file that is given to it, never a playlist or a network, and has a time limit.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from decimal import Decimal

import pyvips

import extras
import limits as limit_names
import refusals
from decoding.opened import Opened, check_size

SECONDS_MAX = 8.0
"""For finding and decoding the frame."""
PIXELS_MAX = 10_000_000
"""Of a frame: 4K, and a little. Decoders hold many frames."""
DEMUXERS = {"mp4": "mov", "webm": "matroska"}
"""The kinds of containers that are read, in ffmpeg's words: none of them names other files."""
_SIZE = re.compile(rb"P6\s(\d{1,6})\s(\d{1,6})\s255\s")


def open_frame(data: bytes, kind: str, limits: limit_names.Limits, second: Decimal) -> Opened:
    """Decode the frame that is shown at ``second``, or the first where there is none.

    Raises:
        Refusal: 422; the package is missing, or there is no such frame.
    """
    program = extras.load("imageio_ffmpeg", "video").get_ffmpeg_exe()
    with tempfile.NamedTemporaryFile(suffix=".video") as file:
        file.write(data)
        file.flush()
        found = _frame(program, file.name, kind, second, limits)
    sized = _SIZE.match(found)
    if sized is None:
        raise refusals.unusable("damaged", "the video has no frame there, or is damaged")
    width, height = int(sized[1]), int(sized[2])
    check_size(width, height, limits)
    rows = found[sized.end() :]
    if len(rows) != 3 * width * height:
        raise refusals.unusable("truncated", "the source ends before the picture does")
    image = pyvips.Image.new_from_memory(rows, width, height, 3, "uchar")
    drawn = image.copy(interpretation="srgb")
    return Opened(width=width, height=height, has_alpha=False, draw=lambda *_: drawn)


def _frame(
    program: str, path: str, kind: str, second: Decimal, limits: limit_names.Limits
) -> bytes:
    pixels = min(limits.source_pixels, PIXELS_MAX)
    command = [
        program, "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "file",
        "-f", DEMUXERS[kind], "-max_pixels", str(pixels), "-ss", str(second),
        "-i", path, "-map", "0:v:0", "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm", "pipe:1",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=SECONDS_MAX, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise refusals.unusable("too_slow", "the video's frame takes too long to decode") from None
    except OSError as error:
        raise refusals.unusable("needs_package", "the program ffmpeg cannot be started") from error
    return done.stdout
