"""`dynimo ssh explain`: which rule would decide a request, what it would give, why not the others.

Nothing is signed, and no key is needed: any will do unless rules ask for a kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssh_commands import ca_calls, options, printing, requesting, subject, tokens
from ssh_commands.options import DENIED, OK


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the command."""
    requesting.add_request(parser)
    requesting.add_token(parser)
    parser.add_argument("--key", type=Path, help="as if this key were to be certified")
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME",
        help="a host's certificate, for this name; may be repeated",
    )  # fmt: skip
    parser.add_argument("--caller", metavar="ARN", help="as if another asked (administrators)")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Ask, and show; a request that would be refused is exit code 4."""
    key = subject.in_file(typed.key.expanduser()) if typed.key else subject.made()
    line = requesting.line_of(key)
    if typed.host:
        asked = requesting.request("host", line, typed.host)
    else:
        asked = requesting.user(typed, line)
    token = tokens.token(typed, key)
    told = ca_calls.call(typed, "explain", request=asked, token=token, caller=typed.caller)
    if typed.as_json:
        printing.say_json(told)
    else:
        _say(told)
    return OK if told.get("allowed") else DENIED


def _say(told: Mapping[str, Any]) -> None:
    for each in told.get("passed_over", ()):
        printing.say(f"  no   {each['rule']}: {printing.printable(str(each['why']))}")
    if not told.get("allowed"):
        printing.say(printing.strong("Refused: no rule allows it."))
        return
    printing.say(f"  yes  {told['rule']}")
    printing.say(printing.strong(f"Allowed by {told['rule']!r}:"))
    for name, value in (told.get("grant") or {}).items():
        if value not in (None, "", [], False):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            printing.say(f"  {name.replace('_', ' '):<18} {printing.printable(str(shown))}")
    if told.get("needs"):
        printing.say(f"Approvals that it needs first: {told['needs']}.")
