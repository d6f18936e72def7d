"""`dynimo ssh host issue | renew`: a certificate for a host's own key, beside the key.

Renewing is for a timer: it asks only when little of the certificate's time is left.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import time
from pathlib import Path

from dynimo.sdk.commands import CommandError
from ssh_commands import ca_calls, options, printing, requesting, subject, tokens
from ssh_commands.certificates import Issued, issued, parsed, said
from ssh_commands.options import FAILED, NOT_FOUND, OK, UNCHANGED, USAGE
from ssh_commands.replacing import PUBLIC, replace

DEFAULT_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
DEFAULT_LEFT = 33.0
_ERRORS = 2
"""The descriptor beside the answer."""


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the commands."""
    verbs = options.under(parser)
    issue = verbs.add_parser("issue", help="Certify this host's key for its names.")
    issue.add_argument("--name", action="append", default=[], required=True, metavar="NAME",
                       help="as clients call it; may be repeated")  # fmt: skip
    issue.add_argument("--reason", metavar="TEXT", help="for those who approve, and for the log")
    requesting.add_token(issue)
    issue.set_defaults(run=first)
    renew = verbs.add_parser("renew", help="Renew it when little of its time is left.")
    renew.add_argument(
        "--left", type=float, default=DEFAULT_LEFT, metavar="PERCENT",
        help=f"of its time, from when on it is renewed  [{DEFAULT_LEFT:g}]",
    )  # fmt: skip
    renew.add_argument("--force", action="store_true", help="renew now")
    renew.add_argument(
        "--exit-code", action="store_true", help=f"exit with {UNCHANGED} if it was not due"
    )
    renew.set_defaults(run=again)
    for each in (issue, renew):
        each.add_argument("--key", type=Path, default=Path(DEFAULT_KEY),
                          help=f"the host's key  [{DEFAULT_KEY}]")  # fmt: skip
        each.add_argument(
            "--valid", type=options.seconds, metavar="TIME", help="[what the rule gives]"
        )
        each.add_argument(
            "--then", type=_command, metavar="COMMAND",
            help="run when it changed, such as 'systemctl reload ssh'",
        )  # fmt: skip
        options.add_common(each)


def first(typed: argparse.Namespace) -> int:
    """Ask with a proof by the host's key."""
    key = subject.in_file(typed.key)
    asked = requesting.request("host", requesting.line_of(key), typed.name)
    if typed.valid:
        asked["valid_seconds"] = typed.valid
    if typed.reason:
        asked["reason"] = typed.reason
    token = tokens.token(typed, key)
    told = ca_calls.call(typed, "issue", **requesting.proved(asked, key), token=token)
    if "pending" in told:
        text = f"it needs {told['needs']} approvals: dynimo ssh approve {told['pending']}"
        raise CommandError(f"{text}; hosts cannot wait, so let the rule ask for none", FAILED)
    return _written(typed, key, issued(told, key.public_key))


def again(typed: argparse.Namespace) -> int:
    """Ask with the certificate that is there, which says for which names."""
    if not 0 <= typed.left <= 100:
        raise CommandError("--left is a percentage, 0 to 100", USAGE)
    key = subject.in_file(typed.key)
    if not key.certificate_path.exists():
        text = f"there is no {key.certificate_path}: dynimo ssh host issue --name NAME makes it"
        raise CommandError(text, NOT_FOUND)
    line = key.certificate_path.read_text().strip()
    current = said(line, parsed(line))
    if not (typed.force or due(current, time.time(), typed.left)):
        return _not_due(typed, key, current)
    asked = requesting.request("host", requesting.line_of(key), list(current.principals))
    asked["valid_seconds"] = typed.valid or current.valid_before - current.valid_after
    told = ca_calls.call(typed, "renew", **requesting.proved(asked, key), certificate=line)
    return _written(typed, key, issued(told, key.public_key))


def due(current: Issued, now: float, left_percent: float) -> bool:
    """Whether at most this percentage of its time is left."""
    left = current.valid_before - now
    return left * 100 <= left_percent * (current.valid_before - current.valid_after)


def _not_due(typed: argparse.Namespace, key: subject.InFile, current: Issued) -> int:
    if typed.as_json:
        printing.say_json({"changed": False, "file": str(key.certificate_path), **current.told()})
    else:
        until = printing.moment(current.valid_before)
        printing.say(f"{key.certificate_path}: unchanged, valid until {until}")
    return UNCHANGED if typed.exit_code else OK


def _written(typed: argparse.Namespace, key: subject.InFile, got: Issued) -> int:
    requesting.say_if_shorter(typed.valid, got.valid_before)
    replace(key.certificate_path, got.line.encode() + b"\n", PUBLIC)
    if typed.as_json:
        printing.say_json({"changed": True, "file": str(key.certificate_path), **got.told()})
    else:
        names = ", ".join(got.principals)
        until = printing.moment(got.valid_before)
        printing.say(f"{key.certificate_path}: {names} until {until}, serial {got.serial}.")
        if not typed.then:
            printing.say(f"sshd_config: HostCertificate {key.certificate_path}; then have sshd"
                         " read it: systemctl reload ssh")  # fmt: skip
    if typed.then:
        _then(typed)
    return OK


def _command(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {error}") from None
    if not words:
        raise argparse.ArgumentTypeError("a command has at least one word")
    return words


def _then(typed: argparse.Namespace) -> None:
    """Run it; what it prints does not come between a program and its JSON."""
    told = shlex.join(typed.then)
    try:
        ran = subprocess.run(typed.then, check=False, stdout=_ERRORS if typed.as_json else None)
    except OSError as error:
        text = f"--then {told}: {error.strerror}; no shell runs it, unless you say sh -c '…'"
        raise CommandError(text, FAILED) from None
    if ran.returncode:
        raise CommandError(f"--then {told} failed ({ran.returncode})", FAILED)
