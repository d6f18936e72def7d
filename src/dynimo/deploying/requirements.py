"""Does a folder hold what its requirements.txt names? Compares names; installs nothing.

A function imports what lies beside it, as on AWS Lambda: nothing of the platform's own packages is
there but ``functions.packages``. Source: pip, "Requirements File Format"; PEP 503 and 427 (names).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from dynimo.deploying.wanted import Wanted

FILE = "requirements.txt"
FILE_BYTES_MAX = 256 * 1024
GIVEN = frozenset({"boto3", "botocore"})
"""What every function finds without bringing it, as on AWS."""
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_DIVIDER = re.compile(r"[-_.]+")


def missing(wanted: Wanted) -> Iterator[str]:
    """For each folder of code: which packages it lacks, and the command that puts them there."""
    for folder in dict.fromkeys(each.code for each in wanted.functions if each.code is not None):
        if not folder.is_dir() or not _runtime(wanted, folder).startswith("python"):
            continue
        absent = [name for name in named(folder) if name not in held(folder) | GIVEN]
        if absent:
            where, file = quote(str(folder)), quote(str(folder / FILE))
            command = f"python3 -m pip install --target {where} -r {file}"
            yield f"missing  {', '.join(absent)} of {folder / FILE}, put there by: {command}"


def _runtime(wanted: Wanted, folder: Path) -> str:
    """The runtime of the first function with this code."""
    return next(
        str(each.settings.get("Runtime", "")) for each in wanted.functions if each.code == folder
    )


def named(folder: Path) -> list[str]:
    """The packages that the file names, in PEP 503's form; options and addresses are left out."""
    try:
        text = (folder / FILE).read_bytes()[:FILE_BYTES_MAX].decode("utf-8", "replace")
    except OSError:
        return []
    lines = (line.partition(" #")[0] for line in text.splitlines())
    found = [_NAME.match(line) for line in lines if "://" not in line]
    return [_plain(match[1]) for match in found if match]


def held(folder: Path) -> set[str]:
    """The packages that the folder holds, by their ``dist-info``."""
    return {_plain(each.name.split("-")[0]) for each in folder.glob("*.dist-info")}


def _plain(name: str) -> str:
    return _DIVIDER.sub("-", name).lower()
