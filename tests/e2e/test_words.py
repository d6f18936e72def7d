"""Layers and words in the running program: fonts are seen in the sandbox, purges find layers."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from tests.e2e.serving import Answer, Server

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parent.parent.parent
FONT = ROOT / "apps" / "images" / "fonts" / "NotoSansHebrew-Bold.ttf"


def _opened(answer: Answer) -> Image.Image:
    assert answer.status == 200, answer.body
    with Image.open(io.BytesIO(answer.body)) as image:
        return image.convert("RGB")


def _darkest(image: Image.Image) -> int:
    return int(image.convert("L").getextrema()[0])


@pytest.fixture
def server(serve: Callable[..., Server], tmp_path: Path) -> Server:
    """Serve a white picture and a red badge, with a folder of fonts of its own."""
    for folder in ("pics", "brand", "fonts"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (300, 200), "white").save(tmp_path / "pics" / "a.png")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "brand" / "logo.png")
    old, new = (name.encode("utf-16-be") for name in ("Noto Sans Hebrew", "Brand Sans Heavy"))
    (tmp_path / "fonts" / "brand.ttf").write_bytes(FONT.read_bytes().replace(old, new))
    config = tmp_path / "dynimo.toml"
    config.write_text(f'[apps.images]\nfonts = "{tmp_path / "fonts"}"\n')
    sources = [f"{name}={tmp_path / name}" for name in ("pics", "brand")]
    return serve("--source", sources[0], "--source", sources[1], "--config", str(config))


def test_words_and_layers_are_there(server: Server, tmp_path: Path) -> None:
    """Bundled fonts, the folder's fonts, a logo; what is missing is named; a purge finds layers."""
    for text, font in (("Hello", "Noto Sans Bold"), ("سلام", "sans"), ("שלום", "Brand Sans Heavy")):
        url = f"/img/pics/a.png?fm=png&txt={quote(text)}&txt-font={quote(font)}&txt-size=60"
        assert _darkest(_opened(server.get(url))) < 60

    refused = server.get("/img/pics/a.png?fm=png&txt=Hello&txt-font=Arial")
    assert (refused.status, "Brand Sans Heavy" in refused.json["allowed"]) == (400, True)
    refused = server.get(f"/img/pics/a.png?fm=png&txt={quote('日本')}")
    assert (refused.status, refused.json["script"]) == (422, "Chinese")

    marked = "/img/pics/a.png?fm=png&mark=brand/logo.png&mark-align=top,left&mark-pad=0"
    assert _opened(server.get(marked)).getpixel((20, 20)) == (255, 0, 0)
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "brand" / "logo.png")
    assert _opened(server.get(marked)).getpixel((20, 20)) == (255, 0, 0)
    server.purge(tag="layer:brand/logo.png")
    assert _opened(server.get(marked)).getpixel((20, 20)) == (0, 0, 255)
