"""Which rules are for a file, without asking each: an index by source and literal folders. Pure.

A rule lies in a tree where its path stops being literal; a file passes its own folders and meets
only those that lie on its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

_PIECES = re.compile(r"(\*\*/|\*\*|\*|\?|\{[a-z_][a-z0-9_]*\})")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
NOTHING: Mapping[str, str] = {}
_SPECIAL = re.compile(r"[*?{]")


class PatternError(ValueError):
    """A pattern cannot be read."""


@lru_cache(maxsize=4_096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a glob: ``*``, ``?``, ``{name}`` stay within a segment, ``**`` crosses them.

    Raises:
        PatternError: two parts of it have one name.
    """
    pieces = []
    for part in _PIECES.split(pattern):
        if part.startswith("{") and part.endswith("}") and len(part) > 2:
            pieces.append(f"(?P<{part[1:-1]}>[^/]+)")
        else:
            pieces.append(_MEANING.get(part, re.escape(part)))
    try:
        return re.compile("".join(pieces), re.DOTALL)
    except re.error as error:
        raise PatternError(f"{pattern!r}: {error}") from None


_Rule = tuple[int, re.Pattern[str] | None, re.Pattern[str] | None]
"""Its number, and the patterns of source and path; None: any will do."""


@dataclass(slots=True)
class _Folder:
    rules: list[_Rule] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)


class Places:
    """Patterns of source and path, each known by its number."""

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        self._sources: dict[str, _Folder] = {}
        self._any = _Folder()
        for number, (source, path) in enumerate(patterns):
            literal = not _SPECIAL.search(source)
            folder = self._sources.setdefault(source, _Folder()) if literal else self._any
            for segment in path.split("/")[:-1]:
                if _SPECIAL.search(segment):
                    break
                folder = folder.folders.setdefault(segment, _Folder())
            by_source = None if literal or source == "*" else compiled(source)
            by_path = None if path == "**" else compiled(path)
            folder.rules.append((number, by_source, by_path))

    def near(self, source: str, path: str) -> list[_Rule]:
        """Give those that may be for a file, in their order."""
        segments = path.split("/")[:-1]
        found: list[_Rule] = []
        for root in (self._any, self._sources.get(source)):
            if root is None:
                continue
            found += root.rules
            folder: _Folder | None = root
            for segment in segments:
                folder = folder.folders.get(segment) if folder is not None else None
                if folder is None:
                    break
                found += folder.rules
        found.sort(key=itemgetter(0))
        return found

    def match(self, source: str, path: str) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Give the number of each that is for a file, and the named parts of its path.

        A pattern that several have is tried once.
        """
        tried: dict[re.Pattern[str], Mapping[str, str] | None] = {}
        for number, by_source, by_path in self.near(source, path):
            if by_source is not None and not by_source.fullmatch(source):
                continue
            if by_path is None:
                yield number, NOTHING
                continue
            if by_path not in tried:
                found = by_path.fullmatch(path)
                tried[by_path] = None if found is None else found.groupdict() or NOTHING
            parts = tried[by_path]
            if parts is not None:
                yield number, parts
