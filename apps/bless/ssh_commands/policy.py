"""`dynimo ssh policy show | check FILE | apply FILE`: the rules, as the CA has them or will."""

from __future__ import annotations

import argparse

from asking.policy import PolicyError, read
from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls, options, printing
from ssh_commands.options import FAILED, OK


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the commands."""
    verbs = options.under(parser)
    show = verbs.add_parser("show", help="Print the rules that hold.")
    show.set_defaults(run=shown)
    check = verbs.add_parser("check", help="Check a file, without any server.")
    check.set_defaults(run=checked)
    apply = verbs.add_parser("apply", help="Replace the rules by a file's.")
    apply.set_defaults(run=applied)
    for each in (check, apply):
        each.add_argument("file", help="TOML; - for what comes in")
    for each in (show, check, apply):
        options.add_common(each)


def shown(typed: argparse.Namespace) -> int:
    """Print them as they were given."""
    told = ca_calls.call(typed, "policy")
    if typed.as_json:
        printing.say_json(told)
    else:
        printing.say(str(told["policy"]).rstrip("\n"))
    return OK


def checked(typed: argparse.Namespace) -> int:
    """Read them as the CA would."""
    rules = check(options.content(typed.file), typed.file)
    if typed.as_json:
        printing.say_json({"rules": rules})
    else:
        nobody = "" if rules else ": nobody gets a certificate"
        printing.say(f"{typed.file}: {rules} rules, as they should be{nobody}")
    return OK


def applied(typed: argparse.Namespace) -> int:
    """Check here first: its words are better near the file."""
    text = options.content(typed.file)
    rules = check(text, typed.file)
    told = ca_calls.call(typed, "policy", text=text)
    if typed.as_json:
        printing.say_json({"version": told["version"], "rules": rules})
    else:
        printing.say(f"Version {told['version']} holds from now on: {rules} rules.")
    return OK


def check(text: str, name: str) -> int:
    """How many rules there are. Raises CommandError, which names the rule and the key."""
    try:
        return len(read(text).rules)
    except PolicyError as error:
        raise CommandError(f"{name}: {error}", FAILED) from None
