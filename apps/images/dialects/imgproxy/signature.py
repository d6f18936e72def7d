"""Is the URL signed? HMAC-SHA256 over salt and path, base64url, as imgproxy's "Signing the URL".

Pure. Says nothing of keys in errors, and compares in constant time.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from dialects.imgproxy import wrong

SIZE_MAX = 32
"""Bytes of SHA-256."""
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{2,64}")


def check(
    given: str,
    signed: str,
    *,
    pairs: Sequence[tuple[bytes, bytes]],
    size: int = SIZE_MAX,
    trusted: Sequence[str] = (),
    unsigned: bool = False,
) -> None:
    """Check what stands first in the path against all that follows, ``signed`` (from its slash).

    ``pairs`` are (key, salt), any of which may have signed; ``trusted`` are taken as they are.
    Without pairs any text without a colon does where ``unsigned`` says so.

    Raises:
        Refusal: 403.
    """
    text = given.encode("utf-8", "replace")
    if any(hmac.compare_digest(text, each.encode()) for each in trusted):
        return
    if ":" in given:  # an option
        word = "; any word does here, such as unsafe" if unsigned and not pairs else ""
        raise wrong.forbidden(
            f"the path must be /SIGNATURE/OPTIONS/SOURCE: no signature is there{word}"
        )
    if not pairs:
        if unsigned and given:
            return
        raise wrong.forbidden(
            "URLs must be signed here: give the server IMGPROXY_KEY and IMGPROXY_SALT"
            " (or unsigned = true in [apps.images])"
        )
    mac = _decoded(given)
    path = signed.encode("utf-8", "replace")
    fits = [
        hmac.compare_digest(mac, hmac.digest(key, salt + path, "sha256")[:size])
        for key, salt in pairs
    ]
    if not any(fits):
        raise wrong.forbidden(
            "the signature does not fit this URL: it must be of all that follows it, from the slash"
            " on, as it is sent, by a key and salt that the server has, in base64url without ="
        )


def _decoded(given: str) -> bytes:
    if not _SIGNATURE.fullmatch(given) or len(given) % 4 == 1:
        return b""
    found = urlsafe_b64decode(given + "=" * (-len(given) % 4))
    # Only in its one spelling: the last character has bits that mean nothing, and a URL that can
    # be spelled in several ways is several to every cache.
    return found if urlsafe_b64encode(found).decode().rstrip("=") == given else b""
