"""bless_deploy.cfg as BLESS reads it: sections, defaults, and the environment over them.

``SECTION_OPTION`` in lower case, what is no word character as ``_``, is the variable that stands in
place of an option (``bless_ca_us_east_1_password``). Values become one frozen `Options`.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import configparser
import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contract.names import HOST_MODES, MODES
from sshca.kinds import KINDS

PEM_BYTES_MAX = 65_536
"""An RSA key of 16,384 bits takes 13,000; what unpacks to more is no key."""
OPTIONS, CA, KMS_AUTH = "Bless Options", "Bless CA", "KMS Auth"
EXTENSIONS = (
    "permit-X11-forwarding,permit-agent-forwarding,permit-port-forwarding,permit-pty,permit-user-rc"
)
COMPRESSIONS = ("none", "zlib", "bz2")

_DEFAULTS: Mapping[tuple[str, str], str] = {
    (OPTIONS, "certificate_validity_before_seconds"): "120",
    (OPTIONS, "certificate_validity_after_seconds"): "120",
    (OPTIONS, "server_certificate_validity_before_seconds"): "120",
    (OPTIONS, "server_certificate_validity_after_seconds"): "31536000",
    (OPTIONS, "entropy_minimum_bits"): "2048",
    (OPTIONS, "random_seed_bytes"): "256",
    (OPTIONS, "logging_level"): "INFO",
    (OPTIONS, "certificate_extensions"): EXTENSIONS,
    (OPTIONS, "username_validation"): "useradd",
    (OPTIONS, "remote_usernames_validation"): "principal",
    (OPTIONS, "hostname_validation"): "url",
    (OPTIONS, "public_key_types"): "ssh-rsa,ssh-ed25519",
    (KMS_AUTH, "use_kmsauth"): "False",
    (KMS_AUTH, "kmsauth_validate_remote_usernames_against_iam_groups"): "False",
    (KMS_AUTH, "kmsauth_iam_group_name_format"): "ssh-{}",
}
_EMPTY = frozenset({"", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsAuth:
    """Which tokens are taken, and for whom. Empty ``allowed``: for the user's own name only."""

    key_ids: tuple[str, ...]
    service_id: str
    allowed: tuple[str, ...]
    by_groups: bool
    group_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A deployment of BLESS. Times are seconds; the key's PEM and password are not shown.

    With ``kms_key`` the CA's key is in the KMS, and there is neither PEM nor password.
    """

    logging_level: int
    user_before_seconds: int
    user_after_seconds: int
    host_before_seconds: int
    host_after_seconds: int
    private_key: bytes = field(repr=False)
    password: str = field(repr=False)
    kms_key: str
    test_user: str
    extensions: tuple[str, ...]
    username_validation: str
    remote_usernames_validation: str
    remote_usernames_blacklist: re.Pattern[str] | None
    hostname_validation: str
    hostnames_allowed: tuple[str, ...]
    public_key_types: frozenset[str]
    kmsauth: KmsAuth | None
    region: str


class _Sections:
    """The file, with the environment over it and the defaults below."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._file = configparser.RawConfigParser()
        self._file.read(path, encoding="utf-8")
        self._environment = environment

    def get(self, section: str, option: str) -> str:
        """The value; empty when there is none."""
        name = re.sub(r"\W", "_", f"{section}_{option}".lower())
        value = self._environment.get(name)
        if value is None:
            default = _DEFAULTS.get((section, option), "")
            value = self._file.get(section, option, fallback=default)
        return "" if value in _EMPTY else value

    def number(self, option: str) -> int:
        """Raises ValueError with the option's name."""
        text = self.get(OPTIONS, option)
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{option} = {text!r} must be a whole number of seconds.") from None

    def flag(self, section: str, option: str) -> bool:
        """Raises ValueError with the option's name."""
        text = self.get(section, option).lower() or "false"
        found = configparser.RawConfigParser.BOOLEAN_STATES.get(text)
        if found is None:
            raise ValueError(f"{option} = {text!r} must be true or false.")
        return found

    def one_of(self, option: str, known: tuple[str, ...]) -> str:
        """Raises ValueError with the option's name."""
        text = self.get(OPTIONS, option)
        if text not in known:
            raise ValueError(f"{option} = {text!r} must be one of {', '.join(known)}.")
        return text


