"""Signatures of native URLs: what is signed, and whether a URL bears the right one. Pure.

HMAC-SHA256 over the path as it is sent, and, if there is a query, ``?`` and its pieces
(``name=value`` as sent) but ``s``, sorted and joined by ``&``. In base64url without padding, whole
or cut to no fewer than 16 bytes.

    s = base64url(HMAC-SHA256(key, "/img/NAME/photo.jpg?h=300&w=400"))
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

import refusals

NAME = "s"
BYTES_MIN = 16
"""Fewer bytes of a signature could be guessed."""
KEY_CHARACTERS_MIN = 16
SIGN_IT = (
    "the signature (s) is not this URL's; dynimo images sign URL makes it: base64url without =, of"
    " the path and all else of the query as they are sent, by a key that the server has"
)
_SIGNATURE = re.compile(r"[0-9A-Za-z_-]{22,43}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A query without its signature; ``signature`` is None where it had none."""

    query: str
    signature: str | None


def split(query: str) -> Signed:
    """Take the signature out of a raw query.

    Raises:
        Refusal: 400; there are several.
    """
    if f"{NAME}=" not in query:
        return Signed(query, None)
    kept: list[str] = []
    found: list[str] = []
    for piece in query.split("&"):
        (found if piece.startswith(f"{NAME}=") else kept).append(piece)
    if len(found) > 1:
        raise refusals.parameter(NAME, "", "given only once")
    return Signed("&".join(kept), found[0].removeprefix(f"{NAME}=") if found else None)


def message(path: str, query: str) -> bytes:
    """Give the bytes that are signed; ``query`` is without its signature."""
    pieces = "&".join(sorted(query.split("&")))
    return (f"{path}?{pieces}" if query else path).encode("utf-8", "surrogatepass")


def sign(path: str, query: str, key: str) -> str:
    """Give the signature of a path (as it is sent) and a raw query without one."""
    made = hmac.new(key.encode(), message(path, query), hashlib.sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def check(path: str, signed: Signed, keys: Iterable[str]) -> None:
    """Check that the signature is that of one of the keys.

    Raises:
        Refusal: 403; it is not. Never says what would be right.
    """
    given = _decoded(signed.signature or "")
    right = False
    for key in keys:
        made = hmac.new(key.encode(), message(path, signed.query), hashlib.sha256).digest()
        right |= hmac.compare_digest(made[: max(len(given), BYTES_MIN)], given)
    if not right:
        raise refusals.forbidden("bad_signature", SIGN_IT)


def _decoded(text: str) -> bytes:
    """Read a signature; empty for what is none, or is none in its one spelling."""
    if not _SIGNATURE.fullmatch(text) or len(text) % 4 == 1:
        return b""
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return found if urlsafe_b64encode(found).decode().rstrip("=") == text else b""
