"""Which packages a folder lacks, told before a function fails for want of them."""

from __future__ import annotations

from pathlib import Path

from dynimo.deploying import requirements
from dynimo.deploying.wanted import Wanted, WantedFunction

TEXT = """\
# a comment
-r other.txt
fastapi[standard]>=0.115  # with extras
Some_Package==1
boto3
kept @ https://example.com/kept.zip
"""


def _wanted(folder: Path, runtime: str = "python3.11") -> Wanted:
    function = WantedFunction(name="f", settings={"Runtime": runtime}, code=folder)
    return Wanted(functions=(function, function))


def test_what_is_named_and_not_there_is_told_once_with_the_command(tmp_path: Path) -> None:
    """boto3 is everybody's, as on AWS; what lies there by its dist-info is there."""
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "requirements.txt").write_text(TEXT)
    (told,) = requirements.missing(_wanted(folder))

    assert told.startswith("missing  fastapi, some-package of ")
    assert f"pip install --target '{folder}' -r '{folder}/requirements.txt'" in told
    (folder / "some_package-1.dist-info").mkdir()
    (folder / "fastapi-0.2.dist-info").mkdir()
    assert list(requirements.missing(_wanted(folder))) == []


def test_other_languages_and_folders_without_the_file_are_left_alone(tmp_path: Path) -> None:
    assert list(requirements.missing(_wanted(tmp_path))) == []
    (tmp_path / "requirements.txt").write_text(TEXT)
    assert list(requirements.missing(_wanted(tmp_path, "nodejs20.x"))) == []
