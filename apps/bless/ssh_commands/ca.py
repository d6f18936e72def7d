"""`dynimo ssh ca show | rotate | bundle`: the CA's keys, and their exchange without a gap."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls, fetching, options, places, printing
from ssh_commands.options import FAILED, OK, UNCHANGED, USAGE
from sshca.public_key import KeyLineError, parse

KEYS = ("ed25519", "ecdsa", "rsa")
KINDS, STAGES = ("user", "host"), ("publish", "sign", "retire")
RETIRED = "retired"
_NEXT = {
    "publish": "Let every host and client fetch it (`dynimo ssh ca bundle`), then: --stage sign",
    "sign": "The new key signs. When what the old one signed has ended: --stage retire",
    "retire": "The old key is trusted no more, once hosts and clients have fetched the rest.",
}


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the commands."""
    verbs = options.under(parser)
    show = verbs.add_parser("show", help="Print every generation of the CA's keys.")
    show.set_defaults(run=shown)
    rotate = verbs.add_parser("rotate", help="Take one step of an exchange of keys.")
    rotate.add_argument("--kind", choices=KINDS, required=True)
    rotate.add_argument("--stage", choices=STAGES, required=True)
    rotate.add_argument("--force", action="store_true", help="even if it is too early")
    rotate.add_argument("--key", choices=KEYS, help=f"of publish: the new key  [{KEYS[0]}]")
    rotate.set_defaults(run=rotated)
    bundle = verbs.add_parser("bundle", help="Print or fetch what hosts and clients trust.")
    bundle.add_argument(
        "--kind",
        choices=KINDS,
        required=True,
        help="user: for TrustedUserCAKeys; host: for known_hosts",
    )
    bundle.add_argument("--domains", default="*", help="of host CAs: for which hosts  [*]")
    bundle.add_argument("--to", type=Path, help="fetch it into this file, for a timer")
    bundle.add_argument(
        "--exit-code", action="store_true", help=f"exit with {UNCHANGED} if nothing changed"
    )
    places.add_url(bundle)
    bundle.set_defaults(run=bundled)
    for each in (show, rotate, bundle):
        options.add_common(each)


def shown(typed: argparse.Namespace) -> int:
    """One line for each generation."""
    _say(typed, _authorities(ca_calls.call(typed, "authorities")))
    return OK


def rotated(typed: argparse.Namespace) -> int:
    """Take the step, and say what comes next."""
    told = ca_calls.call(
        typed, "rotate", kind=typed.kind, stage=typed.stage, force=typed.force or None,
        key=typed.key,
    )  # fmt: skip
    _say(typed, _authorities(told))
    printing.hint(_NEXT[typed.stage])
    return OK


def _authorities(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(told["authorities"])


def _say(typed: argparse.Namespace, authorities: list[Mapping[str, Any]]) -> None:
    if typed.as_json:
        printing.say_json(authorities)
        return
    for each in authorities:
        key = parse(each["key"])
        printing.say(
            f"{each['kind']:<5} {each['generation']:>3}  {each['stage']:<10}"
            f" {printing.moment(each['since'])}  {key.kind.family} {key.sha256}"
        )


def bundled(typed: argparse.Namespace) -> int:
    """From the CA itself, or for a host or client without any key to it, from its address."""
    if typed.to is None:
        if typed.url:
            raise CommandError("--url fetches into a file: say --to FILE", USAGE)
        told = _authorities(ca_calls.call(typed, "authorities"))
        lines = list(lines_of(told, typed.kind, typed.domains))
        if typed.as_json:
            printing.say_json(lines)
        else:
            printing.say("\n".join(lines))
        return OK
    source = fetching.Source(places.url(typed, _path(typed)), typed.plain_http)
    got = fetching.fetch(source, typed.to, lambda data, _: check(data, typed.kind))
    if typed.as_json:
        said = {"changed": got.changed, "file": str(typed.to), "age_seconds": got.age_seconds}
        printing.say_json(said)
    else:
        printing.say(f"{typed.to}: {'changed' if got.changed else 'unchanged'}")
    return OK if got.changed or not typed.exit_code else UNCHANGED


def _path(typed: argparse.Namespace) -> str:
    if typed.kind == "user":
        return places.USER_CA
    return f"{places.KNOWN_HOSTS}?domains={quote(typed.domains, safe='*,.')}"


def lines_of(authorities: Iterable[Mapping[str, Any]], kind: str, domains: str) -> Iterable[str]:
    """What is trusted now: every generation that is not retired."""
    for each in authorities:
        if each["kind"] == kind and each["stage"] != RETIRED:
            yield each["key"] if kind == "user" else f"@cert-authority {domains} {each['key']}"


def check(data: bytes, kind: str) -> None:
    """Every line must be a CA's key, and there must be one: else nobody, or anybody, is let in.

    Raises:
        CommandError: it is not so.
    """
    try:
        lines = [each for each in data.decode().splitlines() if each and not each.startswith("#")]
        for line in lines:
            words = line.split(" ", 2)
            if kind == "host" and (words[0] != "@cert-authority" or len(words) != 3):
                raise CommandError("what is published is no list of host CAs", FAILED)
            parse(words[2] if kind == "host" else line)
    except UnicodeDecodeError:
        raise CommandError("what is published is no list of CA keys, and no text", FAILED) from None
    except KeyLineError as error:
        raise CommandError(f"what is published is no list of CA keys: {error}", FAILED) from None
    if not lines:
        raise CommandError("what is published names no CA, so nobody could log in", FAILED)
