"""Signed URLs against the running program: what clients make is what arrives."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import dynimo_images
from tests.e2e.conftest import SAMPLE
from tests.e2e.serving import Server, name_of

pytestmark = pytest.mark.e2e

KEY, NEXT = "the key of this test", "the key that comes after it"
FILE = "photos/sea & sky/böats (1)'~+%.jpg"
CONFIG = f"""\
[apps.images]
rules = "rules.toml"
keys = ["{NEXT}", "{KEY}"]
widths = [64, 96]
[apps.images.presets]
thumb = "w=80&h=60&fit=cover"
"""


def _size(server: Server, target: str) -> tuple[int, int]:
    answer = server.get(target)
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        return image.size


def _holds(pid: int, text: bytes) -> bool:
    """Look for a text everywhere in a process's memory, its environment included."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw" not in line:
                continue
            try:
                memory.seek(begin)
                if text in memory.read(end - begin):
                    return True
            except (OSError, OverflowError, ValueError):  # what the kernel keeps to itself
                continue
    return False


def test_only_signed_urls_ask_for_more(tmp_path: Path, serve: Callable[..., Server]) -> None:
    """Any of the keys signs; unsigned are known widths and presets; what is over is over."""
    folder = tmp_path / "photos"
    (folder / "sea & sky").mkdir(parents=True)
    (tmp_path / FILE).write_bytes(SAMPLE.read_bytes())
    config = tmp_path / "settings.toml"
    config.write_text(CONFIG)
    tmp_path.chmod(0o755)  # functions run as users of their own
    (tmp_path / "rules.toml").write_text('[[rule]]\npath = "**"\nquality = { jpg = 70 }\n')
    server = serve("--source", f"photos={folder}", "--config", str(config))

    for key in (KEY, NEXT):
        assert _size(server, dynimo_images.url(FILE, key=key, w=50, ar="5:4")) == (50, 40)
    assert _size(server, dynimo_images.url(FILE, w=64))[0] == 64
    assert _size(server, dynimo_images.url(FILE, preset="thumb")) == (80, 60)
    assert _size(server, dynimo_images.url(FILE, preset="thumb", w=96)) == (96, 60)

    good = dynimo_images.url(FILE, key=KEY, w=51)
    for target, code in (
        (good.replace("w=51", "w=52"), "bad_signature"),
        (dynimo_images.url(FILE, key="some key of a stranger", w=51), "bad_signature"),
        (dynimo_images.url(FILE, w=65), "unsigned"),
    ):
        answer = server.get(target, {"accept": "image/avif,image/*"})
        assert (answer.status, answer.json["error"]) == (403, code)
        assert KEY not in answer.body.decode()

    variants = [good.partition("?")[2], "w=64", "w=65"]
    many = server.get(
        "/img/_derive",
        method="POST",
        body=json.dumps({"source": FILE, "variants": variants}).encode(),
    )
    assert re.findall(rb"\r\nstatus: ([0-9]+)", many.body) == [b"200", b"200", b"403"]

    makers = [pid for pid in server.family() if name_of(pid).startswith("env images-gen")]
    deciders = [pid for pid in server.family() if name_of(pid).startswith("env images-pre")]
    assert makers
    assert any(_holds(pid, KEY.encode()) for pid in deciders)
    assert not any(_holds(pid, KEY.encode()) or _holds(pid, NEXT.encode()) for pid in makers)

    ends = int(time.time()) + 3
    brief = dynimo_images.url(FILE, key=KEY, expires=ends, w=53)
    assert _size(server, brief)[0] == 53
    while time.time() < ends:
        time.sleep(0.1)
    assert server.get(brief).json["error"] == "expired"
