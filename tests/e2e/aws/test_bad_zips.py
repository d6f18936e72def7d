"""Zips from people who mean harm: AWS's error, nothing left on the disk, and the server goes on."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.aws import kit
from tests.e2e.serving import Server

UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"
FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
MIB = 1024**2
CENTRAL, LOCAL = (b"PK\1\2", 8, 24), (b"PK\3\4", 6, 22)
"""Signature of an entry's header, and where its flags and its size are."""


@pytest.fixture(scope="module")
def aws(shared: Server) -> Any:
    return kit.client(shared)


def zipped(*entries: tuple[str, str | bytes, int]) -> bytes:
    """A zip of (name, content, mode), beside a handler."""
    written = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(written, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content, mode in (("app.py", "def handler(e, c): return 1", FILE), *entries):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
    return written.getvalue()


def bomb(size: int) -> bytes:
    """A zip of one file of zeros."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w") as file,
    ):
        for _ in range(size // MIB):
            file.write(bytes(MIB))
    return written.getvalue()


def each_header(data: bytes) -> Iterator[tuple[bytearray, int, int, int]]:
    """A copy to change, and for each header where it is, its flags and its size."""
    copy = bytearray(data)
    for signature, flags, size in (CENTRAL, LOCAL):
        at = -1
        while (at := copy.find(signature, at + 1)) >= 0:
            yield copy, at, at + flags, at + size


def encrypted() -> bytes:
    copy = bytearray()
    for copy, _, flags, _ in each_header(zipped(("secret", "x", FILE))):
        copy[flags] |= 1
    return bytes(copy)


def lying() -> bytes:
    """Says 10 bytes of a file of 300 MiB."""
    copy = bytearray()
    for copy, _, _, size in each_header(bomb(300 * MIB)):
        struct.pack_into("<I", copy, size, 10)
    return bytes(copy)


def overlapping() -> bytes:
    """Fifty entries that are all the same 100 MiB."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(100 * MIB))
        for number in range(1, 50):
            again = zipfile.ZipInfo(str(number))
            for name in ("header_offset", "compress_type", "CRC", "compress_size", "file_size"):
                setattr(again, name, getattr(archive.getinfo("0"), name))
            archive.filelist.append(again)
    return written.getvalue()


def corrupted() -> bytes:
    data = bytearray(zipped())
    data[40] ^= 0xFF
    return bytes(data)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "up": (lambda: zipped(("../../evil", "x", FILE)), UNREADABLE),
    "up from below": (lambda: zipped(("a/../../evil", "x", FILE)), UNREADABLE),
    "absolute": (lambda: zipped(("/tmp/evil", "x", FILE)), UNREADABLE),
    "of another system": (lambda: zipped(("..\\evil", "x", FILE)), UNREADABLE),
    "link out": (lambda: zipped(("l", "/etc/passwd", LINK)), UNREADABLE),
    "link up": (lambda: zipped(("l", "../../..", LINK)), UNREADABLE),
    "links that lead out": (lambda: zipped(("a", "b", LINK), ("b", "../..", LINK)), UNREADABLE),
    "links in a circle": (lambda: zipped(("a", "b", LINK), ("b", "a", LINK)), UNREADABLE),
    "link with NUL": (lambda: zipped(("l", b"a\0b", LINK)), UNREADABLE),
    "twice": (lambda: zipped(("app.py", "x", FILE)), UNREADABLE),
    "twice by another name": (lambda: zipped(("./app.py", "x", FILE)), UNREADABLE),
    "device": (lambda: zipped(("d", "", stat.S_IFCHR | 0o666)), UNREADABLE),
    "pipe": (lambda: zipped(("d", "", stat.S_IFIFO | 0o666)), UNREADABLE),
    "file as folder": (lambda: zipped(("x", "", FILE), ("x/y", "", FILE)), UNREADABLE),
    "folder as file": (lambda: zipped(("x/y", "", FILE), ("x", "", FILE)), UNREADABLE),
    "long name": (lambda: zipped(("n" * 300, "", FILE)), UNREADABLE),
    "encrypted": (encrypted, UNREADABLE),
    "no zip": (lambda: b"hello", UNREADABLE),
    "nothing": (lambda: b"", UNREADABLE),
    "half": (lambda: zipped()[:-30], UNREADABLE),
    "corrupted": (corrupted, UNREADABLE),
    "300 MiB": (lambda: bomb(300 * MIB), TOO_LARGE),
    "300 MiB that say 10 bytes": (lying, UNREADABLE),
    "fifty times the same": (overlapping, TOO_LARGE),
    "many entries": (
        lambda: zipped(*((str(number), "", FILE) for number in range(20_001))),
        "The zip holds 20002 entries; at most 20000 are allowed.",
    ),
    # 1 KB of a name asks for 500 folders, and each takes a block of the disk.
    "many folders": (
        lambda: zipped(*((f"{number}/" * 200 + "f", "", FILE) for number in range(101, 251))),
        "The zip holds more than 20000 folders, which is the limit.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_zip_is_refused(aws: Any, shared: Server, name: str) -> None:
    """400 in AWS's words; no function, and no byte of it on the disk."""
    make, message = BAD[name]
    before = kept(shared.data)

    with pytest.raises(ClientError) as error:
        aws.create_function(
            FunctionName="bad-zip", Runtime="python3.11", Role=kit.ROLE, Handler="app.handler",
            Code={"ZipFile": make()},
        )  # fmt: skip

    status, code, told = kit.refused(error.value)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert told.startswith(message), told
    assert kept(shared.data) == before
    with pytest.raises(ClientError):
        aws.get_function(FunctionName="bad-zip")


ODD: dict[str, Callable[[], bytes]] = {
    "nested bomb": lambda: zipped(("in.zip", bomb(1024 * MIB), FILE)),
    "links inside": lambda: zipped(("l", "app.py", LINK), ("d", ".", LINK)),
    "control characters": lambda: zipped(("a\x01b\nc", "", FILE)),
    "no UTF-8": lambda: zipped(("a~b", "", FILE)).replace(b"a~b", b"a\xffb"),
    "name cut by NUL": lambda: zipped(("a~b", "", FILE)).replace(b"a~b", b"a\0b"),
    "set-uid": lambda: zipped(("s", "", stat.S_IFREG | 0o6755)),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_zip_is_unpacked_harmlessly(aws: Any, shared: Server, name: str) -> None:
    """It runs; nothing in it is larger, more powerful or elsewhere than it says."""
    function = f"odd-{name.replace(' ', '-')}"

    made = kit.create(aws, function, ODD[name]())
    value, _ = kit.call(aws, function)
    written = [path.lstat() for path in (shared.data / "code").rglob("*")]

    assert value == 1
    assert made["CodeSize"] < 3 * MIB
    assert [
        one
        for one in written
        if stat.S_IMODE(one.st_mode) & 0o6002 and not stat.S_ISLNK(one.st_mode)
    ] == []


def kept(data: Path) -> set[str]:
    """What is on the disk of functions' code."""
    return {str(path) for name in ("code", "zips") for path in (data / name).glob("*")}
