"""Reports: JSON about a picture in the picture's place, with the same validators and freshness."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import recipe
from dynimo.sdk import http
from ops import geometry, values
from ops.base import Op
from ops.output import Output

Ask = Callable[..., http.Reply]


@pytest.fixture
def picture(folder: Path) -> Path:
    """Put a picture of 200 x 100 into the source."""
    buffer = io.BytesIO()
    Image.new("RGB", (200, 100), "red").save(buffer, "PNG")
    path = folder / "a.png"
    path.write_bytes(buffer.getvalue())
    return path


def asked(*ops: Op, report: str = "thumbor") -> str:
    out = Output(fm="json", report=report, ttl_seconds=60)
    made = recipe.canonical(source="pics", path="a.png", engine="1", ops=ops, out=out)
    return recipe.spell(made)


@pytest.mark.usefixtures("picture")
def test_a_report_tells_of_the_header_and_the_operations(make: Ask) -> None:
    """Sizes as rendering would settle them, in thumbor's order: the crop in the source's pixels."""
    side = values.pixels(50)
    ops = (
        geometry.Resize("outside", side, side, enlarge=True),
        geometry.Cut(side, side),
        geometry.Flip(x=True),
    )
    reply = make(asked(*ops))
    assert reply.status == 200
    assert json.loads(reply.body) == {
        "thumbor": {
            "source": {"url": "pics/a.png", "width": 200, "height": 100, "frameCount": 1},
            "operations": [
                {"type": "crop", "left": 50, "top": 0, "right": 150, "bottom": 100},
                {"type": "resize", "width": 50, "height": 50},
                {"type": "flip_horizontally"},
            ],
            "target": {"width": 50, "height": 50},
        },
        "format": "png",
        "content_type": "image/png",
        "width": 50,
        "height": 50,
    }


def test_a_report_has_validators_and_freshness(make: Ask, picture: Path) -> None:
    """304 for who has it; another one when the file changes; never a form of the picture."""
    headers = dict(make(asked()).headers)
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "public, max-age=60, stale-if-error=86400"
    assert not {http.GROUP_HEADER, http.RANK_HEADER} & headers.keys()
    assert make(asked(), {"if-none-match": headers["etag"]}).status == 304
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert make(asked(), {"if-none-match": headers["etag"]}).status == 200


@pytest.mark.usefixtures("picture")
def test_an_unknown_report_is_unknown(make: Ask) -> None:
    """Internal paths are not lenient."""
    assert make(asked(report="nothing")).status == 404


def test_a_report_on_what_is_no_picture_is_refused(make: Ask, picture: Path) -> None:
    """As the picture itself would be."""
    picture.write_bytes(b"nothing of the kind")
    assert make(asked()).status == 422
