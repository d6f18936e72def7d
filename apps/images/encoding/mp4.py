"""Frames as an MP4 that every browser plays, by a static ffmpeg that an extra package brings.

H.264 without sound; ffmpeg runs as a program of its own with a time limit.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyvips

import extras
import refusals
from ops.output import Output

SECONDS_MAX = 15.0
RATE = 25
"""Frames a second; each of the source's is repeated for as long as it stays."""
FRAMES_MAX = 3_000
CRF, CRF_BEST, CRF_WORST = 26, 14, 45
"""x264's quality: by default, and what 100 and 1 stand for."""


def save(image: pyvips.Image, out: Output) -> bytes:
    """Encode frames that lie below each other.

    Raises:
        Refusal: 422; the package is missing, they are too many, or the encoder fails.
    """
    program = extras.load("imageio_ffmpeg", "MP4").get_ffmpeg_exe()
    if "delay" not in image.get_fields():
        raise refusals.unusable("cannot_encode", "only an animation becomes a video")
    height, order = image.height // len(image.get("delay")), repeats(image.get("delay"))
    rows = image.extract_band(0, n=3).write_to_memory()
    size = image.width * height * 3
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mp4"
        command = [
            program, "-nostdin", "-v", "error", "-threads", "1", "-f", "rawvideo",
            "-pix_fmt", "rgb24", "-s", f"{image.width}x{height}", "-r", str(RATE), "-i", "pipe:0",
            "-vf", "scale=trunc((iw+1)/2)*2:trunc((ih+1)/2)*2", "-c:v", "libx264",
            "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", str(_crf(out.quality)),
            "-threads", "1", "-movflags", "+faststart", "-fflags", "+bitexact",
            "-flags", "+bitexact", "-map_metadata", "-1", str(made),
        ]  # fmt: skip
        view = memoryview(rows)
        frames = (view[number * size : (number + 1) * size] for number in order)
        if not _fed(command, frames) or not made.exists():
            raise refusals.unusable("cannot_encode", "the video could not be made")
        return made.read_bytes()


def _fed(command: Sequence[str], frames: Iterable[memoryview]) -> bool:
    """Run the program with frames as its input, one after another; whether it ended well."""
    quiet = subprocess.DEVNULL
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env={}
        ) as running:
            end = threading.Timer(SECONDS_MAX, running.kill)
            end.start()
            try:
                assert running.stdin is not None
                for frame in frames:
                    running.stdin.write(frame)
                running.stdin.close()
                return running.wait() == 0
            finally:
                running.kill()
                end.cancel()
    except OSError:  # it cannot be started, or does not listen any more
        return False


def repeats(delays: Sequence[int]) -> list[int]:
    """Say which frame is shown in each moment, for frames that stay so many milliseconds.

    Raises:
        Refusal: 422; that is longer than a video may be.
    """
    order: list[int] = []
    until = 0
    for number, delay in enumerate(delays):
        until += delay
        order += [number] * max(1, round(until * RATE / 1000) - len(order))
        if len(order) > FRAMES_MAX:
            raise refusals.unusable(
                "too_many_frames", f"the video would have more than {FRAMES_MAX} frames"
            )
    return order


def _crf(quality: int) -> int:
    return round(CRF_WORST - quality * (CRF_WORST - CRF_BEST) / 100) if quality else CRF
