"""On which terms thumbor's URLs are answered: the keys, and whether one may go without. Pure.

From `[apps.images.thumbor]`, and from the environment that thumbor and imagor are configured by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEYS = ("security_key", "allow_unsafe", "signer", "truncate", "smart", "source")
SIGNERS = ("sha1", "sha256", "sha512")
TRUNCATE_MIN = 8
"""Characters of a hash: 48 bits, below which it could be guessed."""
_YES = ("1", "true", "yes", "on")


class TermsError(ValueError):
    """`[apps.images.thumbor]` has an unknown key or an impossible value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``keys`` are all accepted, the newest first. ``truncate``: characters of a hash, 0 for all.

    ``allow_unsafe`` is None where nothing is said. ``smart`` is the gravity that the word means.
    ``source`` names the source of pictures that name none, as thumbor's file loader has it.
    """

    keys: tuple[str, ...] = ()
    allow_unsafe: bool | None = None
    signer: str = "sha1"
    truncate: int = 0
    smart: str = "attention"
    source: str = ""


def read(table: object, environment: Mapping[str, str]) -> Terms:
    """Read the table; what it does not say is looked for in the environment.

    Raises:
        TermsError: naming the key.
    """
    if not isinstance(table, Mapping):
        raise TermsError("[apps.images.thumbor] must be a table")
    for key in table:
        if key not in KEYS:
            raise TermsError(
                f"[apps.images.thumbor] unknown key {key!r}; allowed: {', '.join(KEYS)}"
            )
    unsafe = table.get("allow_unsafe", _unsafe(environment))
    if unsafe is not None and not isinstance(unsafe, bool):
        raise TermsError("[apps.images.thumbor] allow_unsafe must be true or false")
    source = table.get("source", "")
    if not isinstance(source, str):
        raise TermsError("[apps.images.thumbor] source must be the name of a source")
    return Terms(
        keys=_keys(table.get("security_key", environment.get("SECURITY_KEY", ""))),
        allow_unsafe=unsafe,
        signer=_word(table, "signer", SIGNERS),
        truncate=_truncate(table.get("truncate", 0)),
        smart=_word(table, "smart", ("attention", "entropy", "face", "object", "ce")),
        source=source,
    )


def _unsafe(environment: Mapping[str, str]) -> bool | None:
    said = environment.get("ALLOW_UNSAFE_URL", "")
    return said.strip().lower() in _YES if said.strip() else None


def _keys(given: Any) -> tuple[str, ...]:
    keys = [given] if isinstance(given, str) else given
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise TermsError("[apps.images.thumbor] security_key must be a text, or a list of texts")
    return tuple(filter(None, keys))


def _word(table: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    word = table.get(key, allowed[0])
    if word not in allowed:
        raise TermsError(f"[apps.images.thumbor] {key} must be one of {', '.join(allowed)}")
    return str(word)


def _truncate(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or 0 < given < TRUNCATE_MIN:
        raise TermsError(
            f"[apps.images.thumbor] truncate must be 0 or at least {TRUNCATE_MIN} characters"
        )
    return max(0, given)
