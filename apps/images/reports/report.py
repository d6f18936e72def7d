"""What every report is given and gives: the seam between the Generator and those who tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import decode
import limits as limit_names
import recipe as recipes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A source of which the header is read. ``data`` are its bytes, for who must look closer."""

    header: decode.Header
    recipe: recipes.Recipe
    data: bytes
    limits: limit_names.Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A JSON object and how it is sent. ``headers`` have lower-case names."""

    value: Mapping[str, Any]
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
