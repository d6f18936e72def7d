"""Whether whoever asks is whom a rule is for: everything that its ``who`` says must hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asking.asked import Asked
from asking.rules import Wanted, matching
from asking.unmet import listed, shown
from asking.who import Who


def unmet(wanted: Wanted, asked: Asked) -> Iterator[str]:
    """Each thing that does not hold, in words."""
    who = asked.who
    if wanted.callers and not matching(wanted.callers, who):
        yield f"the caller {who.arn or 'nobody'} is none of {_texts(wanted.callers)}"
    if wanted.functions and not any(each.matches(who.function) for each in wanted.functions):
        yield f"the call is by none of the functions {_texts(wanted.functions)}"
    if wanted.kmsauth and asked.kmsauth is None:
        yield "it needs a kmsauth token"
    if not wanted.oidc:
        return
    oidc = asked.oidc
    if oidc is None or oidc.issuer != wanted.oidc:
        yield f"it needs an OIDC token of {wanted.oidc}"
        return
    domain = oidc.email.rpartition("@")[2].lower()
    if wanted.email_domains and domain not in wanted.email_domains:
        yield (
            f"it needs a verified e-mail address at {listed(wanted.email_domains)}, and the "
            + (f"token's is at {shown(domain)}" if oidc.email else "token has none")
        )
    for name, values in wanted.claims.items():
        if not _holds(oidc, name, values):
            yield f"the claim {name} is none of {listed(tuple(str(each) for each in values))}"


def _holds(who: Who, name: str, values: tuple[Any, ...]) -> bool:
    """Whether the claim is one of the values, or is a list with one of them."""
    claim = who.claims.get(name)
    said = claim if isinstance(claim, list | tuple) else (claim,)
    return any(type(one) is type(value) and one == value for one in said for value in values)


def _texts(patterns: tuple[Any, ...]) -> str:
    return listed(tuple(each.text for each in patterns))
