"""The settings of this part, with their units. Read by assembly; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may be registered.

    ``code_bytes_max`` and ``code_files_max`` bound the unzipped code of one function or layer.
    """

    code_bytes_max: int = 250 * 1024 * 1024
    code_files_max: int = 20_000
