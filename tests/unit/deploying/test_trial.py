"""One function out of what there is: the same configuration as when it is deployed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dynimo.deploying import trial
from dynimo.deploying.plain import NoHandler, runtime_here
from dynimo.model.names import Place

CODE = "def handler(event, context): return 1\ndef other(event, context): return 2\n"
APP = (
    'name = "demo"\n[functions.one]\nhandler = "a.handler"\nmemory_mib = 200\nsources = true\n'
    '[functions.two]\nhandler = "a.other"\n[sources]\nown = "given"\n'
)
TEMPLATE = """\
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Timeout: 7
      Environment: {Variables: {A: 1}}
      InlineCode: "echo"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(CODE)
    return tmp_path


def _names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def test_a_file_is_its_handler(folder: Path) -> None:
    (folder / "beside.py").write_text("")
    read = trial.read(f"{folder}/a.py::other", Place())
    declared = read.configuration
    assert (read.name, declared.handler, declared.runtime) == ("a", "a.other", runtime_here())
    assert (declared.timeout_seconds, declared.memory_mib) == (3, 128)
    assert _names(read.zip) == ["a.py"], "what is deployed is the file alone"


def test_an_apps_function_has_what_its_manifest_declares(folder: Path) -> None:
    (folder / "app.toml").write_text(APP)
    read = trial.read(f"{folder}::one", Place())
    assert (read.name, read.configuration.memory_mib) == ("demo-one", 200)
    assert read.configuration.runtime == "", "apps run on the platform's own interpreter"
    assert read.sources == {"own": "given"}
    assert trial.read(f"{folder}::demo-two", Place()).sources == {}
    with pytest.raises(trial.NotThere, match="holds several functions"):
        trial.read(str(folder), Place())


def test_a_templates_only_function_needs_no_name(folder: Path) -> None:
    (folder / "template.yaml").write_text(TEMPLATE)
    read = trial.read(str(folder), Place())
    assert (read.name, read.configuration.timeout_seconds) == ("Greeter", 7)
    assert read.configuration.environment == {"A": "1"}


@pytest.mark.parametrize(
    ("source", "said"),
    [("b.py", "Did you mean"), ("zzz.txt", "There are: "), ("", "Name a file: a.py")],
)
def test_what_is_not_there_comes_with_what_is(folder: Path, source: str, said: str) -> None:
    with pytest.raises(trial.NotThere, match=said):
        trial.read(str(folder / source), Place())


def test_a_name_that_the_file_does_not_define(folder: Path) -> None:
    with pytest.raises(NoHandler, match="it defines: handler, other"):
        trial.read(f"{folder}/a.py::absent", Place())
