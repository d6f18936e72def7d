"""What the deployment says of this dialect: imgproxy's variables, and our table beside them. Pure.

``[apps.images.imgproxy]`` has the same names in lower case without ``IMGPROXY_``; the environment
wins. A mistake stops the app from starting, with a message that names the variable and no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dialects.imgproxy import aes, arguments, locating, reading
from dialects.imgproxy.said import Said
from refusals import Refusal

PREFIX = "IMGPROXY_"
KEYS_MAX = 16
NAMES = (
    "key", "salt", "signature_size", "trusted_signatures", "source_url_encryption_key", "base_url",
    "allowed_sources", "presets", "only_presets", "quality", "format_quality", "watermark_path",
    "watermark_url", "watermark_opacity", "auto_webp", "auto_avif", "auto_jxl", "enforce_webp",
    "enforce_avif", "enforce_jxl", "enable_client_hints", "ttl", "allowed_processing_options",
    "base64_url_includes_filename", "strip_metadata", "keep_copyright", "strip_color_profile",
    "auto_rotate", "preserve_hdr", "return_attachment", "skip_processing_formats",
    "max_animation_frames", "fallback_image_path", "fallback_image_url",
)  # fmt: skip
OPTIONS: Mapping[str, str] = {
    "strip_metadata": "strip_metadata",
    "keep_copyright": "keep_copyright",
    "strip_color_profile": "strip_color_profile",
    "auto_rotate": "auto_rotate",
    "preserve_hdr": "preserve_hdr",
    "return_attachment": "return_attachment",
    "skip_processing_formats": "skip_processing",
    "max_animation_frames": "pages",
}
"""Variables that say for all URLs what an option says for one."""
ELSEWHERE = frozenset({"allowed_sources"})
"""Not in our table: [apps.images] has it as url_sources, for all dialects."""
FLAGS = ("jxl", "avif", "webp")
"""Formats in the order in which imgproxy prefers them."""


class ConfiguredError(ValueError):
    """A variable of imgproxy's, or a key of our table, cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """``pairs`` are (key, salt). ``auto`` and ``enforced`` are formats, or None: as natively.

    ``given`` are options before those of any URL; ``names_behind``: encoded sources end in a
    file's name that means nothing.
    """

    pairs: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    trusted: tuple[str, ...] = field(default=(), repr=False)
    signature_size: int = 32
    encryption_keys: tuple[bytes, ...] = field(default=(), repr=False)
    base_url: str = ""
    allowed: tuple[str, ...] | None = None
    presets: reading.Presets = field(default_factory=dict)
    only_presets: bool = False
    quality: int = 80
    qualities: Mapping[str, int] = field(default_factory=dict)
    watermark: str = ""
    fallback: str = ""
    opacity: Decimal = Decimal(1)
    auto: frozenset[str] | None = None
    enforced: frozenset[str] = frozenset()
    hints: bool = False
    ttl_seconds: int = 0
    given: tuple[reading.Option, ...] = ()
    options_allowed: frozenset[str] | None = None
    names_behind: bool = False


QUALITIES: Mapping[str, int] = {"webp": 79, "avif": 63, "jxl": 77}
"""imgproxy's own, where nothing else is said; 80 for the rest."""
_KEPT: dict[str, tuple[Mapping[str, str], Mapping[str, Any], Configured]] = {}


def of(environment: Mapping[str, str], table: Mapping[str, Any]) -> Configured:
    """Read it, or give what was read of the same two before.

    Raises:
        ConfiguredError: naming the variable.
    """
    known = _KEPT.get("last")
    if known is not None and known[0] is environment and known[1] is table:
        return known[2]
    found = read(environment, table)
    _KEPT["last"] = (environment, table, found)
    return found


