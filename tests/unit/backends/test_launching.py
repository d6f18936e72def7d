"""From a runtime to what is started: forked Python, or a program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from dynimo import ports
from dynimo.backends.interpreters import OWN, Interpreters
from dynimo.backends.sandboxes.launching import Launch, launch
from dynimo.model import errors
from dynimo.runtime.executed import command as commands
from dynimo.runtime.executed.command import Command

OTHER = "python3.14" if OWN != "python3.14" else "python3.13"


def launched(tmp_path: Path, runtime: str, **variables: str) -> Launch:
    for name in (OTHER, "node"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    minor = int(OTHER.partition(".")[2])
    says = {"--version": "v22.0.0"}
    python = f'[[3, {minor}], "/p/bin/python", "/p", "/p", ["/p/lib"]]'
    present = Interpreters(
        folders=[str(tmp_path)], run=lambda command: says.get(command[-1], python)
    )
    fields: dict[str, Any] = {"function": "f", "version": "1", "handler": "a.b", "memory_mib": 200}
    spec = ports.SandboxSpec(code=tmp_path, runtime=runtime, variables=variables, **fields)
    return launch(spec, present, task="/var/task", layers="/opt")


def test_an_apps_function_is_forked_from_the_platforms_python(tmp_path: Path) -> None:
    """Without layers; a wrapper is a thing of functions made through the API."""
    assert launched(tmp_path, "", AWS_LAMBDA_EXEC_WRAPPER="/w") == Launch()


def test_python_is_forked_by_its_own_interpreter(tmp_path: Path) -> None:
    """Layers come before the library."""
    own = launched(tmp_path, OWN)
    assert (own.python, own.command, own.library) == (sys.executable, None, None)
    assert own.layered == (f"/opt/python/lib/{OWN}/site-packages", "/opt/python")
    other = launched(tmp_path, OTHER)
    assert (other.python, other.library, other.readable) == ("/p/bin/python", ("/p/lib",), ("/p",))


def test_provided_looks_for_bootstrap_in_the_code_then_in_the_layers(tmp_path: Path) -> None:
    """A wrapper is nothing to it."""
    made = launched(tmp_path, "provided.al2023", AWS_LAMBDA_EXEC_WRAPPER="/w").command
    assert made == Command(candidates=("/var/task/bootstrap", "/opt/bootstrap"))


def test_node_executes_our_bootstrap_within_its_memory(tmp_path: Path) -> None:
    """Behind a wrapper, if there is one."""
    made = launched(tmp_path, "nodejs22.x", AWS_LAMBDA_EXEC_WRAPPER="/w").command
    assert made is not None
    assert made.argv[:2] == ("/w", str(tmp_path / "node"))
    assert "--max-old-space-size=170" in made.argv
    assert made.argv[-1].endswith("runtime/node/bootstrap.mjs")
    assert Path(made.argv[-1]).is_file()
    assert made.execution_env == "AWS_Lambda_nodejs22.x"


def test_python_behind_a_wrapper_is_executed(tmp_path: Path) -> None:
    """By the interpreter that would have been forked."""
    made = launched(tmp_path, OTHER, AWS_LAMBDA_EXEC_WRAPPER="/opt/w").command
    assert made is not None
    assert made.argv[:2] == ("/opt/w", "/p/bin/python")


def test_a_runtime_that_is_not_here_is_an_init_error(tmp_path: Path) -> None:
    """It may have gone since the function was made."""
    with pytest.raises(errors.InitError, match="nodejs24.x is not available"):
        launched(tmp_path, "nodejs24.x")


def test_a_command_travels_as_json() -> None:
    """What arrives is what was sent."""
    command = Command(argv=("a", "b"), candidates=("c",), execution_env="E", init_seconds=2.5)
    assert commands.from_json(commands.to_json(command)) == command
