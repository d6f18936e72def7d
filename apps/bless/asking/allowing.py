"""A rule's ``allow`` table, read: what may be had at most, and that no template outruns its proof.

The keys of a host's rule are fewer: OpenSSH knows no option of host certificates.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from asking import patterns, templates
from asking.asked import USER
from asking.patterns import Pattern
from asking.rules import ANY, CALLERS_OWN, Allowed, Network, Wanted
from asking.tables import Table
from asking.unmet import shown
from contract.addresses import addresses
from sshca.kinds import KINDS
from sshca.weakness import RSA_BITS_MAX, RSA_BITS_MIN

USER_VALID_SECONDS_MAX = 30 * 86_400
HOST_VALID_SECONDS_MAX = 366 * 86_400
BACKDATE_SECONDS, BACKDATE_SECONDS_MAX = 60, 3600
EXTENSIONS = (
    "permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
    "permit-user-rc",
)  # fmt: skip
_HOST = re.compile(r"[a-z0-9.*:-]+\Z")


def allowed(table: Table, type_: str, who: Wanted) -> Allowed:
    """Read the table. Raises PolicyError."""
    user = type_ == USER
    most = USER_VALID_SECONDS_MAX if user else HOST_VALID_SECONDS_MAX
    fixed, commands = _commands(table) if user else ("", ())
    found = Allowed(
        principals=_principals(table, type_, who),
        source_addresses=_sources(table) if user else ANY,
        force_command=fixed,
        commands=commands,
        extensions=tuple(sorted(table.texts("extensions", ()))) if user else (),
        valid_seconds=table.number("valid_seconds", least=1, most=most),
        backdate_seconds=table.number(
            "backdate_seconds", BACKDATE_SECONDS, least=0, most=BACKDATE_SECONDS_MAX
        ),
        keys=table.texts("keys", tuple(KINDS)),
        rsa_bits=table.number("rsa_bits", RSA_BITS_MIN, least=RSA_BITS_MIN, most=RSA_BITS_MAX),
        hardware=table.yes("hardware", default=False),
        touch=table.yes("touch", default=True),
        verify=table.yes("verify", default=False),
    )
    if not set(found.keys) <= set(KINDS) or not found.keys:
        raise table.wrong("keys", f"some of {', '.join(KINDS)}")
    if not set(found.extensions) <= set(EXTENSIONS):
        raise table.wrong("extensions", f"some of {', '.join(EXTENSIONS)}; touch and verify are "
                          "keys of their own")  # fmt: skip
    if found.verify and not found.hardware:
        raise table.wrong("verify", "say hardware = true too: other keys verify nobody")
    table.done()
    return found


def _principals(table: Table, type_: str, who: Wanted) -> tuple[str, ...]:
    found = table.texts("principals")
    for template, names in zip(
        found, table.made("principals", found, templates.fields), strict=True
    ):
        plain = re.sub(r"\{[^{}]*\}", "x", template)
        make = templates.principal if type_ == USER else _host
        table.made("principals", (plain,), make)
        _fillable(table, names, who)
    return found


def _host(text: str) -> str:
    if "/" in text:
        return str(ip_network(text))
    if not _HOST.match(text):
        raise ValueError(f"{shown(text)} is no host: a name in lower case, * for a part of it")
    return patterns.over_hosts(text).text


def _fillable(table: Table, names: tuple[str, ...], who: Wanted) -> None:
    """Raises PolicyError when the rule asks for no proof of what a template says."""
    for name in names:
        kind = name.partition(".")[0]
        if kind in {"oidc", "claim"} and not who.oidc:
            raise table.wrong("principals", f"{{{name}}} needs oidc in who")
        if kind == "kmsauth" and not who.kmsauth:
            raise table.wrong("principals", f"{{{name}}} needs kmsauth = true in who")
        if kind == "caller" and not who.callers:
            raise table.wrong("principals", f"{{{name}}} needs callers in who")
        if name == "oidc.email_name" and not (who.email_domains or "hd" in who.claims):
            raise table.wrong("principals", "{oidc.email_name} needs email_domains in who: the "
                              "same name stands before every domain")  # fmt: skip


def _sources(table: Table) -> str | tuple[Network, ...]:
    if table.is_text("source_addresses"):
        text = table.text("source_addresses")
        if text not in {ANY, CALLERS_OWN}:
            raise table.wrong("source_addresses", '"caller", "any", or a list of networks')
        return text
    listed = table.texts("source_addresses")
    table.made("source_addresses", (",".join(listed),), addresses)
    return tuple(ip_network(each) for each in listed)


def _commands(table: Table) -> tuple[str, tuple[Pattern, ...]]:
    """The fixed command, and the patterns of those that may be asked for."""
    fixed = table.text("force_command", "")
    if not (fixed.isascii() and fixed.isprintable()):
        raise table.wrong("force_command", "printable ASCII only")
    listed = table.texts("force_commands", (), empty=True)
    if fixed and listed:
        raise table.wrong("force_commands", "force_command stands here too: write one of them")
    return fixed, table.made("force_commands", listed, patterns.over_commands)
