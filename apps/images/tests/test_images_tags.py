"""Tags: what answers name, so that a purge of one thing takes all that hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import recipe
import tags
from dynimo.sdk import http
from ops import base, layers
from ops.output import Output

Ask = Callable[..., http.Reply]
SAMPLE = Path(__file__).parent.parent / "samples" / "boats.jpg"


def made(*ops: base.Op, path: str = "a b.jpg") -> recipe.Recipe:
    out = Output(fm="jpg")
    return recipe.canonical(source="pics", path=path, engine="1", ops=ops, out=out)


def test_a_picture_names_its_source_file_and_all_layer_files() -> None:
    """Nested layers too; blanks and commas, which separate tags, are encoded."""
    inner = recipe.spell_ops([layers.Layer(file=base.Text("brand/in,ner.png"))])
    layer = layers.Layer(file=base.Text("brand/logo.png"), made=base.Text(inner))
    assert tags.of_recipe(made(layer)) == (
        "images", "asset:pics/a%20b.jpg", "layer:brand/logo.png", "layer:brand/in%2Cner.png",
    )  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_the_generator_sends_them(folder: Path, ask: Ask) -> None:
    """They are in Surrogate-Key, which the edge keeps for itself."""
    (folder / "boats.jpg").write_bytes(SAMPLE.read_bytes())
    headers = dict(ask("pics/boats.jpg", "w=20").headers)
    assert headers["surrogate-key"] == "images asset:pics/boats.jpg"
