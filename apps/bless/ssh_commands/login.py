"""`dynimo ssh login`: a key, a proof, a certificate, and into the agent until it ends.

Without an agent both are written to files that only their owner reads. With ``--key`` the key is
one's own, and the certificate lies beside it, where ssh finds it.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynimo.sdk.commands import CommandError
from ssh_commands import agent, ca_calls, options, printing, requesting, subject, tokens, waiting
from ssh_commands.ca_calls import RefusedError
from ssh_commands.certificates import Issued, issued
from ssh_commands.options import FAILED, OK, USAGE
from ssh_commands.replacing import PUBLIC, SECRET, replace

DEFAULT_FILE = "~/.ssh/dynimo"
"""Of keys that are made here, where no agent holds them."""
MADE_HERE = "made by dynimo ssh login"
"""The comment of their public halves: by it they are told from somebody's own."""


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the command."""
    requesting.add_request(parser)
    requesting.add_token(parser)
    parser.add_argument("--key", type=Path, help="certify this key instead of a new one")
    parser.add_argument(
        "--out", type=Path, default=Path(DEFAULT_FILE),
        help=f"where key and certificate are written if no agent takes them  [{DEFAULT_FILE}]",
    )  # fmt: skip
    parser.add_argument("--no-agent", action="store_true", help="write files in any case")
    parser.add_argument(
        "--wait", type=options.seconds, metavar="TIME", help="wait so long for approvals"
    )
    parser.add_argument(
        "--collect", metavar="ID", help="take what was approved since; with the same --out or --key"
    )
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Get the certificate and say how it is used."""
    out = typed.out.expanduser()
    key = _key(typed, out)
    if typed.collect:
        told: Mapping[str, Any] = waiting.collected(typed, typed.collect, key)
    else:
        _check_place(typed, out)
        asked = requesting.user(typed, requesting.line_of(key))
        token = tokens.token(typed, key)
        told = _asked(typed, {**requesting.proved(asked, key), "token": token})
        if "pending" in told:
            told = {**told, "approvers": waiting.approvers(typed, asked, token)}
            told = _approved(typed, told, key, out)
            if "pending" in told:
                return FAILED
    return _kept(typed, issued(told, key.public_key), key, out)


def _asked(typed: argparse.Namespace, members: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return ca_calls.call(typed, "issue", **members)
    except RefusedError as error:
        name = members["request"]["principals"][0]
        if typed.principal or f"{name!r} is none of its principals" not in str(error):
            raise
        text = f"{error} {name!r} is your name here; --principal NAME asks for another."
        raise RefusedError(text, error.code, error.kind) from None


def _key(typed: argparse.Namespace, out: Path) -> subject.Ephemeral | subject.InFile:
    if typed.key:
        return subject.in_file(typed.key.expanduser())
    return subject.kept(out) if typed.collect else subject.made()


def _check_place(typed: argparse.Namespace, out: Path) -> None:
    """Somebody's own key is never written over, with a certificate or without."""
    if typed.key:
        return
    if out.is_dir():
        raise CommandError(f"{out} is a folder: --out names a file in it", USAGE)
    if _waits(out).exists():
        return
    public = _public(out)
    there = [each for each in (out, public) if each.exists()]
    if there and not (public.exists() and options.content(str(public)).strip().endswith(MADE_HERE)):
        text = f"{there[0]} is a key already: --key certifies it, --out takes another"
        raise CommandError(text, USAGE)


def _public(out: Path) -> Path:
    return out.with_name(f"{out.name}.pub")


def _waits(out: Path) -> Path:
    return out.with_name(f"{out.name}.pending")


def _approved(
    typed: argparse.Namespace, told: Mapping[str, Any], key: subject.Subject, out: Path
) -> Mapping[str, Any]:
    """Wait for approvals; else keep the key, so that what is approved later is of use."""
    if isinstance(key, subject.Ephemeral):
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _waits(out).exists():
            printing.hint(f"Given up: {_waits(out).read_text().strip()}, which waited for {out}.")
        replace(out, key.private(), SECRET)
        replace(_waits(out), f"{told['pending']}\n".encode(), SECRET)
    place = f"--key {typed.key}" if typed.key else f"--out {typed.out}"
    again = f"dynimo ssh login --collect {told['pending']} {place}"
    waiting.announce(told, again, waits=bool(typed.wait))
    if typed.wait:
        return waiting.waited(typed, told, key, again)
    if typed.as_json:
        printing.say_json(told)
    return told


def _kept(
    typed: argparse.Namespace, got: Issued, key: subject.Ephemeral | subject.InFile, out: Path
) -> int:
    requesting.say_if_shorter(typed.valid, got.valid_before)
    if isinstance(key, subject.InFile):
        replace(key.certificate_path, got.line.encode() + b"\n", PUBLIC)
        place = _beside(key)
    elif not typed.no_agent and _in_agent(key, got):
        place = {"agent": True, "ssh": ["ssh"]}
        _forget(out)
    else:
        place = _written(key, got, out)
    ssh = shlex.join([*place["ssh"], f"{got.principals[0]}@HOST"])
    told = got.told() | place | {"ssh": ssh}
    if typed.as_json:
        printing.say_json(told)
    else:
        _say(told)
    return OK


def _beside(key: subject.InFile) -> dict[str, Any]:
    ssh = ["ssh", "-i", str(key.path)]
    if not key.path.exists():  # its private half is in the agent or in a token
        ssh = ["ssh", "-i", str(key.public_path), "-o", f"CertificateFile={key.certificate_path}"]
    return {"agent": False, "file": str(key.path), "ssh": ssh}


def _in_agent(key: subject.Ephemeral, got: Issued) -> bool:
    if not agent.there():
        return False
    try:
        agent.add(key.key, got.blob, got.key_id, max(1, got.valid_before - int(time.time())))
    except agent.AgentError as error:
        printing.hint(f"{error}; so they are written to files.")
        return False
    with contextlib.suppress(agent.AgentError):  # it holds the new one
        agent.drop_older(got.blob, got.key_id)
    return True


def _forget(out: Path) -> None:
    """What was kept while it waited is in the agent now."""
    if _waits(out).exists():
        _waits(out).unlink()
        out.unlink(missing_ok=True)


def _written(key: subject.Ephemeral, got: Issued, out: Path) -> dict[str, Any]:
    """The certificate first: a key that is there alone is taken for somebody's own."""
    out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(out.with_name(f"{out.name}-cert.pub"), got.line.encode() + b"\n", SECRET)
    replace(_public(out), f"{requesting.line_of(key)} {MADE_HERE}\n".encode(), SECRET)
    replace(out, key.private(), SECRET)
    _waits(out).unlink(missing_ok=True)
    ssh = ["ssh", "-i", str(out), "-o", "IdentitiesOnly=yes"]
    return {"agent": False, "file": str(out), "ssh": ssh}


def _say(told: Mapping[str, Any]) -> None:
    names = ", ".join(told["principals"])
    printing.say(f"Certified as {names} until {printing.moment(told['valid_before'])},"
                 f" serial {told['serial']}.")  # fmt: skip
    if told["agent"]:
        printing.say("Key and certificate are in the agent, which forgets them then.")
    else:
        printing.say(f"The key is {told['file']}, its certificate lies beside it.")
    printing.say()
    printing.say(f"  {printing.strong(told['ssh'])}")
