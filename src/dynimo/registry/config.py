"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may be registered.

    ``code_bytes_max`` and ``code_files_max`` bound the unzipped code of one function or layer,
    ``zip_bytes_max`` an uploaded zip, ``storage_bytes_max`` all zips of an account together.
    ``buckets`` maps a bucket's name to a local folder that S3 references are read from.
    """

    code_bytes_max: int = 262_144_000
    code_files_max: int = 20_000
    zip_bytes_max: int = 52_428_800
    storage_bytes_max: int = 80_530_636_800
    buckets: Mapping[str, str] = field(default_factory=dict)
