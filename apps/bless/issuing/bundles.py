"""What hosts and clients put into their files, so that they know the CA: text from values. Pure.

Every key that is not retired stands there, so that no step of a rotation leaves a gap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from issuing.generations import RETIRED

DOMAINS_CHARACTERS_MAX = 1024
_DOMAIN = re.compile(r"!?(?:\*|[A-Za-z0-9*?][A-Za-z0-9*?._-]*|\[[A-Za-z0-9*?.:_-]+\](?::[0-9]+)?)")

SSHD_CONFIG = """\
# Fetch first, and again every few minutes (sshd lets nobody in while a file is missing):
#   ADDRESS/ssh/ca/user > /etc/ssh/ca_user.pub      ADDRESS/ssh/krl > /etc/ssh/ca_krl
# Write each beside its place and rename it over: `dynimo ssh krl fetch` does so.
TrustedUserCAKeys /etc/ssh/ca_user.pub
RevokedKeys /etc/ssh/ca_krl
# With a host certificate beside the host's key:
#HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub
"""
SSH_CONFIG = """\
# ADDRESS/ssh/ca/known_hosts?domains=*.example.org > ~/.ssh/known_hosts_ca
Host *
    UserKnownHostsFile ~/.ssh/known_hosts ~/.ssh/known_hosts_ca
    StrictHostKeyChecking yes
"""


def keys(authorities: Sequence[Mapping[str, Any]], kind: str) -> str:
    """Lines for sshd's ``TrustedUserCAKeys``, or the same of host CAs."""
    return "".join(f"{line}\n" for line in _lines(authorities, kind))


def known_hosts(authorities: Sequence[Mapping[str, Any]], domains: str) -> str:
    """``@cert-authority`` lines for hosts that match ``domains``, a list with commas.

    Raises:
        ValueError: the list cannot stand in a known_hosts file.
    """
    if len(domains) > DOMAINS_CHARACTERS_MAX:
        raise ValueError(f"domains have at most {DOMAINS_CHARACTERS_MAX} characters")
    for each in domains.split(","):
        if not _DOMAIN.fullmatch(each):
            raise ValueError("domains are names or patterns as *.example.org, with commas")
    return "".join(f"@cert-authority {domains} {line}\n" for line in _lines(authorities, "host"))


def _lines(authorities: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    return [
        str(each["key"])
        for each in authorities
        if each["kind"] == kind and each["stage"] != RETIRED
    ]
