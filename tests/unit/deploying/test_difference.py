"""What a deployment would change, before it changes anything."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from dynimo.deploying import difference, packing, plain
from dynimo.deploying.wanted import WantedFunction
from dynimo.model.errors import DeployError

SETTINGS = {"Handler": "a.handler", "Runtime": "python3.11", "Role": "r", "Timeout": 3}


def _present(data: bytes, **others: object) -> dict[str, object]:
    return {
        **SETTINGS,
        "CodeSha256": difference.code_sha256(data),
        "CodeSize": len(data),
        "MemorySize": 128,
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        **others,
    }


def test_what_is_as_it_shall_be_changes_nothing() -> None:
    wanted = WantedFunction(name="a", settings=SETTINGS)
    assert difference.plan(wanted, b"zip", _present(b"zip")).nothing


def test_a_new_function_is_created_whole() -> None:
    plan = difference.plan(WantedFunction(name="a", settings=SETTINGS), b"zip", None)
    assert plan.create
    assert {change.what for change in plan.changes} == {"code", *SETTINGS}


def test_changed_members_and_those_no_longer_named_are_told() -> None:
    wanted = WantedFunction(name="a", settings={**SETTINGS, "Timeout": 9})
    variables = {"Variables": {"PASSWORD": "secret"}}
    present = _present(b"old", MemorySize=512, Environment=variables)
    plan = difference.plan(wanted, b"new", present)

    assert plan.code
    assert difference.configuration(plan) == {
        "Timeout": 9,
        "MemorySize": 128,
        "Environment": {"Variables": {}},
    }
    told = "\n".join(map(str, plan.changes))
    assert "~ Timeout: 3 → 9" in told
    assert "PASSWORD" in told
    assert "secret" not in told


def test_layers_are_compared_by_their_names() -> None:
    wanted = WantedFunction(name="a", settings={**SETTINGS, "Layers": ["arn:1"]})
    same = _present(b"zip", Layers=[{"Arn": "arn:1", "CodeSize": 3}])
    assert difference.plan(wanted, b"zip", same).nothing
    assert difference.plan(wanted, b"zip", _present(b"zip")).configuration


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "__pycache__").mkdir(parents=True)
        (folder / "b.py").write_text("1")
        (folder / "__pycache__" / "b.pyc").write_text("x")
        (folder / "bootstrap").write_text("#!/bin/sh")
        (folder / "bootstrap").chmod(0o755)
    data = packing.zipped(tmp_path / "one")
    assert data == packing.zipped(tmp_path / "two")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["b.py", "bootstrap"]
        assert archive.getinfo("bootstrap").external_attr >> 16 & 0o777 == 0o755


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeployError, match="not a plain file"):
        packing.zipped(tmp_path)
    with pytest.raises(DeployError, match="no such file"):
        packing.zipped(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [
        ("def handler(e, c): ...", "", "handler"),
        ("async def lambda_handler(e, c): ...", "", "lambda_handler"),
        ("app = object()\ndef other(): ...", "", "app"),
        ("def a(e, c): ...\ndef handler(e, c): ...", "a", "a"),
        ("from x import handler", "", "handler"),
    ],
)
def test_the_handler_is_found_without_importing(
    tmp_path: Path, text: str, asked: str, found: str
) -> None:
    path = tmp_path / "code.py"
    path.write_text("raise SystemExit('imported')\n" + text)
    assert plain.handler_name(path, asked) == found


def test_a_file_without_a_handler_says_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("def work(e, c): ...")
    with pytest.raises(DeployError, match=r"code\.py::NAME.*work"):
        plain.handler_name(path)
    with pytest.raises(DeployError, match="defines no 'absent'"):
        plain.handler_name(path, "absent")
    path.write_text("def (")
    with pytest.raises(DeployError, match="line 1"):
        plain.handler_name(path)


def test_what_the_platform_adds_by_itself_is_no_difference() -> None:
    """Levels that nobody named are shown as INFO; another level is a difference."""
    wanted = WantedFunction(name="a", settings={**SETTINGS, "LoggingConfig": {"LogFormat": "JSON"}})
    shown = {"LogFormat": "JSON", "LogGroup": "/aws/lambda/a", "SystemLogLevel": "INFO",
             "ApplicationLogLevel": "INFO"}  # fmt: skip
    louder = {**shown, "ApplicationLogLevel": "DEBUG"}
    assert difference.plan(wanted, b"zip", _present(b"zip", LoggingConfig=shown)).nothing
    assert not difference.plan(wanted, b"zip", _present(b"zip", LoggingConfig=louder)).nothing


def test_a_new_function_shows_its_tags() -> None:
    wanted = WantedFunction(name="a", settings=SETTINGS, tags={"team": "blue"})
    shown = [str(change) for change in difference.plan(wanted, b"zip", None).changes]
    assert '+ tags: {"team": "blue"}' in shown


def test_a_plain_file_leaves_alone_what_it_says_nothing_of() -> None:
    """Variables, memory and a role that were set with AWS's tools outlive the next deployment."""
    wanted = WantedFunction(name="a", settings=SETTINGS, whole=False)
    variables = {"Variables": {"TOKEN": "secret"}}
    present = _present(b"old", Environment=variables, MemorySize=512, Role="another")
    plan = difference.plan(wanted, b"new", present)
    assert [change.what for change in plan.changes] == ["code"]
    assert not plan.configuration
