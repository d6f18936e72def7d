"""Where the file is: the last part of the path, in its three spellings, as source and path. Pure.

Errors never say the address: an encrypted one is a secret.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from urllib.parse import quote

import paths
import refusals
import urls
from dialects.imgproxy import aes, wrong

URL_MAX = 4_096
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_REPAIRED = re.compile(r"(?i:(https?|local)):/+")
_PATH_SAFE = "%-._~/!$&'()*,;=:@+"


def decode(
    segments: Sequence[str], keys: Sequence[bytes], *, names_behind: bool = False
) -> tuple[str, str]:
    """Give the URL, and the format that stands behind it (or nothing).

    ``names_behind``: the last segment of an encoded one is a name for people, and is left out.

    Raises:
        Refusal: 404.
    """
    if segments and segments[0] == "plain" and len(segments) > 1:
        encoded, fm = _parted("/".join(segments[1:]), "@")
        try:
            return paths.decode(encoded), fm
        except refusals.Refusal:
            raise wrong.url("the source's URL is not percent-encoded UTF-8") from None
    if names_behind and len(segments) > 1:
        segments = segments[:-1]
    if segments and segments[0] == "enc" and len(segments) > 1:
        encoded, fm = _parted("".join(segments[1:]), ".")
        return _text(_decrypted(_bytes(encoded), keys)), fm
    encoded, fm = _parted("".join(segments), ".")
    return _text(_bytes(encoded)), fm


def _parted(text: str, mark: str) -> tuple[str, str]:
    encoded, *rest = text.split(mark)
    if not encoded or len(encoded) > URL_MAX:
        raise wrong.url("the source's URL is missing, or too long")
    if len(rest) > 1:
        raise wrong.url(f"there is more than one {mark} in the source's URL; escape it")
    return encoded, rest[0] if rest else ""


def _bytes(encoded: str) -> bytes:
    bare = encoded.rstrip("=")
    if not _BASE64.fullmatch(bare) or len(bare) % 4 == 1:
        raise wrong.url(
            "behind the options, each NAME:ARGUMENT, there must be plain/URL, or a URL in URL-safe"
            " base64; this is neither"
        )
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _decrypted(data: bytes, keys: Sequence[bytes]) -> bytes:
    for key in keys:
        try:
            return aes.decrypt(key, data)
        except aes.Unreadable:
            continue
    raise wrong.url("the source's URL cannot be decrypted")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise wrong.url("the source's URL is not UTF-8") from None


def completed(url: str, base: str) -> str:
    """Put the base before a URL that does not begin with it."""
    return url if not base or url.startswith(base) else base + url


def place(url: str) -> tuple[str, str]:
    """Give source and path: ``local:///NAME/path`` is a configured one, an address its own.

    Slashes behind the scheme that a proxy has taken away are put back.

    Raises:
        Refusal: 404; there can be no such file.
    """
    matched = _REPAIRED.match(url)
    if matched is None:
        raise refusals.not_found("its URL has no scheme: local:///NAME/path or https://… is meant")
    scheme, rest = matched[1].lower(), url[matched.end() :]
    if scheme == "local":
        try:
            return paths.split(quote(rest, safe=_PATH_SAFE))
        except refusals.Refusal:
            raise refusals.not_found() from None
    found = urls.place(f"{scheme}://{rest}")
    if found is None:
        raise refusals.not_found()
    return found
