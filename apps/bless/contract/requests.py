"""Requests as BLESS's schemas have them: fields, messages, and nothing unknown. Pure.

Every mistake is found, not only the first, and said under its field's name; the text of all is that
of a Python dictionary, as BLESS answers it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contract import names
from contract.addresses import AddressRefused, addresses
from contract.names import NameRefused
from contract.options import Options
from sshca.public_key import KeyLineError, PublicKey, parse

MISSING = "Missing data for required field."
NULL = "Field may not be null."
NO_STRING = "Not a valid string."
UNKNOWN = "Unknown field"
NO_OBJECT = "Invalid input type."
INVALID_KEY = "Invalid SSH Public Key."

COMMAND_BYTES_MAX = 8192
TOKEN_CHARACTERS_MAX = 16_384
UNKNOWN_NAMED_MAX = 16
UNKNOWN_CHARACTERS_MAX = 64
"""A request may bring a million unknown fields; an answer names a few."""

_FORGED = re.compile(r"\]\s*(?:request|for|from|command|ssh_key|ca|valid_to)\[")
"""What would end a part of the key id and begin another one."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class InputRefused(ValueError):
    """The request cannot be served: the messages of each field, or one of the whole."""

    def __init__(self, errors: Mapping[str, list[str]] | str) -> None:
        super().__init__(errors if isinstance(errors, str) else str(dict(errors)))


class FieldRefused(ValueError):
    """One field's value cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRequest:
    """Who asks (``bastion_user`` at ``bastion_user_ip``), for which users, from where."""

    bastion_ips: str
    bastion_user: str
    bastion_user_ip: str
    command: str
    public_key_to_sign: PublicKey
    remote_usernames: tuple[str, ...]
    kmsauth_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRequest:
    """The host names that a key is to be certified for."""

    hostnames: tuple[str, ...]
    public_key_to_sign: PublicKey


Check = Callable[[str], Any]


def user(event: object, options: Options) -> UserRequest:
    """Read a user's request. Raises InputRefused."""
    checks: dict[str, Check] = {
        "bastion_ips": addresses,
        "bastion_user": lambda text: _name(text, options.username_validation),
        "bastion_user_ip": addresses,
        "command": command,
        "public_key_to_sign": lambda text: _key(text, options),
        "remote_usernames": lambda text: names.users(
            text, options.remote_usernames_validation, options.remote_usernames_blacklist
        ),
        "kmsauth_token": _token,
    }
    return UserRequest(**_read(event, checks, optional={"kmsauth_token"}))


def host(event: object, options: Options) -> HostRequest:
    """Read a host's request. Raises InputRefused."""
    checks: dict[str, Check] = {
        "hostnames": lambda text: names.hosts(
            text, options.hostname_validation, options.hostnames_allowed
        ),
        "public_key_to_sign": lambda text: _key(text, options),
    }
    return HostRequest(**_read(event, checks))


def command(text: str) -> str:
    """What was typed: told in the key id, so it may neither break nor forge one.

    Raises:
        FieldRefused: it is too long, has characters that are not seen, or forges.
    """
    if len(text.encode(errors="replace")) > COMMAND_BYTES_MAX:
        raise FieldRefused(f"A command has at most {COMMAND_BYTES_MAX} bytes.")
    if any(unicodedata.category(each) in _UNSEEN for each in text):
        raise FieldRefused("A command has no control characters.")
    if _FORGED.search(text):
        raise FieldRefused("This would forge a part of the certificate's key id.")
    return text


def _name(text: str, mode: str) -> str:
    name = names.user(text, mode)
    if _FORGED.search(name):
        raise FieldRefused("This would forge a part of the certificate's key id.")
    return name


def _key(text: str, options: Options) -> PublicKey:
    try:
        key = parse(text)
    except KeyLineError:
        raise FieldRefused(INVALID_KEY) from None
    if key.kind.name not in options.public_key_types:
        raise FieldRefused(INVALID_KEY)
    return key


def _token(text: str) -> str:
    if len(text) > TOKEN_CHARACTERS_MAX:
        raise FieldRefused(f"A token has at most {TOKEN_CHARACTERS_MAX} characters.")
    return text


def _read(
    event: object, checks: Mapping[str, Check], *, optional: set[str] | None = None
) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise InputRefused({"_schema": [NO_OBJECT]})
    errors: dict[str, list[str]] = {}
    found: dict[str, Any] = {}
    for field, check in checks.items():
        try:
            if field in event:
                found[field] = check(_text(event[field]))
            elif field not in (optional or ()):
                raise FieldRefused(MISSING)
        except (FieldRefused, NameRefused, AddressRefused) as error:
            errors[field] = [str(error)]
    unknown = [str(name)[:UNKNOWN_CHARACTERS_MAX] for name in event if name not in checks]
    errors |= {name: [UNKNOWN] for name in unknown[:UNKNOWN_NAMED_MAX]}
    if errors:
        raise InputRefused(errors)
    return found


def _text(value: object) -> str:
    if value is None:
        raise FieldRefused(NULL)
    if not isinstance(value, str):
        raise FieldRefused(NO_STRING)
    return value
