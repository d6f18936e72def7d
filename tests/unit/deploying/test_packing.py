"""Files to zips: what is in them, and that the same files give the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dynimo.deploying import packing, watching
from dynimo.deploying.wanted import WantedFunction
from dynimo.model.errors import DeployError


def _names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def test_tests_and_environments_stay_behind_at_the_top_only(tmp_path: Path) -> None:
    """Further down they may be parts of packages that the code imports."""
    for name in ("a.py", "tests/test_a.py", "venv/b.py", "lib/tests/__init__.py",
                 "lib/__pycache__/x.py", "lib/m.pyc"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    deployed = _names(packing.zipped(tmp_path))
    watched = sorted(Path(name).relative_to(tmp_path).as_posix()
                     for name, _, _ in watching.state(tmp_path))  # fmt: skip

    assert deployed == ["a.py", "lib/tests/__init__.py"]
    assert watched == deployed


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    """Whenever and in whatever order they were written."""
    zips = []
    for names in (("a.py", "b.py"), ("b.py", "a.py")):
        folder = tmp_path / names[0]
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
        zips.append(packing.zipped(folder))
    assert zips[0] == zips[1]


def test_text_alone_is_the_module_index(tmp_path: Path) -> None:
    """As on AWS, whatever the handler is called."""
    python = WantedFunction(name="f", settings={"Runtime": "python3.11"}, inline="x = 1")
    node = WantedFunction(name="f", settings={"Runtime": "nodejs20.x"}, inline="1")
    assert [_names(packing.packed(each)) for each in (python, node)] == [["index.py"], ["index.js"]]
    with pytest.raises(DeployError, match="f has no code here"):
        packing.packed(WantedFunction(name="f", settings={}))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: None, "holds no files"),
        (lambda folder: (folder / "gone").symlink_to("nowhere"), "No such file"),
    ],
)
def test_what_cannot_be_packed_is_refused(tmp_path: Path, make: object, why: str) -> None:
    assert callable(make)
    make(tmp_path)
    with pytest.raises(DeployError, match=why):
        packing.zipped(tmp_path)
