"""Which runtimes a host has, from what lies on its PATH and what that says of itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from dynimo.backends import interpreters
from dynimo.backends.interpreters import OWN, Interpreter, Interpreters

OTHER = "python3.14" if OWN != "python3.14" else "python3.13"


def folder(tmp_path: Path, *names: str) -> str:
    """A folder of programs that nobody will run."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (tmp_path / name).write_text("#!/bin/false\n")
        (tmp_path / name).chmod(0o755)
    return str(tmp_path)


def python_says(minor: int) -> str:
    return json.dumps([[3, minor], "/p/bin/python", "/p", "/q", ["/p/lib", "/p/site-packages"]])


def test_nothing_is_looked_for_before_somebody_asks(tmp_path: Path) -> None:
    """The platform's own Python and programs of one's own need no look at all."""
    ran: list[list[str]] = []
    found = Interpreters(
        folders=[folder(tmp_path, OTHER, "node")], run=lambda command: ran.append(command) or ""
    )
    assert OWN in found
    assert "provided.al2023" in found
    assert found.find(OWN) == interpreters.own()
    assert found.find("provided.al2023") is None
    assert ran == []
    assert "java21" not in found
    assert len(ran) == 2
    assert list(found) == sorted([OWN, "provided.al2", "provided.al2023"])
    assert len(ran) == 2, "each is tried once"


def test_a_python_is_what_it_says_not_what_it_is_called(tmp_path: Path) -> None:
    """Its library comes without packages; one of another version, or dumb, does not count."""
    where = [folder(tmp_path, OTHER, "python3.9", "python3", "pythonic")]
    minor = int(OTHER.partition(".")[2])
    found = Interpreters(folders=where, run=lambda _: python_says(minor)).find(OTHER)
    assert found == Interpreter(
        executable="/p/bin/python", prefixes=("/p", "/q"), library=("/p/lib",)
    )
    for answer in (python_says(minor - 1), "", "no json", "[1]"):
        assert OTHER not in Interpreters(folders=where, run=lambda _, said=answer: said)


@pytest.mark.parametrize(
    ("majors", "served"),
    [
        ([20], {"nodejs20.x": 20}),
        ([22], {"nodejs20.x": 22, "nodejs22.x": 22}),
        ([20, 24], {"nodejs20.x": 20, "nodejs22.x": 24, "nodejs24.x": 24}),
        ([18], {}),
        ([26], {"nodejs20.x": 26, "nodejs22.x": 26, "nodejs24.x": 26}),
    ],
)
def test_which_node_serves_which_runtime(majors: list[int], served: dict[str, int]) -> None:
    """Its own major version, else the oldest newer one."""
    present = {major: Interpreter(executable=str(major)) for major in majors}
    found = interpreters.node_runtimes(present)
    assert {name: int(each.executable) for name, each in found.items()} == served


def test_node_is_asked_for_its_version(tmp_path: Path) -> None:
    """And shown its installation, or only itself where that is not clear."""
    assert interpreters.node_major("v20.20.2\n") == 20
    assert interpreters.node_major("command not found") == 0
    (tmp_path / "lib").mkdir()
    where = folder(tmp_path / "bin", "node")
    found = Interpreters(folders=[where], run=lambda _: "v22.1.0\n").find("nodejs22.x")
    assert found is not None
    assert found.prefixes == (str(tmp_path),)
    assert interpreters.node_needs("/node") == ("/node",)
    assert interpreters.node_needs("/bin/node") == ("/bin/node",)


def test_behind_a_folder_of_shims_are_the_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shim may refuse to run what is there all the same."""
    real = folder(tmp_path / "versions" / "3.14.0" / "bin", OTHER)
    shims = folder(tmp_path / "shims", OTHER)
    monkeypatch.setenv("PATH", os.pathsep.join([shims, "/usr/bin", "", "/usr/bin"]))
    assert interpreters.search_folders() == [real, "/usr/bin"]


async def test_this_host() -> None:
    """The platform's own Python is really there, and its library is found."""
    found = Interpreters()
    await found.probe()
    own = found.find(OWN)
    assert own is not None
    assert own.executable == os.path.realpath(sys.executable)  # noqa: ASYNC240
    assert any("json" in os.listdir(each) for each in own.library if each.endswith(OWN))
