"""Principals of a rule: literals, and templates that are filled in with what was proved. Pure.

What comes of a template is checked after it was filled in, part and whole: nothing that a proof
says may become two names, a pattern, a control character or a reserved name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import zip_longest

from asking.asked import USER, Asked
from asking.unmet import shown
from asking.who import Who

PRINCIPAL_CHARACTERS_MAX = 256
TEMPLATES_KEPT = 1024
_FIELD = re.compile(r"\{([^{}]*)\}")
_CLAIM = re.compile(r"claim\.[A-Za-z0-9_.:/-]{1,128}\Z")
_PRINCIPAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=:/%$-]*\Z")
_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=:/-]*\Z")
_HOST_PIECE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?\Z")


class TemplateError(ValueError):
    """No template of this form, or nothing to fill it in with; the text says which and why."""


def principal(text: str) -> str:
    """A user's principal, unchanged. Raises TemplateError."""
    if not _PRINCIPAL.match(text) or len(text) > PRINCIPAL_CHARACTERS_MAX:
        raise TemplateError(
            f"{shown(text)} is no principal: letters, digits and _.@+=:/%$- only, at most "
            f"{PRINCIPAL_CHARACTERS_MAX}, and a letter, digit or _ first"
        )
    return text


def fields(template: str) -> tuple[str, ...]:
    """The names in braces. Raises TemplateError for one that is not known, or a lone brace."""
    found = tuple(_FIELD.findall(template))
    if set("{}") & set(_FIELD.sub("", template)):
        raise TemplateError(f"{shown(template)} has a brace that is not closed")
    for name in found:
        if name not in _FIELDS and not _CLAIM.match(name):
            known = ", ".join(f"{{{each}}}" for each in (*_FIELDS, "claim.NAME"))
            raise TemplateError(f"{shown(name)} is no field; known are {known}")
    return found


def filled(template: str, asked: Asked) -> str:
    """The template with its fields filled in; each is checked, the whole is not.

    Raises:
        TemplateError: there is nothing to fill a field in with, or nothing safe.
    """
    literals, names = _pieces(template)
    values = [_value(name, asked) for name in names]
    return "".join(map("".join, zip_longest(literals, values, fillvalue="")))


@lru_cache(TEMPLATES_KEPT)
def _pieces(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands around the fields, and their names."""
    pieces = _FIELD.split(template)
    return tuple(pieces[::2]), tuple(pieces[1::2])


def _value(name: str, asked: Asked) -> str:
    value = _claim(name, asked) if name.startswith("claim.") else _FIELDS[name](asked)
    form = _PIECE if asked.type == USER else _HOST_PIECE
    if not form.match(value) or len(value) > PRINCIPAL_CHARACTERS_MAX:
        raise TemplateError(f"{{{name}}} is {shown(value)}, which may stand in no principal")
    return value


def _claim(name: str, asked: Asked) -> str:
    value = _proved(asked.oidc, "an OIDC token").claims.get(name.removeprefix("claim."))
    if not isinstance(value, str) or not value:
        raise TemplateError(f"{{{name}}}: the token has no such claim, or it is no text")
    return value


def _proved(who: Who | None, what: str) -> Who:
    if who is None:
        raise TemplateError(f"{what} is needed")
    return who


def _there(value: str, why: str) -> str:
    if not value:
        raise TemplateError(why)
    return value


def _email(asked: Asked) -> str:
    who = _proved(asked.oidc, "an OIDC token")
    return _there(who.email, "the token has no e-mail address that its issuer verified")


def _email_name(asked: Asked) -> str:
    local = _email(asked).rpartition("@")[0]
    if not _LOCAL.match(local):
        raise TemplateError(f"the name of the e-mail address, {shown(local)}, is no user's")
    return local


_FIELDS: Mapping[str, Callable[[Asked], str]] = {
    "caller.name": lambda asked: _there(
        asked.who.name, "{caller.name}: the caller is a role, and whoever takes it names itself"
    ),
    "caller.role": lambda asked: _there(asked.who.role, "{caller.role}: the caller has no role"),
    "caller.account": lambda asked: _there(asked.who.account, "{caller.account}: not known"),
    "oidc.sub": lambda asked: _proved(asked.oidc, "an OIDC token").name,
    "oidc.email": _email,
    "oidc.email_name": _email_name,
    "kmsauth.user": lambda asked: _proved(asked.kmsauth, "a kmsauth token").name,
}
