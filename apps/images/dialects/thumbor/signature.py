"""Is this URL signed by someone who knows the key? HMAC over what follows the hash. Pure."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from urllib.parse import quote, unquote

import refusals
from thumbor_terms import Terms

UNSAFE = "unsafe"
_PART = re.compile(
    r"(?:-?\d*x-?\d*)|(?:\d+x\d+:\d+x\d+)|(?:adaptive-)?(?:full-)?fit-in|meta|smart|trim.*|filters:.*"
)
"""What stands behind the hash, and first where the hash was forgotten."""
_SAFE = "/:?%=&()\",'~!$*+;@|[]-._"


def sign(key: str, text: str, *, signer: str = "sha1", truncate: int = 0) -> str:
    """Give the hash of a path (without a leading slash), as thumbor and imagor make it."""
    digest = hmac.new(key.encode(), text.encode(), signer).digest()
    made = urlsafe_b64encode(digest).decode()
    return made[:truncate] if truncate else made


def opened(path: str, terms: Terms, *, unsigned: bool) -> str:
    """Take the hash off a path, if it is right or none is needed, and give the rest.

    Some clients sign a path before they percent-encode it; that is then what is read.

    Raises:
        Refusal: 400, as thumbor: the hash is wrong or missing.
    """
    first, _, rest = path.lstrip("/").partition("/")
    if first == UNSAFE:
        allowed = terms.allow_unsafe
        if allowed if allowed is not None else unsigned and not terms.keys:
            return rest
        raise refused("unsafe URLs are not allowed here: sign the URL, or set allow_unsafe")
    if not terms.keys:
        instead = "; begin it with unsafe/" if unsigned and terms.allow_unsafe is not False else ""
        raise refused(f"no security_key is set, so that no hash of a thumbor URL is right{instead}")
    plain = unquote(rest, errors="replace")
    for key in terms.keys:
        if _fits(first, key, rest, terms):
            return rest
        if "%" not in plain and _fits(first, key, plain, terms):
            return quote(plain, safe=_SAFE)
    if _PART.fullmatch(first):
        raise refused("a thumbor URL begins with its hash, which is missing: /HASH/300x200/…")
    raise refused("the hash does not fit the URL: it is signed with another key, or was changed")


def refused(reason: str) -> refusals.Refusal:
    """400: not signed as it must be."""
    return refusals.Refusal(400, "bad_signature", reason)


def _fits(given: str, key: str, text: str, terms: Terms) -> bool:
    right = sign(key, text, signer=terms.signer, truncate=terms.truncate)
    ours, theirs = right.rstrip("="), unquote(given).rstrip("=")
    return hmac.compare_digest(ours.encode(), theirs.encode())
