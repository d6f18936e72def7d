"""What this deployment says to the app: its `[apps.images]` table, read once at import.

Two modules read it, `preprocess` and `generate`; everything else takes values. A mistake must
stop the app from starting, with a message that says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import admission as admissions
import hints as hint_names
import limits as limit_names
import thumbor_terms

KEYS = (
    "rules", "limits", "private_hosts", "url_sources", "unsigned", "keys", "widths", "presets",
    "imgproxy", "thumbor", "fonts", "iiif", "hints", "explain_key",
)  # fmt: skip
ALLOWED_VARIABLE = "IMGPROXY_ALLOWED_SOURCES"
EXPLAIN_KEY_LEAST = 16
"""Characters of a key that nobody guesses."""


class DeploymentError(ValueError):
    """The `[apps.images]` table has an unknown key or an impossible value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """``rules`` is the path of the rules file, if any.

    ``private_hosts`` are ``host:port`` of source servers that may have private addresses.
    ``url_sources`` are patterns of addresses that may be asked for without a source's name.
    ``unsigned``: URLs of a dialect without a key need no signature; None: in development only.
    ``admission`` says which native URLs need a signature.
    ``imgproxy`` is that dialect's own table, ``thumbor`` the terms of that one.
    ``fonts`` is a folder of further fonts.
    ``iiif`` names the sources that anybody may read through IIIF in any size (``*``: all); None
    where nothing is said: then what ``unsigned`` says.
    ``hints`` are the client hints that decide with: ``dpr``, ``width``, ``save-data``.
    Who has ``explain_key`` may ask why a URL gives what it gives.
    """

    limits: limit_names.Limits
    rules: Path | None
    private_hosts: frozenset[str]
    url_sources: tuple[str, ...] = ()
    unsigned: bool | None = None
    imgproxy: Mapping[str, Any] = field(default_factory=dict)
    admission: admissions.Admission = field(default_factory=admissions.Admission)
    thumbor: thumbor_terms.Terms = field(default_factory=thumbor_terms.Terms)
    fonts: Path | None = None
    iiif: frozenset[str] | None = None
    hints: tuple[str, ...] = ()
    explain_key: str = field(default="", repr=False)


def read(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Deployment:
    """Check the settings; ``environment`` is what other image servers are configured by.

    Raises:
        DeploymentError: naming the key.
        limits.LimitsError: naming the limit.
        thumbor_terms.TermsError: naming the key of `[apps.images.thumbor]`.
    """
    for key in settings:
        if key not in KEYS:
            raise DeploymentError(f"[apps.images] unknown key {key!r}; allowed: {', '.join(KEYS)}")
    rules, fonts = settings.get("rules"), settings.get("fonts")
    if rules is not None and not isinstance(rules, str):
        raise DeploymentError(f"[apps.images] rules = {rules!r} must be the path of a file")
    if fonts is not None and not isinstance(fonts, str):
        raise DeploymentError(f"[apps.images] fonts = {fonts!r} must be the path of a folder")
    hosts = settings.get("private_hosts", [])
    if not _is_texts(hosts):
        raise DeploymentError("[apps.images] private_hosts must be a list of 'host:port'")
    patterns = settings.get("url_sources", [])
    if not _is_texts(patterns):
        raise DeploymentError("[apps.images] url_sources must be a list of 'https://host/*'")
    brought = (environment or {}).get(ALLOWED_VARIABLE, "").split(",")
    unsigned, imgproxy = settings.get("unsigned"), settings.get("imgproxy", {})
    if unsigned is not None and not isinstance(unsigned, bool):
        raise DeploymentError("[apps.images] unsigned must be true or false")
    if not isinstance(imgproxy, Mapping):
        raise DeploymentError("[apps.images.imgproxy] must be a table")
    limits = limit_names.read(settings.get("limits", {}))
    try:
        admission = admissions.read(settings, limits)
    except admissions.AdmissionError as error:
        raise DeploymentError(f"[apps.images] {error}") from None
    opened = settings.get("iiif")
    if opened is not None and not _is_texts(opened):
        raise DeploymentError("[apps.images] iiif must be a list of names of sources, or ['*']")
    told = settings.get("hints", [])
    if not isinstance(told, list) or not all(each in hint_names.HEADERS for each in told):
        named = ", ".join(hint_names.HEADERS)
        raise DeploymentError(f"[apps.images] hints = {told!r} must list some of {named}")
    return Deployment(
        limits=limits,
        rules=Path(rules) if rules else None,
        private_hosts=frozenset(host.lower() for host in hosts),
        url_sources=(*patterns, *(each.strip() for each in brought if each.strip())),
        unsigned=unsigned,
        imgproxy=imgproxy,
        admission=admission,
        thumbor=thumbor_terms.read(settings.get("thumbor", {}), environment or {}),
        fonts=Path(fonts) if fonts else None,
        iiif=None if opened is None else frozenset(opened),
        hints=tuple(told),
        explain_key=_key(settings.get("explain_key", "")),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _key(given: object) -> str:
    if given != "" and (not isinstance(given, str) or len(given) < EXPLAIN_KEY_LEAST):
        reason = f"must be a text of at least {EXPLAIN_KEY_LEAST} characters"
        raise DeploymentError(f"[apps.images] explain_key {reason}")
    return str(given)
