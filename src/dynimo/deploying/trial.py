"""One function out of a file, an app's folder or a template, as what is needed to run it at hand.

Reads and packs only. Whatever is deployed from the same source is the same code under the same
configuration; what it is run in is the caller's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynimo.deploying import plain
from dynimo.deploying.packing import packed, zipped
from dynimo.model.errors import DeployError, DynimoError
from dynimo.model.function import Configuration
from dynimo.model.names import Place
from dynimo.registry.apps import configured
from dynimo.sdk import app as sdk_app

_TEMPLATES = frozenset({".yaml", ".yml", ".json", ".template"})
_NEAR_MAX = 5


class NotThere(DynimoError):
    """There is nothing to run."""

    status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A function as it would be deployed. ``sources`` are an app's own, relative to its code.

    ``state`` is what it may do with its app's.
    """

    name: str
    configuration: Configuration
    zip: bytes
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    state: str = ""


def read(source: str, place: Place) -> Trial:
    """``FILE``, ``FILE::HANDLER``, ``FOLDER`` or ``FOLDER::FUNCTION``, as one function.

    Raises:
        NotThere: there is no such file, or it holds no such function.
        DeployError: what is there cannot be used.
    """
    path, name = plain.parse(source)
    if path.is_dir():
        return _of_folder(path, name, place)
    if not path.is_file():
        raise NotThere(f"{path}: there is no such file or folder.{near(path)}")
    if path.suffix in _TEMPLATES:
        return _of_template(path, name, place)
    wanted = plain.read(path, name, account=place.account).functions[0]
    return Trial(name=wanted.name, configuration=_configured(wanted.settings), zip=zipped(path))


def _of_folder(folder: Path, name: str, place: Place) -> Trial:
    from dynimo.deploying import sam  # noqa: PLC0415 - reads YAML; a plain file needs none

    if (folder / sdk_app.MANIFEST_NAME).is_file():
        return _of_app(folder, name)
    template = sam.find(folder)
    if template is not None:
        return _of_template(template, name, place)
    files = sorted(path.name for path in folder.glob("*.py"))
    hint = f" Name a file: {', '.join(files[:_NEAR_MAX])}." if files else ""
    raise NotThere(f"{folder} holds neither app.toml nor {' nor '.join(sam.NAMES)}.{hint}")


def _of_app(folder: Path, name: str) -> Trial:
    try:
        app = sdk_app.read(folder)
    except sdk_app.ManifestError as error:
        raise DeployError(str(error)) from None
    short = _chosen(folder, name.removeprefix(f"{app.name}-"), app.functions)
    declared = app.functions[short]
    return Trial(
        name=app.function_name(short),
        configuration=configured(declared),
        zip=zipped(folder),
        sources=app.sources if declared.sources else {},
        notes=("it has no credentials here; its permissions need a server",)
        if declared.permissions
        else (),
        state=declared.state,
    )


def _of_template(path: Path, name: str, place: Place) -> Trial:
    from dynimo.deploying import sam  # noqa: PLC0415 - as above

    wanted = sam.read(path, place, {})
    functions = {each.name: each for each in wanted.functions}
    function = functions[_chosen(path, name, functions)]
    layers = bool(function.layers_here or function.settings.get("Layers"))
    notes = ("its layers are not laid under /opt here; deploy it for that",) if layers else ()
    configuration = _configured(function.settings)
    return Trial(name=function.name, configuration=configuration, zip=packed(function), notes=notes)


def _configured(settings: Mapping[str, Any]) -> Configuration:
    """CreateFunction's members as a configuration."""
    variables = (settings.get("Environment") or {}).get("Variables")
    return Configuration(
        handler=str(settings.get("Handler", "")),
        runtime=str(settings.get("Runtime", "")),
        role=str(settings.get("Role", "")),
        timeout_seconds=settings.get("Timeout", 3),
        memory_mib=settings.get("MemorySize", 128),
        ephemeral_mib=(settings.get("EphemeralStorage") or {}).get("Size", 512),
        environment=None
        if variables is None
        else {key: str(value) for key, value in variables.items()},
    )


def _chosen(where: Path, name: str, there: Iterable[str]) -> str:
    """The function that is meant; the only one if none is named."""
    names = sorted(there)
    if not name and len(names) == 1:
        return names[0]
    if name in names:
        return name
    listed = ", ".join(f"{where}::{each}" for each in names) or "nothing"
    said = f"{where} holds no function {name!r}" if name else f"{where} holds several functions"
    raise NotThere(f"{said}; there are: {listed}.")


def near(path: Path) -> str:
    """A hint at what was perhaps meant."""
    try:
        there = sorted(each.name for each in path.parent.iterdir() if each.suffix in {"", ".py"})
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, there, n=1)
    if near:
        return f" Did you mean {path.parent / near[0]}?"
    files = [name for name in there if name.endswith(".py")][:_NEAR_MAX]
    return f" There are: {', '.join(str(path.parent / each) for each in files)}." if files else ""
