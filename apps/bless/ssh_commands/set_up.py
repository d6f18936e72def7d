"""`dynimo ssh init`: makes the CA, and says what to put on hosts and clients."""

from __future__ import annotations

import argparse
import getpass
import tomllib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ssh_commands import ca_calls, exporting, fetching, options, places, printing, seen, starting
from ssh_commands.ca import KEYS
from ssh_commands.host import DEFAULT_KEY
from ssh_commands.options import OK
from ssh_commands.policy import check

USER_CA_FILE, REVOKED_FILE = "/etc/ssh/ca_user.pub", "/etc/ssh/ca_krl"
FETCH_MINUTES = 5


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the command."""
    parser.add_argument("--key", choices=KEYS, default=KEYS[0], help=f"the CA's keys  [{KEYS[0]}]")
    parser.add_argument("--policy", metavar="FILE", help="who may have which certificates")
    parser.add_argument("--origin", metavar="NAME", help="what its log is called")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Make it and print."""
    policy = None
    if typed.policy:
        policy = options.content(typed.policy)
        check(policy, typed.policy)
    told = ca_calls.call(typed, "init", key=typed.key, origin=typed.origin, policy=policy)
    if policy is None:
        _start(typed)
    log = exporting.head(typed)
    seen.remember(seen.default_path(), log["origin"], log["key"])  # never again as sure as now
    base = places.base(typed)
    made = {**told, "origin": log["origin"], **snippets(told, base)}
    if fetching.here(urlsplit(base).hostname or ""):
        printing.hint(
            f"{base} is this machine: other hosts need an address that they reach, over https."
        )
    if typed.as_json:
        printing.say_json(made)
    else:
        _say(made)
    return OK


def _start(typed: argparse.Namespace) -> None:
    """Give it rules: what the CA made of none names its administrator, and lets nobody in."""
    made = str(ca_calls.call(typed, "policy")["policy"])
    administrators = tomllib.loads(made).get("administrators", [])
    ca_calls.call(typed, "policy", text=starting.rules(administrators, getpass.getuser()))


def snippets(told: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What hosts and clients need, as text."""
    fetch = f"dynimo ssh krl fetch --url {base}{places.KRL} --to {REVOKED_FILE}"
    bundle = f"dynimo ssh ca bundle --kind user --url {base}{places.USER_CA} --to {USER_CA_FILE}"
    certificate = f"{DEFAULT_KEY.removesuffix('.pub')}-cert.pub"
    return {
        "sshd_config": f"TrustedUserCAKeys {USER_CA_FILE}\nRevokedKeys {REVOKED_FILE}\n"
        f"HostCertificate {certificate}\n",
        "host_commands": [bundle, fetch, f"dynimo ssh host issue --key {DEFAULT_KEY} --name NAME"],
        "cron": f"*/{FETCH_MINUTES} * * * * root {bundle}; {fetch}\n",
        "known_hosts": f"@cert-authority * {told['host_ca']}\n",
        "next": ["dynimo ssh policy show", "dynimo ssh login"],
    }


def _say(made: Mapping[str, Any]) -> None:
    printing.say(
        printing.strong("The certificate authority is made; its keys never leave the KMS.")
    )
    for name, key in (("user", "user_ca"), ("host", "host_ca"), ("log", "audit_key")):
        printing.say(f"  {name:<4}  {made[key]}")
    _part("On each host, once:", made["host_commands"])
    _part("In its sshd_config:", made["sshd_config"].splitlines())
    _part("In its /etc/cron.d/dynimo-ssh:", made["cron"].splitlines())
    _part("In each client's known_hosts:", made["known_hosts"].splitlines())
    _part("Next:", made["next"])


def _part(title: str, lines: list[str]) -> None:
    printing.say(f"\n{printing.strong(title)}")
    for line in lines:
        printing.say(f"  {line}")
