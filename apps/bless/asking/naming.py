"""Which of the asked principals a rule allows: all of them, or it does not hold. Pure.

A user's principals are compared as they are, after templates were filled in; a host's are names
that patterns may cover, since a host is certified by its name and never by a pattern.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from asking import patterns, templates
from asking.asked import USER, Asked
from asking.patterns import Pattern
from asking.rules import Allowed, Policy
from asking.templates import TemplateError
from asking.unmet import Unmet, listed, shown
from contract import names

PRINCIPALS_MAX = 256
"""OpenSSH reads no certificate with more."""
PATTERNS_KEPT = 1024


def principals(policy: Policy, allow: Allowed, asked: Asked) -> tuple[str, ...]:
    """Those that are asked, as they are to be certified. Raises Unmet."""
    wanted = asked.principals
    if not wanted:
        raise Unmet("no principal is asked for")
    if len(wanted) > PRINCIPALS_MAX:
        raise Unmet(f"more than {PRINCIPALS_MAX} principals are asked for")
    if len(set(wanted)) != len(wanted):
        raise Unmet("a principal is asked for twice")
    try:
        given = tuple(_filled(policy, template, asked) for template in allow.principals)
    except TemplateError as error:
        raise Unmet(str(error)) from None
    if asked.type == USER:
        for name in wanted:
            if name not in given:
                raise Unmet(f"{shown(name)} is none of its principals: {listed(given)}")
    else:
        for name in wanted:
            _host(name, given)
    return wanted


def _filled(policy: Policy, template: str, asked: Asked) -> str:
    if "{" not in template:
        return template  # checked when the policy was read
    name = templates.filled(template, asked)
    if asked.type == USER:
        templates.principal(name)
        if name.casefold() in policy.reserved:
            raise TemplateError(f"{template} gives {name}, which no template may (reserved)")
    return name


def _host(name: str, given: tuple[str, ...]) -> None:
    if "," in name or name != name.lower():
        raise Unmet(f"{shown(name)} is no host's name in lower case")
    try:
        names.hosts(name, "url", ("*",))
    except names.NameRefused:
        raise Unmet(f"{shown(name)} is no host's name") from None
    if not any(_pattern(each).matches(name) or _within(name, each) for each in given):
        raise Unmet(f"{name} is none of its principals: {listed(given)}")


@lru_cache(PATTERNS_KEPT)
def _pattern(text: str) -> Pattern:
    return patterns.over_hosts(text)


def _within(name: str, network: str) -> bool:
    if "/" not in network:  # which comes of no template
        return False
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(network)
    except ValueError:
        return False
