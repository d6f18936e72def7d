"""Few rules, numeric, said by a machine: sizes, charters, names, words, light imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 500
FUNCTION_LINES_MAX = 50
CHARTER_CHARACTERS_MIN = 40
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "lib"}
STRANGE_WORDS = re.compile(
    r"\b(images?|photos?|pictures?|jpe?g|webp|avif|video|ssh|bless|thumbnails?|vips)\b",
    re.IGNORECASE,
)
STANDARD = set(sys.stdlib_module_names)


def _modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


PRODUCT = [path for path in _modules("src", "apps", "bench") if "tests" not in path.parts]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_a_module_has_a_charter_and_a_bearable_size(path: Path) -> None:
    """A file opens by saying what lives in it; it is short enough to hold in mind."""
    text = path.read_text()
    charter = ast.get_docstring(ast.parse(text)) or ""

    assert text.count("\n") <= LINES_MAX
    assert len(charter) >= CHARTER_CHARACTERS_MIN, "open with what lives here and what must not"
    assert path.stem not in DRAWERS, "a drawer: name the file for what is in it"


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", PRODUCT, ids=_name)
def test_functions_fit_a_screen(path: Path) -> None:
    """From def to the last line, without the docstring."""
    for function in _functions(path):
        first = function.body[0]
        docstring = ast.get_docstring(function, clean=False)
        skipped = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
        lines = (function.end_lineno or 0) - function.lineno + 1 - skipped
        assert lines <= FUNCTION_LINES_MAX, f"{function.name}: {lines} lines"


@pytest.mark.parametrize("path", _modules("src"), ids=_name)
def test_the_platform_knows_no_app(path: Path) -> None:
    """No word of what apps are about occurs in the platform."""
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if STRANGE_WORDS.search(line)
    ]
    assert found == []


def _app_modules() -> list[Path]:
    return [path for path in _modules("apps") if "tests" not in path.parts]


@pytest.mark.parametrize("path", _app_modules(), ids=_name)
def test_an_app_imports_the_sdk_and_nothing_else_of_the_platform(path: Path) -> None:
    """Built-in apps are strangers, like everybody's."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            names = [f"{module}.{each.name}" for each in node.names]
        for name in names:
            if name.split(".")[0] == "dynimo":
                assert name.startswith("dynimo.sdk"), name


def test_what_loads_inside_a_sandbox_is_the_standard_library() -> None:
    """Cold start and attack surface both ask for it."""
    code = (
        "import sys; import dynimo.sdk.http, dynimo.sdk.app, dynimo.runtime.zygote;"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {code}",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    loaded = set(ran.stdout.split())
    assert {name for name in loaded if name not in STANDARD and name != "__main__"} == {"dynimo"}


LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK|breakpoint\(\)|pdb)\b")


@pytest.mark.parametrize("path", _modules("src", "apps", "bench", "tests"), ids=_name)
def test_nothing_is_left_over(path: Path) -> None:
    """What is unfinished belongs in an issue."""
    if path != Path(__file__):
        assert LEFTOVERS.search(path.read_text()) is None


def test_no_absolute_path_of_a_machine_is_tracked() -> None:
    """The project builds anywhere."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    if listed.returncode:
        pytest.skip("git is not here, or this is no checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".sh", ".lock", ""}:
            assert str(ROOT) + "/" not in path.read_text(errors="replace"), name
