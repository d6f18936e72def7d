"""The photographs that benches work on: the wallpapers of four Debian packages.

Fetched with ``apt-get download`` and unpacked with ``dpkg -x`` (neither needs root), into the
bench's data folder and never into the project. The set is named by a checksum, so that two results
say whether they are about the same pictures. Choosing and naming files happens here; reading
pixels does not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench import jpeg
from bench.setting import Setting, Unavailable

PACKAGES = (
    "gnome-backgrounds",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
)
SHORT_SIDE_MIN = 700
"""Leaves out the previews that come beside some wallpapers."""
DOWNLOAD_SECONDS_MAX = 300
KNOWN_SET = "1e878bb40b22aef4"
"""Checksum of the set in Debian 12, to which published results refer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The photographs.

    ``pictures`` are plain files in one folder, named 000.jpg, 001.jpg and so on; ``checksum`` names
    the set; ``megapixels`` is their sum; ``packages`` are names with versions.
    """

    pictures: tuple[Path, ...]
    checksum: str
    megapixels: float
    packages: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for a report."""
        same = "the set of Debian 12" if self.checksum == KNOWN_SET else "not the set of Debian 12"
        return (
            f"{len(self.pictures)} JPEG wallpapers, {self.megapixels:.0f} MP, "
            f"set {self.checksum} ({same}), from {', '.join(self.packages)}"
        )


def load(setting: Setting) -> Corpus:
    """Return the photographs, fetching them if they are not here yet.

    Raises:
        Unavailable: they are not here and cannot be fetched.
    """
    folder = setting.folder("corpus")
    archives = _archives(setting, folder)
    for archive in archives:
        _unpack(archive, folder / "unpacked" / archive.stem)
    found: dict[str, Path] = {}
    megapixels = 0.0
    for path in sorted((folder / "unpacked").rglob("*.jpg")):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        facts = jpeg.read(data)
        digest = hashlib.sha256(data).hexdigest()
        if min(facts.width, facts.height) >= SHORT_SIDE_MIN and digest not in found:
            found[digest] = path
            megapixels += facts.width * facts.height / 1e6
    checksum = hashlib.sha256("".join(sorted(found)).encode()).hexdigest()[:16]
    flat = folder / f"pictures-{checksum}"
    pictures = tuple(
        _link(found[digest], flat / f"{number:03}.jpg")
        for number, digest in enumerate(sorted(found))
    )
    names = tuple(archive.stem.removesuffix("_all") for archive in archives)
    return Corpus(pictures=pictures, checksum=checksum, megapixels=megapixels, packages=names)


def under_new_names(pictures: tuple[Path, ...], folder: Path) -> None:
    """Put the pictures into a fresh folder, by hard link: same bytes, names no cache has seen."""
    if folder.exists():
        shutil.rmtree(folder)
    for picture in pictures:
        _link(picture, folder / picture.name)


def _archives(setting: Setting, folder: Path) -> list[Path]:
    archives = [_archive(folder, package) for package in PACKAGES]
    missing = [name for name, path in zip(PACKAGES, archives, strict=True) if path is None]
    if missing:
        setting.say(f"downloading {', '.join(missing)} (about 200 MB in all)")
        _download(folder, missing)
        archives = [_archive(folder, package) for package in PACKAGES]
    return [path for path in archives if path is not None]


def _archive(folder: Path, package: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{package}_*.deb"))), None)


def _download(folder: Path, packages: list[str]) -> None:
    advice = (
        f"the photographs come from Debian's {', '.join(packages)}: put their .deb files into "
        f"{folder} (on a Debian machine: apt-get update && apt-get download {' '.join(packages)})"
    )
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unavailable(f"no apt-get or dpkg here; {advice}")
    try:
        ran = subprocess.run(
            ["apt-get", "download", *packages],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"apt-get download took over {DOWNLOAD_SECONDS_MAX} s; {advice}"
        ) from None
    if ran.returncode != 0:
        raise Unavailable(f"apt-get said: {ran.stderr.strip()[-300:]}; {advice}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack once; a half-done folder from an interrupted run is replaced."""
    if folder.exists():
        return
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ran = subprocess.run(
        ["dpkg", "-x", str(archive), str(partial)], capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise Unavailable(f"{archive.name} could not be unpacked: {ran.stderr.strip()[-300:]}")
    partial.rename(folder)


def _link(source: Path, target: Path) -> Path:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            # Another file system, or hard links forbidden: a copy serves as well.
            shutil.copyfile(source, target)
    return target


def sizes(pictures: tuple[Path, ...]) -> dict[str, tuple[int, int]]:
    """Return width and height by file name."""
    found: dict[str, tuple[int, int]] = {}
    for picture in pictures:
        try:
            facts = jpeg.read(picture.read_bytes())
        except (ValueError, struct.error):
            continue
        found[picture.name] = (facts.width, facts.height)
    return found
