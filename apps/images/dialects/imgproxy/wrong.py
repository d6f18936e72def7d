"""How this dialect says no: imgproxy's statuses, 404 for what is wrong and 403 for signatures."""

from __future__ import annotations

from collections.abc import Iterable

import meant
from refusals import Refusal

SHOWN_MAX = 100
"""Characters of a client's own text that are said back."""


SCHEMES = frozenset({"local", "http", "https", "s3", "gs", "abs", "swift"})


def is_scheme(segment: str) -> bool:
    """Tell whether a URL begins so, which stands where an option should."""
    return segment.lower().removesuffix(":") in SCHEMES and segment.endswith(":")


def option(name: str, value: str, allowed: str) -> Refusal:
    """404: an option has an argument that it cannot have."""
    return Refusal(
        404,
        "bad_option",
        f"{name} must be {allowed}",
        facts={"option": name[:SHOWN_MAX], "value": value[:SHOWN_MAX], "allowed": allowed},
    )


def unknown(name: str, known: Iterable[str] = ()) -> Refusal:
    """404: no option has that name."""
    shown = name[:SHOWN_MAX]
    told = meant.asked(meant.closest(name, known))
    if is_scheme(f"{name}:"):
        told = "; a URL that is not encoded begins with plain/"
    message = f"there is no option {shown!r}{told}"
    return Refusal(404, "unknown_option", message, facts={"option": shown})


def unsupported(name: str, why: str = "is not there") -> Refusal:
    """404: imgproxy has such an option, this server has not."""
    return Refusal(404, "unsupported_option", f"the option {name} {why}", facts={"option": name})


def url(reason: str) -> Refusal:
    """404: the URL is none of this dialect."""
    return Refusal(404, "bad_url", reason)


def expired() -> Refusal:
    """404: the time that the URL itself gives is over."""
    return Refusal(404, "expired", "this URL has expired")


def forbidden(message: str) -> Refusal:
    """403: it is not signed as it must be, or asks for what it may not."""
    return Refusal(403, "forbidden", message)