def load(path: Path, region: str, environment: Mapping[str, str]) -> Options:
    """Read a deployment's options in BLESS's order.

    Raises:
        ValueError: an option cannot be used; its name is in the text, a secret never.
        OSError: the CA's private key file is not there.
    """
    sections = _Sections(path, environment)
    password = sections.get(CA, f"{region}_password") or sections.get(CA, "default_password")
    kms_key = sections.get(CA, "ca_kms_key_id")
    if not password and not kms_key:
        raise ValueError("No Region Specific And No Default Password Provided.")
    level = sections.get(OPTIONS, "logging_level")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"Invalid log level: {level}")
    before, after = "certificate_validity_before_seconds", "certificate_validity_after_seconds"
    blacklist = sections.get(OPTIONS, "remote_usernames_blacklist")
    extensions = sections.get(OPTIONS, "certificate_extensions")
    return Options(
        logging_level=number,
        user_before_seconds=sections.number(before),
        user_after_seconds=sections.number(after),
        host_before_seconds=sections.number(f"server_{before}"),
        host_after_seconds=sections.number(f"server_{after}"),
        private_key=b"" if kms_key else _private_key(sections, path.parent),
        password=password,
        kms_key=kms_key,
        test_user=sections.get(OPTIONS, "test_user"),
        extensions=tuple(filter(None, extensions.split(","))),
        username_validation=sections.one_of("username_validation", MODES),
        remote_usernames_validation=sections.one_of("remote_usernames_validation", MODES),
        remote_usernames_blacklist=_pattern(blacklist),
        hostname_validation=sections.one_of("hostname_validation", HOST_MODES),
        hostnames_allowed=_listed(sections.get(OPTIONS, "hostnames_allowed")),
        public_key_types=_key_types(sections.get(OPTIONS, "public_key_types")),
        kmsauth=_kmsauth(sections),
        region=region,
    )


def _kmsauth(sections: _Sections) -> KmsAuth | None:
    by_groups = "kmsauth_validate_remote_usernames_against_iam_groups"
    if not sections.flag(KMS_AUTH, "use_kmsauth"):
        return None
    allowed = sections.get(KMS_AUTH, "kmsauth_remote_usernames_allowed")
    return KmsAuth(
        key_ids=_listed(sections.get(KMS_AUTH, "kmsauth_key_id")),
        service_id=sections.get(KMS_AUTH, "kmsauth_serviceid"),
        allowed=tuple(allowed.split(",")) if allowed else (),
        by_groups=sections.flag(KMS_AUTH, by_groups),
        group_format=sections.get(KMS_AUTH, "kmsauth_iam_group_name_format"),
    )


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise ValueError(f"remote_usernames_blacklist is no pattern: {error}") from None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))


def _key_types(text: str) -> frozenset[str]:
    found = frozenset(_listed(text))
    unknown = sorted(found - KINDS.keys())
    if unknown:
        known = ", ".join(KINDS)
        raise ValueError(f"public_key_types: {unknown[0]!r} is not known; known: {known}.")
    return found


def _private_key(sections: _Sections, folder: Path) -> bytes:
    compression = sections.get(CA, "ca_private_key_compression") or "none"
    if compression not in COMPRESSIONS:
        raise ValueError(f"Compression {compression} is not supported.")
    given = sections.get(CA, "ca_private_key")
    if given:
        try:
            packed = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("ca_private_key is not base64.") from None
    else:
        file = sections.get(CA, "ca_private_key_file")
        if not file:
            raise ValueError("Name the CA's key: ca_private_key_file or ca_private_key.")
        with (folder / file).open("rb") as opened:
            packed = opened.read(PEM_BYTES_MAX + 1)
    if len(packed) > PEM_BYTES_MAX:
        raise ValueError(f"The CA's private key has more than {PEM_BYTES_MAX} bytes.")
    return unpacked(packed, compression)


def unpacked(packed: bytes, compression: str) -> bytes:
    """Undo the compression, to a limit. Raises ValueError."""
    if compression == "none":
        return packed
    try:
        if compression == "zlib":
            whole = zlib.decompressobj().decompress(packed, PEM_BYTES_MAX + 1)
        else:
            whole = bz2.BZ2Decompressor().decompress(packed, PEM_BYTES_MAX + 1)
    except (zlib.error, OSError):
        raise ValueError(f"The CA's private key is not compressed by {compression}.") from None
    if len(whole) > PEM_BYTES_MAX:
        raise ValueError(f"The CA's private key unpacks to more than {PEM_BYTES_MAX} bytes.")
    return whole
