"""`dynimo ssh audit head | sign | proof | export | verify`: the log of all that was certified.

`verify` trusts nothing that the CA says: it hashes every record anew, and holds the log against
what this machine has seen of it earlier.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssh_commands import ca_calls, exporting, options, printing, verifying
from ssh_commands.options import OK


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the commands."""
    verbs = options.under(parser)
    for name, about in (
        ("head", "Print the head that was signed last."),
        ("sign", "Have a head signed for all that is recorded."),
        ("proof", "Prove that a certificate is in the log."),
        ("export", "Write the whole log, for auditors."),
        ("refusals", "Print what was refused, and why."),
        ("verify", "Check the whole log, offline or live."),
    ):
        each = verbs.add_parser(name, help=about)
        options.add_common(each)
        each.set_defaults(run=run, what=name)
        _add_more(each, name)


def _add_more(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "proof":
        parser.add_argument("serial", type=int, help="as `login` and `ssh-keygen -L` show it")
    if name == "export":
        parser.add_argument("--to", type=Path, help="a file  [standard output]")
    if name == "verify":
        parser.add_argument("file", nargs="?", help="an export; - for what comes in")
        parser.add_argument("--live", action="store_true", help="the CA's log as it is now")
        parser.add_argument("--key", metavar="FILE", help="the log's key  [the one seen before]")
    if name in {"verify", "proof"}:
        parser.add_argument(
            "--seen", type=Path, metavar="FILE",
            help="what was seen of logs, and will be  [~/.local/state/dynimo/ssh-audit-seen.json]",
        )  # fmt: skip


def run(typed: argparse.Namespace) -> int:
    """Do one of them."""
    if typed.what in {"verify", "proof"}:
        return verifying.verify(typed) if typed.what == "verify" else verifying.prove(typed)
    if typed.what == "export":
        return _export(typed)
    told = ca_calls.call(typed, "audit", what=typed.what)
    if typed.as_json:
        printing.say_json(told)
    elif typed.what == "refusals":
        _say_refusals(told["refusals"])
    else:
        _say_head(told)
    return OK


def _say_refusals(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line each; what others wrote moves no cursor."""
    if not rows:
        printing.say("Nothing was refused.")
    for each in rows:
        words = (each["doing"], each["code"], each["caller"] or "nobody", each["message"])
        printing.say(printing.printable(f"{printing.moment(each['at'])}  {'  '.join(words)}"))


def _say_head(told: Mapping[str, Any]) -> None:
    printing.say(f"{told['origin']}: {told['size']} records")
    if told["head"]:
        head = json.loads(told["head"])
        printing.say(f"  signed  the first {head['size']}, {printing.moment(head['time'] / 1000)}")
        printing.say(f"  root    {head['root']}")
    printing.say(f"  key     {told['key']}")


def _export(typed: argparse.Namespace) -> int:
    """Line by line, so that any length goes through."""
    if typed.to is None:
        sys.stdout.buffer.writelines(exporting.lines(typed))
        sys.stdout.flush()
        return OK
    with typed.to.open("wb") as file:
        file.writelines(exporting.lines(typed))
    if typed.as_json:
        printing.say_json({"file": str(typed.to)})
    else:
        printing.say(f"{typed.to}: written; check it: dynimo ssh audit verify {typed.to}")
    return OK
