"""What an app declares to be given when nothing else can be: files of its own, by their rank.

Values and their checks. Ranks are told here too, for an app's answers carry them: one to four
numbers, which say where a thing stands among its kind, such as a width and a height.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynimo.sdk.declaring import ManifestError, declared

NUMBERS_MAX = 4
NUMBER_MAX = 10_000_000
ANY = 0
"""Stands in a rank for a number that does not matter."""

FILES_MAX = 64
FILE_BYTES_MAX = 256 * 1024
"""They are all kept in memory."""

_RANK = re.compile(r"(?:[1-9][0-9]{0,6}|\*)(?:x(?:[1-9][0-9]{0,6}|\*)){0,3}")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Rank = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Files that stand in for an answer that cannot be had; ``files`` maps ranks to them.

    ``content_type`` is that of all of them. ``size`` names the query parameters that hold a
    request's own rank, one for each number. ``by_path`` says that all answers of one path, whatever
    the query, are forms of one thing.
    """

    content_type: str
    files: Mapping[str, str] | None = None
    size: tuple[str, ...] = ()
    by_path: bool = False


def rank(text: str) -> Rank:
    """Read ``400x300``, or ``400x*`` where a number does not matter; () if it is no rank."""
    if not _RANK.fullmatch(text):
        return ()
    return tuple(ANY if part == "*" else int(part) for part in text.split("x"))


def spell(numbers: Rank) -> str:
    """Print a rank as ``rank`` reads it."""
    return "x".join(str(number) if number else "*" for number in numbers)


def fallback(name: str, table: object, folder: Path) -> Fallback:
    """Read one ``[fallback.NAME]`` of the app in ``folder``.

    Raises:
        ManifestError: it cannot be served; the message says which and why.
    """
    where = f"[fallback.{name}]"
    made = declared(Fallback, table, where)
    if not _CONTENT_TYPE.fullmatch(made.content_type):
        raise ManifestError(f"{where} content_type = {made.content_type!r} is no media type")
    if not made.files or len(made.files) > FILES_MAX:
        raise ManifestError(f"{where} files must name 1 to {FILES_MAX} files")
    for each in made.size:
        if not _PARAMETER.fullmatch(each):
            raise ManifestError(f"{where} size: {each!r} is no query parameter's name")
    for text, file in made.files.items():
        numbers = rank(text)
        if not numbers or ANY in numbers or (made.size and len(numbers) != len(made.size)):
            raise ManifestError(f"{where} files: {text!r} must be {_wanted(made.size)}")
        _check_file(f"{where} files: {file!r}", folder, file)
    return made


def _wanted(size: tuple[str, ...]) -> str:
    return f"{len(size)} whole numbers, as in 400x300" if size else "whole numbers, as in 400x300"


def _check_file(where: str, folder: Path, file: str) -> None:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ManifestError(f"{where} lies outside the app's folder")
    try:
        size = path.stat().st_size if path.is_file() else 0
    except OSError as error:
        raise ManifestError(f"{where}: {error.strerror}") from None
    if not 0 < size <= FILE_BYTES_MAX:
        raise ManifestError(f"{where} must be a file of 1 to {FILE_BYTES_MAX} bytes")