def read(environment: Mapping[str, str], table: Mapping[str, Any]) -> Configured:
    """Read it.

    Raises:
        ConfiguredError: naming the variable.
    """
    for name in table:
        if name not in NAMES or name in ELSEWHERE:
            allowed = ", ".join(each for each in NAMES if each not in ELSEWHERE)
            raise ConfiguredError(
                f"[apps.images.imgproxy] unknown key {name!r}; allowed: {allowed}"
            )
    said = {name: _text(table[name]) for name in table}
    brought = {name: environment[PREFIX + name.upper()] for name in NAMES
               if PREFIX + name.upper() in environment}  # fmt: skip
    said.update(brought)
    try:
        return _read(said)
    except Refusal as refusal:
        raise ConfiguredError(f"imgproxy: {refusal.message}") from None


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def _read(said: Mapping[str, str]) -> Configured:
    flags = [f"{kind}_{fm}" for kind in ("auto", "enforce") for fm in FLAGS]
    flagged = [name for name in flags if name in said]
    sure = {name for name in flagged if arguments.flag(said[name])}
    try:
        presets = reading.parse_presets(said.get("presets", ""))
    except ValueError as error:
        raise ConfiguredError(f"{PREFIX}PRESETS: {error}") from None
    given = tuple(
        (option, _listed(said[name])) for name, option in OPTIONS.items() if said.get(name)
    )
    reading.carry_out(Said(), given, {})
    return Configured(
        pairs=_pairs(said.get("key", ""), said.get("salt", "")),
        trusted=_listed(said.get("trusted_signatures", "")),
        signature_size=_whole(said, "signature_size", 32, 1, 32),
        encryption_keys=_encryption(said.get("source_url_encryption_key", "")),
        base_url=said.get("base_url", ""),
        allowed=_listed(said.get("allowed_sources", "")) or None,
        presets=presets,
        only_presets=arguments.flag(said.get("only_presets", "")),
        quality=_whole(said, "quality", 80, 1, 100),
        qualities={**QUALITIES, **_qualities(said.get("format_quality", ""))},
        watermark=_file(said, "watermark"),
        fallback=_file(said, "fallback_image"),
        opacity=arguments.part("watermark_opacity", said.get("watermark_opacity", "1")),
        auto=frozenset(each for each in FLAGS if f"auto_{each}" in sure) if flagged else None,
        enforced=frozenset(each for each in FLAGS if f"enforce_{each}" in sure),
        hints=arguments.flag(said.get("enable_client_hints", "")),
        ttl_seconds=_whole(said, "ttl", 0, 0, 31_536_000),
        given=given,
        options_allowed=frozenset(_listed(said.get("allowed_processing_options", ""))) or None,
        names_behind=arguments.flag(said.get("base64_url_includes_filename", "")),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _whole(said: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    return arguments.whole(name, said[name], least, most) if said.get(name) else default


def _hex(name: str, text: str) -> tuple[bytes, ...]:
    try:
        found = tuple(bytes.fromhex(each.strip()) for each in text.split(",") if each.strip())
    except ValueError:
        raise ConfiguredError(f"{PREFIX}{name} must be hexadecimal") from None
    if len(found) > KEYS_MAX:
        raise ConfiguredError(f"{PREFIX}{name} may hold at most {KEYS_MAX}")
    return found


def _pairs(key: str, salt: str) -> tuple[tuple[bytes, bytes], ...]:
    keys, salts = _hex("KEY", key), _hex("SALT", salt)
    if len(keys) != len(salts):
        raise ConfiguredError(f"{PREFIX}KEY and {PREFIX}SALT must hold as many, in pairs")
    return tuple(zip(keys, salts, strict=True))


def _encryption(text: str) -> tuple[bytes, ...]:
    keys = _hex("SOURCE_URL_ENCRYPTION_KEY", text)
    if any(len(key) not in aes.KEY_BYTES for key in keys):
        raise ConfiguredError(f"{PREFIX}SOURCE_URL_ENCRYPTION_KEY must have 16, 24 or 32 bytes")
    return keys


def _qualities(text: str) -> dict[str, int]:
    found = {}
    for piece in filter(None, map(str.strip, text.split(","))):
        name, _, quality = piece.partition("=")
        fm = arguments.fm("format_quality", name.strip())
        found[fm] = arguments.whole("format_quality", quality.strip(), 1, 100)
    return found


def _file(said: Mapping[str, str], what: str) -> str:
    """A file by reference: ``NAME/path``, ``local:///NAME/path`` or an address."""
    text = said.get(f"{what}_url", "") or said.get(f"{what}_path", "")
    if not text:
        return ""
    if "://" not in text:
        text = f"local:///{text}"
    name, path = locating.place(text)
    if not path or text.startswith("local:////"):
        raise ConfiguredError(f"{PREFIX}{what.upper()}_PATH must be a source's NAME/path here")
    return f"{name}/{path}"
