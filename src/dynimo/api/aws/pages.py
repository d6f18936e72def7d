"""Lists in pages, as the service gives them: Marker and MaxItems in, NextMarker out. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dynimo.api.aws.calls import Call
from dynimo.api.aws.validation import Faults
from dynimo.model.errors import InvalidParameterValue

T = TypeVar("T")

ITEMS_MAX = 10_000
ITEMS_DEFAULT = 50


def page(
    call: Call,
    items: Sequence[T],
    key: Callable[[T], str],
    shown: Callable[[T], Any],
    *,
    default: int = ITEMS_DEFAULT,
    most: int = ITEMS_MAX,
) -> tuple[list[Any], str | None]:
    """(what is shown of one page, NextMarker or None). ``items`` are in the order of ``key``.

    A marker names the last item of the page before, so that a page is right even when items come
    and go between two requests.

    Raises:
        ValidationFailed, InvalidParameterValue: MaxItems or Marker cannot be used.
    """
    wanted = call.first("MaxItems")
    count = default
    if wanted is not None:
        faults = Faults()
        number = int(wanted) if wanted.lstrip("-").isdecimal() else wanted
        faults.between(number, "maxItems", 1, most)
        faults.check()
        count = int(number)
    after = _read(call.first("Marker"))
    rest = [item for item in items if after is None or key(item) > after]
    chosen = rest[:count]
    more = len(rest) > len(chosen)
    return [shown(item) for item in chosen], _written(key(chosen[-1])) if more else None


def listed(name: str, found: tuple[list[Any], str | None]) -> dict[str, Any]:
    """A page as the service's answer."""
    items, marker = found
    return {name: items} if marker is None else {name: items, "NextMarker": marker}


def _written(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read(marker: str | None) -> str | None:
    if not marker:
        return None
    try:
        return base64.urlsafe_b64decode(marker).decode()
    except (binascii.Error, ValueError):
        raise InvalidParameterValue(f"The Marker '{marker}' is none of this list's.") from None
