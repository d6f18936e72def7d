"""Lays packages that are installed here where `pip install --target` would lay them. No asserts."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def files(*names: str) -> dict[str, bytes]:
    """Every file of these packages and of all that they need, by its place."""
    found: dict[str, bytes] = {}
    wanted, seen = list(names), set[str]()
    while wanted:
        name = wanted.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another Python or another system
        for file in distribution.files or ():
            plain = ".." not in file.parts and "__pycache__" not in file.parts
            if plain and Path(str(file.locate())).is_file():
                found[file.as_posix()] = file.read_binary()
        needed = [each for each in distribution.requires or () if "extra ==" not in each]
        wanted += [match[0] for match in map(_NAME.match, needed) if match]
    return found


def lay(folder: Path) -> None:
    """What the folder's requirements.txt names, into the folder."""
    lines = (folder / "requirements.txt").read_text().splitlines()
    for name, data in files(*(match[0] for match in map(_NAME.match, lines) if match)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
