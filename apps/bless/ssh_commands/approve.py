"""`dynimo ssh waiting | approve | deny`: for those without whom a certificate is not issued."""

from __future__ import annotations

import argparse
from typing import Any

from ssh_commands import ca_calls, options, printing
from ssh_commands.options import OK

_DONE = {"approve": "approved", "deny": "denied"}


def add(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the command."""
    if name != "waiting":
        parser.add_argument("id", help="as `dynimo ssh waiting` shows it")
    options.add_common(parser)
    parser.set_defaults(run=run, do=name)


def run(typed: argparse.Namespace) -> int:
    """List, approve or deny."""
    if typed.do == "waiting":
        return _list(typed)
    told = ca_calls.call(typed, typed.do, id=typed.id)
    if typed.as_json:
        printing.say_json(told)
        return OK
    left = told.get("needs", 0) - len(told.get("approved_by", ()))
    more = f"; it needs {left} more" if typed.do == "approve" and left > 0 else ""
    printing.say(f"{typed.id}: {_DONE[typed.do]}{more}.")
    return OK


def _list(typed: argparse.Namespace) -> int:
    told = ca_calls.call(typed, "waiting")
    waiting = told.get("waiting", [])
    if typed.as_json:
        printing.say_json(waiting)
        return OK
    if not waiting:
        printing.say("Nothing waits.")
    for each in waiting:
        _say(each)
    return OK


def _say(each: dict[str, Any]) -> None:
    """What others wrote is shown without what a terminal would obey."""
    printing.say(printing.strong(str(each["id"])))
    for name, value in {**each, "until": printing.moment(each["until"])}.items():
        if name != "id" and value not in (None, "", []):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            printing.say(f"  {name.replace('_', ' '):<12} {printing.printable(shown)}")
