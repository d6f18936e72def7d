"""What a function can do with its app's state, at the levels that this machine has."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dynimo import ports
from dynimo.backends.sandboxes.config import Config
from dynimo.backends.sandboxes.process import ProcessSandbox
from dynimo.backends.sandboxes.states import States
from dynimo.model import errors
from tests.contracts import sandbox_kit
from tests.contracts.sandbox_kit import ROOT_MEASURES, Environment, code, zygote

CODE = """
import os, pathlib, subprocess
def handler(event, context):
    folder = pathlib.Path(os.environ["DYNIMO_STATE"])
    done = {"uid": os.geteuid(), "seen": sorted(each.name for each in folder.iterdir())}
    def change(): (folder / "file").write_text("#!/bin/sh\\n"); (folder / "file").chmod(0o755)
    def link(): (folder / "link").symlink_to("/etc")
    def run(): subprocess.run([folder / "file"])
    for step in (change, link, run):
        try:
            step()
            done[step.__name__] = "done"
        except OSError as error:
            done[step.__name__] = "refused"
    return done
"""


@pytest.fixture(params=["full", "basic"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProcessSandbox]:
    """All that this host allows, and what a normal user has."""
    if request.param == "full" and os.geteuid() != 0:
        pytest.skip("needs root")
    without = ROOT_MEASURES if request.param == "basic" else frozenset()
    opened = await sandbox_kit.opened(Config(scratch=tmp_path / "scratch", without=without))
    yield opened
    await opened.close()


async def test_a_state_is_data_for_those_who_have_it(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """A writer changes it, a reader sees that and changes nothing; neither runs anything there."""
    folder = States(tmp_path / "state", sandbox.state_users).of("app")
    source = code(tmp_path / "code", CODE)
    owner = folder.stat().st_uid
    assert sandbox.state_users is None or owner in sandbox.state_users

    async with zygote(sandbox, source, state=ports.State(folder=folder, writable=True)) as started:
        wrote = await Environment(started).call({})
    assert wrote == {
        "uid": owner,
        "seen": [],
        "change": "done",
        "link": "refused",
        "run": "refused",
    }

    async with zygote(sandbox, source, state=ports.State(folder=folder, writable=False)) as started:
        read = await Environment(started).call({})
    refused = dict.fromkeys(("change", "link", "run"), "refused")
    assert read == {"uid": owner, "seen": ["file"], **refused}


async def test_without_its_state_a_function_does_not_start(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    """Gone, or somebody else's: neither is a reason to go on without."""
    state = ports.State(folder=tmp_path / "gone", writable=True)
    with pytest.raises(errors.InitError, match="state cannot be used"):
        async with zygote(sandbox, code(tmp_path / "code", CODE), state=state):
            pass
