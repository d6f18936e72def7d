"""Which names may stand in a certificate: users by BLESS's modes, hosts, and what none may be.

BLESS's own rule is asked first, so that its messages stay; what it lets through although OpenSSH
reads it in another way is refused after that. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

MODES = ("useradd", "debian", "email", "principal", "disabled")
HOST_MODES = ("url", "disabled")
SYSTEM_NAME_MAX = 32
NAME_CHARACTERS_MAX = 256
"""BLESS has no limit for three of its modes; no user or host of OpenSSH's is longer."""
NAMES_MAX = 256
"""OpenSSH reads no certificate with more principals."""

_USERADD = re.compile(r"[a-z_][a-z0-9_-]*[$]?\Z")
_DEBIAN = re.compile(r"\A[^-+~][^:,\s]*\Z")
_PRINCIPAL = re.compile(r"[\w!\"$%&'()*+\-./:;<=>?@\[\\\]^`{|}~]+\Z")
_ATOM = r"[-!#$%&'*+/=?^_`{}|~0-9A-Za-z]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:localhost|(?:{_LABEL}\.)+[A-Za-z]{{2,63}})\Z")
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_HOST_CHARACTERS_MAX = 253
_WILD = frozenset("*?!")
"""sshd's clients read a host certificate's principals as patterns."""

CHARACTERS = "Username contains invalid characters."


class NameRefused(ValueError):
    """The name may not be used; the text says why."""


def user(name: str, mode: str, blacklist: re.Pattern[str] | None = None) -> str:
    """Check one user's name by BLESS's rules, and then by ours. Raises NameRefused."""
    if blacklist is not None and blacklist.match(name):
        raise NameRefused(CHARACTERS)
    if mode == "email":
        if not _EMAIL.match(name):
            raise NameRefused("Invalid email address.")
    elif mode == "principal":
        if not _PRINCIPAL.match(name):
            raise NameRefused("Principal contains invalid characters.")
    elif mode in {"useradd", "debian"}:
        if len(name) > SYSTEM_NAME_MAX:
            raise NameRefused("Username is too long.")
        if not (_USERADD if mode == "useradd" else _DEBIAN).match(name):
            raise NameRefused(CHARACTERS)
    elif mode != "disabled":
        raise NameRefused("Invalid username validator.")
    _plain(name)
    return name


def users(text: str, mode: str, blacklist: re.Pattern[str] | None) -> tuple[str, ...]:
    """The names of a comma-separated list, in order. Raises NameRefused."""
    return _several(text, lambda name: user(name, mode, blacklist))


def hosts(text: str, mode: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The host names and addresses of a comma-separated list.

    ``allowed`` are names, ``*.DOMAIN`` for all below it, networks, or ``*`` for any.

    Raises:
        NameRefused: one is no host's name, or not allowed.
    """
    found = _several(text, lambda name: _host(name, mode))
    for name in found:
        if not any(_covers(each, name) for each in allowed):
            raise NameRefused(f'"{name}" is not allowed: hostnames_allowed does not cover it.')
    return found


def _covers(allowed: str, name: str) -> bool:
    if allowed == "*":
        return True
    if allowed.startswith("*."):
        return name.lower().endswith(allowed[1:].lower())
    if allowed.lower() == name.lower():
        return True
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(allowed)
    except ValueError:
        return False


def _several(text: str, check: Callable[[str], str]) -> tuple[str, ...]:
    names = text.split(",", NAMES_MAX)
    if len(names) > NAMES_MAX:
        raise NameRefused(f"At most {NAMES_MAX} principals.")
    found: dict[str, None] = {}
    for name in names:
        if check(name) in found:
            raise NameRefused("A principal is there twice.")
        found[name] = None
    return tuple(found)


def _plain(name: str) -> None:
    if not name:
        raise NameRefused("A principal must not be empty.")
    if len(name) > NAME_CHARACTERS_MAX:
        raise NameRefused(f"A principal has at most {NAME_CHARACTERS_MAX} characters.")
    if not (name.isascii() and name.isprintable()) or " " in name:
        raise NameRefused("A principal is printable ASCII, without spaces.")
    if name.startswith("-"):
        raise NameRefused("A principal must not begin with a dash.")


def _host(name: str, mode: str) -> str:
    if mode == "url" and not _is_host(name):
        raise NameRefused(f'Invalid hostname "ssh://{name[:NAME_CHARACTERS_MAX]}".')
    _plain(name)
    if _WILD & set(name):
        raise NameRefused("A host is certified by its name, not by a pattern.")
    return name


def _is_host(name: str) -> bool:
    if len(name) <= _HOST_CHARACTERS_MAX and _HOST.match(name):
        last = name.rpartition(".")[2]
        return not last.isdigit() or _is_address(name)  # 300.1.1.1 is neither name nor address
    return _is_address(name)


def _is_address(name: str) -> bool:
    try:
        return str(ipaddress.ip_address(name)) == name
    except ValueError:
        return False
