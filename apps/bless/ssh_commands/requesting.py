"""What is asked of the CA, as JSON in its one form, with a nonce that is used once; and its proof.

The proof is a signature by the key that is to be certified over exactly these bytes.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from issuing import canonical
from ssh_commands import options, printing
from ssh_commands.subject import Subject

NONCE_BYTES = 16
SHORTER_SECONDS = 60
"""So much less than was asked for is worth a word; clocks differ."""


def add_request(parser: argparse.ArgumentParser) -> None:
    """What may be asked for a user: `login` and `explain` take the same."""
    parser.add_argument(
        "--principal", action="append", default=[], metavar="NAME",
        help="whom hosts let you in as; may be repeated  [your name here]",
    )  # fmt: skip
    parser.add_argument(
        "--valid", type=options.seconds, metavar="TIME", help="10m, 1h, …  [what the rule gives]"
    )
    parser.add_argument(
        "--source", action="append", default=[], metavar="NETWORK",
        help="only from there; may be repeated",
    )  # fmt: skip
    parser.add_argument("--force-command", metavar="COMMAND", help="run this, and nothing else")
    parser.add_argument(
        "--extension", action="append", default=[], metavar="NAME",
        help="such as permit-pty; may be repeated  [all that the rule gives]",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", help="for those who approve, and for the log")


def add_token(parser: argparse.ArgumentParser) -> None:
    """A proof of who is asking, beside the signature of the call."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--oidc-token", metavar="FILE", help="an identity token; - for what comes in")
    how.add_argument(
        "--oidc-command", metavar="COMMAND",
        help="run by the shell, prints an identity token; $NONCE is what the token must name",
    )  # fmt: skip
    parser.add_argument("--kmsauth-user", metavar="NAME", help="whom the kmsauth token is of")
    parser.add_argument("--kmsauth-token", metavar="FILE", help="a kmsauth token; - to read it")


def user(typed: argparse.Namespace, line: str) -> dict[str, Any]:
    """The request for a user's certificate."""
    return request("user", line, typed.principal or [getpass.getuser()]) | _given(
        source_addresses=typed.source, force_command=typed.force_command,
        extensions=typed.extension, valid_seconds=typed.valid, reason=typed.reason,
    )  # fmt: skip


def request(kind: str, line: str, principals: list[str]) -> dict[str, Any]:
    """The members that every request has."""
    return {"type": kind, "public_key": line, "principals": list(principals), **moment()}


def moment() -> dict[str, Any]:
    """A nonce and the time: what makes a request usable once."""
    return {"nonce": secrets.token_hex(NONCE_BYTES), "at": int(time.time())}


def proved(asked: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """A request with its proof, as members of what is asked of the CA."""
    return {"request": asked, "proof": subject.prove(canonical.encoded(asked))}


def say_if_shorter(wanted: int | None, until: int) -> None:
    """Say that a rule gave less time than was asked for, in seconds and since the epoch."""
    if wanted and until - time.time() < wanted - SHORTER_SECONDS:
        printing.hint("The rule gives less time than you asked for: `dynimo ssh explain`.")


def nonce_of(subject: Subject) -> str:
    """What a token must name as its nonce, to be worth something for this key only."""
    digest = hashlib.sha256(subject.public_key.blob).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def line_of(subject: Subject) -> str:
    """The key's line, without its comment, which says more of a machine than the CA need know."""
    key = subject.public_key
    return f"{key.kind.name} {base64.b64encode(key.blob).decode()}"


def _given(**members: Any) -> dict[str, Any]:
    return {name: each for name, each in members.items() if each}
