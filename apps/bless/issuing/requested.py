"""A request for a certificate, as it is signed by the key that it is about: its shape. Pure.

Everything is checked here that needs neither a policy nor a clock; what is not known is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from contract.addresses import AddressRefused, addresses
from issuing.refusal import INVALID, Refused
from sshca.certificate import PRINCIPALS_MAX
from sshca.public_key import KeyLineError, PublicKey, parse

TYPES = ("user", "host")
PRINCIPAL_CHARACTERS_MAX = 256
EXTENSIONS_MAX = 32
FORCE_COMMAND_CHARACTERS_MAX = 2048
REASON_CHARACTERS_MAX = 256
VALID_SECONDS_MAX = 10 * 366 * 86_400
_NONCE = re.compile(r"[0-9a-f]{32}")
_PRINCIPAL = re.compile(r"(?!-)[!-+\--~]{1,256}")
"""Printable ASCII without space and comma: sshd splits lists of principals at both."""
_PATTERN = re.compile(r"[*?!]")
_EXTENSION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9@._-]{0,63}")
_NEEDED = frozenset({"type", "public_key", "principals", "nonce", "at"})
_OPTIONAL = frozenset(
    {"source_addresses", "force_command", "extensions", "valid_seconds", "reason"}
)


# One for each certificate: a frozen dataclass takes four times as long to make.
class Request(NamedTuple):
    """What is asked for. None stands for what the rule gives; ``at`` is seconds since the epoch."""

    type: str
    key: PublicKey
    principals: tuple[str, ...]
    source_addresses: tuple[str, ...] | None
    force_command: str | None
    extensions: tuple[str, ...] | None
    valid_seconds: int | None
    reason: str
    nonce: str
    at: int


def read(told: object) -> Request:
    """Read a request. Raises Refused, which names the member that is wrong."""
    if not isinstance(told, dict):
        raise _wrong("request", "must be an object")
    unknown = sorted(str(name) for name in told.keys() - _NEEDED - _OPTIONAL)
    if unknown:
        raise _wrong(unknown[0][:64], "is not known")
    missing = sorted(_NEEDED - told.keys())
    if missing:
        raise _wrong(missing[0], "is missing")
    if told["type"] not in TYPES:
        raise _wrong("type", "must be user or host")
    if not isinstance(told["nonce"], str) or not _NONCE.fullmatch(told["nonce"]):
        raise _wrong("nonce", "must be 32 hexadecimal digits in lower case")
    return Request(
        type=told["type"],
        key=key(told["public_key"], "public_key"),
        principals=_principals(told["principals"], told["type"]),
        source_addresses=_addresses(told.get("source_addresses")),
        force_command=_text(told, "force_command", FORCE_COMMAND_CHARACTERS_MAX),
        extensions=_extensions(told.get("extensions")),
        valid_seconds=_number(told, "valid_seconds", 1, VALID_SECONDS_MAX),
        reason=_text(told, "reason", REASON_CHARACTERS_MAX) or "",
        nonce=told["nonce"],
        at=_number(told, "at", 0, 2**53) or 0,
    )


def key(told: object, member: str) -> PublicKey:
    """A public key's line. Raises Refused."""
    if not isinstance(told, str):
        raise _wrong(member, "must be a line as ssh-keygen writes it")
    try:
        return parse(told)
    except KeyLineError as error:
        raise _wrong(member, f"cannot be used: {error}") from None


def nonce_and_time(told: Mapping[str, Any]) -> tuple[str, int]:
    """Of a shorter message that is signed, as that by which an approved request is collected."""
    if not isinstance(told.get("nonce"), str) or not _NONCE.fullmatch(told["nonce"]):
        raise _wrong("nonce", "must be 32 hexadecimal digits in lower case")
    return told["nonce"], _number(told, "at", 0, 2**53) or 0


def _principals(told: object, type_: str) -> tuple[str, ...]:
    found = _texts(told, "principals", PRINCIPALS_MAX)
    if not found:
        raise _wrong("principals", "must name somebody: OpenSSH takes no certificate without")
    for each in found:
        if not _PRINCIPAL.fullmatch(each) or (type_ == "host" and _PATTERN.search(each)):
            raise _wrong(
                "principals",
                f"must be 1 to {PRINCIPAL_CHARACTERS_MAX} printable ASCII characters without space"
                " and comma, not begin with -, and of hosts have no * ? !",
            )
    if len(set(found)) != len(found):
        raise _wrong("principals", "must differ from each other")
    return found


def _addresses(told: object) -> tuple[str, ...] | None:
    if told is None:
        return None
    found = _texts(told, "source_addresses", 256)
    try:
        if not found or any("," in each for each in found):
            raise AddressRefused("at least one network, each by itself")
        addresses(",".join(found))
    except AddressRefused:
        raise _wrong(
            "source_addresses",
            "must be addresses or networks, each by itself, such as 192.0.2.0/24, with no bit set"
            " behind the prefix",
        ) from None
    return found


def _extensions(told: object) -> tuple[str, ...] | None:
    if told is None:
        return None
    found = _texts(told, "extensions", EXTENSIONS_MAX)
    if len(set(found)) != len(found) or not all(map(_EXTENSION.fullmatch, found)):
        raise _wrong("extensions", "must be names of extensions, each once")
    return found


def _texts(told: object, member: str, most: int) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise _wrong(member, "must be a list of texts")
    if len(told) > most:
        raise _wrong(member, f"must be at most {most}")
    return tuple(told)


def _text(told: Mapping[str, Any], member: str, most: int) -> str | None:
    text = told.get(member)
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > most or not text.isprintable():
        raise _wrong(member, f"must be at most {most} printable characters")
    return text


def _number(told: Mapping[str, Any], member: str, least: int, most: int) -> int | None:
    number = told.get(member)
    if number is None:
        return None
    if type(number) is not int or not least <= number <= most:
        raise _wrong(member, f"must be a whole number from {least} to {most}")
    return number


def _wrong(member: str, what: str) -> Refused:
    return Refused(INVALID, f"{member} {what}.")
