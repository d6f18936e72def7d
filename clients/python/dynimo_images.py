"""URLs of Dynimo's image service for Python: sign(), url(), srcset(), picture(). One file, copy it.

Standard library only. Lengths of ``widths`` are pixels; ``expires`` is in seconds since 1970.

    url("photos/a.jpg", key=KEY, w=400, h=300, fit="cover", fp_x=0.3)
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import quote

__all__ = ["WIDTHS", "picture", "sign", "srcset", "url"]

WIDTHS = (320, 640, 960, 1280, 1920)
"""Widths of a srcset where none are said."""
Value = str | float | bool | Iterable[str | float] | None


def sign(target: str, key: str) -> str:
    """Give a path with its query (``/img/photos/a.jpg?w=400``) and its signature ``s``."""
    path, _, query = target.partition("?")
    pieces = "&".join(sorted(query.split("&")))
    signed = f"{path}?{pieces}" if query else path
    made = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    joint = "&" if query else "?"
    return f"{target}{joint}s={urlsafe_b64encode(made).decode().rstrip('=')}"


def url(
    file: str,
    *,
    base: str = "",
    key: str | None = None,
    expires: int | None = None,
    **parameters: Value,
) -> str:
    """Give the URL of ``NAME/path/to/file``; a parameter ``fp_x`` becomes ``fp-x``.

    Lists are joined by commas; None is left out. Without ``key`` it is not signed.
    """
    given = {name.replace("_", "-"): _text(value) for name, value in parameters.items()}
    given["expires"] = _text(expires)
    query = "&".join(
        f"{name}={quote(text, safe='')}" for name, text in sorted(given.items()) if text is not None
    )
    target = f"/img/{quote(file.lstrip('/'), safe='/')}" + (f"?{query}" if query else "")
    return base.rstrip("/") + (sign(target, key) if key else target)


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else str(value)
    return ",".join(_text(one) or "" for one in value)


def srcset(
    file: str,
    *,
    widths: Iterable[int] = WIDTHS,
    base: str = "",
    key: str | None = None,
    expires: int | None = None,
    **parameters: Value,
) -> str:
    """Give the value of a ``srcset``: one URL a width; ``h`` is that of the widest and follows."""
    chosen = sorted(set(widths))
    sized = []
    for w in chosen:
        own = dict(parameters)
        height = own.get("h")
        if isinstance(height, int | float):
            own["h"] = max(1, int(height * w / chosen[-1] + 0.5))
        found = url(file, base=base, key=key, expires=expires, **{**own, "w": w})
        sized.append(f"{found} {w}w")
    return ", ".join(sized)


def picture(
    file: str,
    *,
    alt: str,
    sizes: str = "100vw",
    widths: Iterable[int] = WIDTHS,
    formats: Iterable[str] = ("avif", "webp"),
    attributes: Mapping[str, str] | None = None,
    base: str = "",
    key: str | None = None,
    expires: int | None = None,
    **parameters: Value,
) -> str:
    """Give a ``<picture>``: a source for each of ``formats``, and an ``<img>`` of JPEGs.

    ``attributes`` are further ones of the ``<img>``. Everything is escaped.
    """
    chosen = sorted(set(widths))

    def set_of(fm: str) -> str:
        own = {**parameters, "fm": fm}
        return srcset(file, widths=chosen, base=base, key=key, expires=expires, **own)

    sources = [
        _tag("source", {"type": f"image/{fm}", "srcset": set_of(fm), "sizes": sizes})
        for fm in formats
    ]
    widest = {**parameters, "fm": "jpg", "w": chosen[-1]}
    image = {
        "src": url(file, base=base, key=key, expires=expires, **widest),
        "srcset": set_of("jpg"),
        "sizes": sizes,
        "alt": alt,
        "loading": "lazy",
        "decoding": "async",
        **(attributes or {}),
    }
    return f"<picture>{''.join(sources)}{_tag('img', image)}</picture>"


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    inner = "".join(f' {each}="{escape(value)}"' for each, value in attributes.items())
    return f"<{name}{inner}>"
