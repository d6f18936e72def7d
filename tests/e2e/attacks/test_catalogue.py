"""Every attack of the catalogue is held: by root's sandbox, the basic one, and without rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.sandbox_kit import ANYBODYS_ENVIRONMENT, ANYBODYS_PYTHON
from tests.e2e.attacks import catalogue, scene

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64"),
]
SECONDS_MAX = 120
NEEDS_SCOPES = ("kill", "tgkill", "signal", "an abstract socket")
"""Held by Landlock's scopes (Linux 6.12) where no namespace does."""


@pytest.fixture(scope="module", params=["full", "basic", "nobody", "nobody basic"])
def tried(request: pytest.FixtureRequest) -> dict[str, Any]:
    """All attacks, once for each level, in a program of its own."""
    level, root = str(request.param), os.geteuid() == 0
    if level != "basic" and not root:
        pytest.skip("needs root")
    if ANYBODYS_PYTHON is None:
        pytest.skip("needs a Python that anybody may run")
    folder = Path("/tmp") / f"dynimo-attacks-{level.replace(' ', '-')}-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    user = {"user": 65534, "group": 65534, "extra_groups": []} if "nobody" in level else {}
    measures = "basic" if level.endswith("basic") else "full"
    try:
        done = subprocess.run(
            [ANYBODYS_PYTHON, str(Path(scene.__file__)), str(folder), measures],
            capture_output=True, timeout=SECONDS_MAX, cwd="/", text=True, check=False,
            env=ANYBODYS_ENVIRONMENT, **user,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("attack", catalogue.ALL)
def test_attack_is_held(tried: dict[str, Any], attack: str) -> None:
    """The step fails, or leaves the attacker with nothing."""
    scoped = tried["described"]["scoped signals and sockets"] == "on"
    if attack.startswith(NEEDS_SCOPES) and not scoped:
        pytest.skip("this kernel's Landlock scopes neither signals nor sockets")
    result = tried["results"][attack]
    assert "held" in result, result
    assert "SyntaxError" not in result["held"]
    assert "NameError" not in result["held"]
