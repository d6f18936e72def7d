"""What a deployment asks for, as values: functions in the words of AWS's API, and what is left out.

The readers beside this file make these; ``difference`` compares them with what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFunction:
    """One function as it shall be.

    ``settings`` are members of CreateFunction (``Handler``, ``Runtime``, ``MemorySize`` …) without
    name and code. ``code`` is a file or a folder, or ``inline`` the text of an only module.
    ``alias`` is moved to each new version; ``url`` is a CreateFunctionUrlConfig; ``mappings`` are
    CreateEventSourceMapping requests without the function; ``reserved`` is its concurrency.
    ``layers_here`` are names of layers of the same deployment, laid under those in ``settings``.
    ``whole``: whether what ``settings`` do not name shall be as by default; else it stays as it is.
    """

    name: str
    settings: Mapping[str, Any]
    code: Path | None = None
    inline: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    alias: str = ""
    url: Mapping[str, Any] | None = None
    mappings: tuple[Mapping[str, Any], ...] = ()
    reserved: int | None = None
    provisioned: int | None = None
    asynchronous: Mapping[str, Any] | None = None
    layers_here: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLayer:
    """One layer as it shall be: its content, and what it says of itself."""

    name: str
    content: Path
    runtimes: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something in the source that has no effect here. ``line`` counts from 1."""

    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Output:
    """What a template tells when it is deployed. ``value`` may hold a ``url_mark``."""

    name: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Everything that one source asks for."""

    functions: tuple[WantedFunction, ...]
    layers: tuple[WantedLayer, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    outputs: tuple[Output, ...] = ()


def url_mark(function: str) -> str:
    """What stands for a function's URL until it is known."""
    return f"\0url of {function}\0"
