"""The policy file, from TOML to values: every key checked, every mistake named by rule and key.

A policy that cannot be understood to its end is refused whole: no rule of it counts.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from asking import patterns, urls
from asking.allowing import allowed
from asking.asked import HOST, USER
from asking.patterns import Pattern
from asking.rules import Approval, Issuer, Kmsauth, Policy, Rule, Wanted
from asking.tables import PolicyError, Table

__all__ = ["Policy", "PolicyError", "read"]

POLICY_BYTES_MAX = 262_144
APPROVAL_SECONDS, APPROVAL_SECONDS_MAX = 900, 7 * 86_400
APPROVALS_MAX = 16
RESERVED = ("root",)
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\Z")


def read(text: str) -> Policy:
    """Read a policy. Raises PolicyError."""
    if len(text.encode(errors="replace")) > POLICY_BYTES_MAX:
        raise PolicyError(f"A policy has at most {POLICY_BYTES_MAX} bytes.")
    try:
        top = Table("policy", tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise PolicyError(f"The policy is no TOML: {error}") from None
    oidc = top.table("oidc")
    issuers = {name: _issuer(name, values) for name, values in oidc.rest().items()}
    kmsauth = _kmsauth(top.table("kmsauth")) if top.has("kmsauth") else None
    policy = Policy(
        administrators=_arns(top, "administrators"),
        auditors=_arns(top, "auditors"),
        reserved=tuple(each.casefold() for each in top.texts("reserved", RESERVED)),
        issuers=issuers,
        kmsauth=kmsauth,
        rules=_rules(top.tables("rules"), issuers, kmsauth),
    )
    top.done()
    return policy


def _arns(table: Table, key: str) -> tuple[Pattern, ...]:
    return table.made(key, table.texts(key, ()), patterns.over_arns)


def _issuer(name: str, values: Any) -> Issuer:
    table = Table(f"[oidc.{name[:64]}]", values)
    audience = (table.text("audience"),) if table.is_text("audience") else table.texts("audience")
    found = Issuer(
        name=name, issuer=_address(table, "issuer"), audience=audience,
        keys=_address(table, "keys") if table.has("keys") else "",
        bound_to_key=table.yes("bound_to_key", default=True),
        algorithms=table.texts("algorithms", ALGORITHMS),
        leeway_seconds=table.number("leeway_seconds", 30, least=0, most=300),
        age_seconds_max=table.number("age_seconds_max", 3600, least=1, most=86_400),
    )  # fmt: skip
    if not _NAME.match(name):
        raise table.wrong("name", "letters, digits, space and ._- only, at most 64")
    unknown = set(found.algorithms) - set(ALGORITHMS)
    if unknown or not found.algorithms:
        raise table.wrong("algorithms", f"some of {', '.join(ALGORITHMS)}")
    table.done()
    return found


def _address(table: Table, key: str) -> str:
    text = table.text(key)
    table.made(key, (text,), urls.read)
    return text


def _kmsauth(table: Table) -> Kmsauth:
    found = Kmsauth(key_ids=table.texts("key_ids"), service=table.text("service"))
    table.done()
    return found


def _rules(
    listed: list[Any], issuers: dict[str, Issuer], kmsauth: Kmsauth | None
) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for number, values in enumerate(listed, 1):
        rule = _rule(number, values, issuers, kmsauth)
        if rule.name in found:
            raise PolicyError(f"rule {number}: name: {rule.name!r} is there twice.")
        found[rule.name] = rule
    return tuple(found.values())


def _rule(number: int, values: Any, issuers: dict[str, Issuer], kmsauth: Kmsauth | None) -> Rule:
    table = Table(f"rule {number}", values)
    name = table.text("name")
    if not _NAME.match(name):
        raise table.wrong("name", "letters, digits, space and ._- only, at most 64")
    table.place = f"rule {name!r}"
    type_ = table.text("type")
    if type_ not in {USER, HOST}:
        raise table.wrong("type", '"user" or "host"')
    who = _wanted(table.table("who", needed=True), issuers, kmsauth)
    allow = allowed(table.table("allow", needed=True), type_, who)
    approval = _approval(table.table("approval")) if table.has("approval") else None
    table.done()
    return Rule(name=name, type=type_, who=who, allow=allow, approval=approval)


def _wanted(table: Table, issuers: dict[str, Issuer], kmsauth: Kmsauth | None) -> Wanted:
    found = Wanted(
        callers=_arns(table, "callers"),
        functions=_arns(table, "functions"),
        oidc=table.text("oidc", ""),
        email_domains=table.texts("email_domains", ()),
        claims=_claims(table.table("claims")),
        kmsauth=table.yes("kmsauth", default=False),
    )
    if not (found.callers or found.functions or found.oidc or found.kmsauth):
        raise PolicyError(f"{table.place}: says nobody; write callers, functions, oidc or kmsauth.")
    if found.oidc and found.oidc not in issuers:
        raise table.wrong("oidc", f"there is no [oidc.{found.oidc}]")
    if (found.claims or found.email_domains) and not found.oidc:
        raise table.wrong("claims", "only a token has claims: write oidc too")
    if found.kmsauth and kmsauth is None:
        raise table.wrong("kmsauth", "there is no [kmsauth]")
    if not all(_DOMAIN.match(each) for each in found.email_domains):
        raise table.wrong("email_domains", "domains in lower case, without @")
    table.done()
    return found


def _claims(table: Table) -> dict[str, tuple[Any, ...]]:
    found = {}
    for name, value in table.rest().items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, str | int | bool) for each in values):
            raise table.wrong(name, "a text, number or boolean, or a list of them")
        found[name] = tuple(values)
    return found


def _approval(table: Table) -> Approval:
    found = Approval(
        needs=table.number("needs", least=1, most=APPROVALS_MAX),
        approvers=table.made("approvers", table.texts("approvers"), patterns.over_arns),
        seconds=table.number(
            "seconds", APPROVAL_SECONDS, least=1, most=APPROVAL_SECONDS_MAX
        ),
    )  # fmt: skip
    table.done()
    return found
