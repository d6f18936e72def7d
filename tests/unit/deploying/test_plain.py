"""One plain file: which handler and which runtime are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynimo.deploying import plain
from dynimo.model.errors import DeployError


@pytest.mark.parametrize(
    ("name", "text", "wanted", "handler", "runtime"),
    [
        ("a.py", "def handler(e, c): 1", "", "a.handler", plain.runtime_here()),
        ("a.py", "def main(): 1\nasync def lambda_handler(e, c): 1", "", "a.lambda_handler",
         plain.runtime_here()),
        ("a.py", "from x import y as other", "other", "a.other", plain.runtime_here()),
        ("a-b.py", "app: object = 1", "", "a-b.app", plain.runtime_here()),
        ("index.mjs", "export const handler = 1", "", "index.handler", plain.NODE_RUNTIME),
        ("x.js", "", "start", "x.start", plain.NODE_RUNTIME),
        ("bootstrap", "#!/bin/sh", "", "bootstrap", plain.BOOTSTRAP_RUNTIME),
    ],
)  # fmt: skip
def test_a_file_becomes_a_function(
    tmp_path: Path, name: str, text: str, wanted: str, handler: str, runtime: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o755)

    (function,) = plain.read(path, wanted).functions

    assert function.name == path.stem
    assert (function.settings["Handler"], function.settings["Runtime"]) == (handler, runtime)
    assert function.code == path


@pytest.mark.parametrize(
    ("name", "text", "wanted", "why"),
    [
        ("a.py", "x = 1", "", "defines none of handler.*it defines: x"),
        ("a.py", "x = 1", "y", "defines no 'y'"),
        ("a.py", "def (", "", "line 1"),
        ("a.b.py", "def handler(e, c): 1", "", "holds no dot"),
        ("bootstrap", "#!/bin/sh", "", "chmod"),
        ("a.rb", "", "", "can be deployed alone"),
    ],
)
def test_what_is_no_function_is_told(
    tmp_path: Path, name: str, text: str, wanted: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DeployError, match=why):
        plain.read(tmp_path / name, wanted)
