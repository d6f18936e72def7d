"""Code by S3 reference, from buckets that are folders of this machine.

A bucket's name leads to a folder by settings; a key is a path below it. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dynimo.model.errors import InvalidParameterValue

_FAILED = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}"


def fetch(
    buckets: Mapping[str, str], bucket: str, key: str, version: str | None, *, bytes_max: int
) -> bytes:
    """The object; at most one byte more than ``bytes_max``, so that who asks sees it is too long.

    Raises:
        InvalidParameterValue: there is no such bucket or key, in AWS's words.
    """
    folder = buckets.get(bucket)
    if folder is None:
        raise _failed("NoSuchBucket", "The specified bucket does not exist")
    if version is not None:
        raise _failed("NoSuchVersion", "The specified version does not exist.")
    path = _path(folder, key)
    if path is None:
        raise _failed("NoSuchKey", "The specified key does not exist.")
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise _failed("AccessDenied", f"{error.strerror}.") from error


def _path(folder: str, key: str) -> Path | None:
    """The file of a key, if there is one in the folder; a link that leads out of it is none."""
    try:
        root = Path(folder).resolve()
        path = (root / key).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have: too long, or with NUL in it
        return None


def _failed(code: str, message: str) -> InvalidParameterValue:
    return InvalidParameterValue(_FAILED.format(code, message))
