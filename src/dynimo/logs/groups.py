"""Which groups and streams there are, and what is known of them. Reads files only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dynimo.logs import layout, notes, reading
from dynimo.logs.notes import Notes
from dynimo.logs.reading import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One log group. Times are epoch milliseconds; 0 days of retention means the store's own."""

    name: str
    created_ms: int = 0
    retention_days: int = 0
    size: int = 0


def names(root: Path, account: str) -> list[str]:
    """The names of an account's groups, sorted."""
    folder = layout.group_folder(root, account, "a").parent
    try:
        folders = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(filter(None, map(_name, folders)))


def describe(root: Path, account: str, name: str) -> Group | None:
    """What is known of one group, or None."""
    folder = layout.group_folder(root, account, name)
    if not folder.is_dir():
        return None
    noted = notes.load(folder) or Notes(group=name)
    return Group(
        name=name,
        created_ms=noted.created_ms,
        retention_days=noted.retention_days,
        size=_size(folder),
    )


def streams(root: Path, account: str, name: str) -> list[Stream] | None:
    """The streams of a group, those without lines too; None if there is no such group."""
    folder = layout.group_folder(root, account, name)
    if not folder.is_dir():
        return None
    noted = notes.load(folder) or Notes(group=name)
    known = reading.streams(folder, noted.deleted)
    for stream, created_ms in noted.streams.items():
        known.setdefault(stream, Stream(stream)).created_ms = created_ms
    return list(known.values())


def sources(root: Path) -> Iterable[tuple[str, str]]:
    """Yield (account, group) of everything there is."""
    try:
        accounts = sorted(path.name for path in root.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for account in accounts:
        for name in names(root, account):
            yield account, name


def _name(folder: Path) -> str:
    name = layout.group_name(folder.name)
    if name:
        return name
    noted = notes.load(folder)
    return noted.group if noted is not None else ""


def _size(folder: Path) -> int:
    total = 0
    for number in reading.segments(folder):
        try:
            total += layout.segment_file(folder, number).stat().st_size
        except FileNotFoundError:
            continue
    return total
