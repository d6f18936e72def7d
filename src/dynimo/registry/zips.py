"""Unpacks zips from strangers: every entry is checked before the first byte is written.

Refused: names that leave the folder, links that lead out, special files, encryption, two entries
of one name, and more bytes or entries than the limits, declared or real.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dynimo.model.errors import InvalidParameterValue
from dynimo.registry.config import Config

NAME_BYTES_MAX = 1024
LINK_BYTES_MAX = 1024
_PIECE_BYTES = 256 * 1024
_UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def unpack(data: bytes, folder: Path, config: Config) -> None:
    """Unpack ``data`` into ``folder``, which is empty; readable by everybody, writable by none.

    Raises:
        InvalidParameterValue: it is no zip, or one that is refused; the folder may hold a part.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = list(_checked(archive, config))
            room = config.code_bytes_max
            for entry, path in entries:
                room -= _write(archive, entry, folder / path, room)
            _check_links(folder, [folder / path for entry, path in entries if _is_link(entry)])
    except (
        zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, OSError,
        ValueError, UnicodeError,
    ) as error:  # fmt: skip
        raise InvalidParameterValue(_UNREADABLE) from error
    for root, folders, _ in os.walk(folder):
        for name in folders:
            below = Path(root, name)
            if not below.is_symlink():
                below.chmod(0o755)
    folder.chmod(0o755)


def _checked(archive: zipfile.ZipFile, config: Config) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Each entry that is no folder, with its place."""
    infos = archive.infolist()
    if len(infos) > config.code_files_max:
        raise InvalidParameterValue(
            f"The zip holds {len(infos)} entries; at most {config.code_files_max} are allowed."
        )
    if sum(info.file_size for info in infos) > config.code_bytes_max:
        raise _too_large(config.code_bytes_max)
    seen: set[str] = set()
    folders: set[PurePosixPath] = set()
    for info in infos:
        name = info.filename
        path = PurePosixPath(name)
        fault = _fault(info, name, path)
        if not fault and str(path) in seen and not info.is_dir():
            fault = "is there twice"
        if fault:
            raise InvalidParameterValue(f"{_UNREADABLE} (Entry {name[:200]!r} {fault}.)")
        seen.add(str(path))
        for parent in path.parents:
            if parent in folders:
                break
            folders.add(parent)
        if len(folders) > config.code_files_max:
            # A name of 1 KB can ask for 500 folders, and each takes a block of the disk.
            raise InvalidParameterValue(
                f"The zip holds more than {config.code_files_max} folders, which is the limit."
            )
        if not info.is_dir():
            yield info, str(path)


def _fault(info: zipfile.ZipInfo, name: str, path: PurePosixPath) -> str:
    """Why an entry is refused, or nothing."""
    if not name or "\0" in name or len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        return "has no usable name"
    if "\\" in name or path.is_absolute() or ".." in path.parts or str(path) == ".":
        return "leaves the folder"
    if info.flag_bits & 0x1:
        return "is encrypted"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        return "is no plain file"
    return ""


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, room: int) -> int:
    """Write one entry; return its real size, which may not be what it declares."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if _is_link(info):
        with archive.open(info) as source:
            text = source.read(LINK_BYTES_MAX + 1)
        if len(text) > LINK_BYTES_MAX:
            raise InvalidParameterValue(_UNREADABLE)
        target.symlink_to(os.fsdecode(text))
        return len(text)
    written = 0
    # "x" and no following of links: an entry must not write through one that came before it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with archive.open(info) as source, os.fdopen(os.open(target, flags, 0o644), "wb") as out:
        while piece := source.read(_PIECE_BYTES):
            written += len(piece)
            if written > room:
                raise _too_large(room)
            out.write(piece)
        executable = info.external_attr >> 16 & 0o111
        os.fchmod(out.fileno(), 0o755 if executable else 0o644)
    return written


def _check_links(folder: Path, links: list[Path]) -> None:
    """A link may only lead to something inside."""
    inside = folder.resolve()
    for link in links:
        target = Path(os.path.normpath(link.parent / link.readlink()))
        if link.readlink().is_absolute() or not (
            target.resolve().is_relative_to(inside) and target.is_relative_to(folder)
        ):
            name = link.relative_to(folder)
            raise InvalidParameterValue(f"{_UNREADABLE} (Entry '{name}' leaves the folder.)")


def _too_large(limit: int) -> InvalidParameterValue:
    return InvalidParameterValue(f"Unzipped size must be smaller than {limit} bytes")
