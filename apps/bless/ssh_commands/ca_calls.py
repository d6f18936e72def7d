"""Asks the CA through the platform's own `invoke`, and turns its refusals into errors that help.

What is asked goes through a file that nobody else can read: tokens must not stand in a list of
processes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynimo.sdk.commands import CommandError, platform
from ssh_commands.options import DENIED, FAILED, NOT_FOUND, UNAVAILABLE, USAGE

FUNCTION = "bless-ca"
Answer = Mapping[str, Any]


class RefusedError(CommandError):
    """The CA refused; ``kind`` is its word for why."""

    def __init__(self, message: str, code: int, kind: str) -> None:
        super().__init__(message, code)
        self.kind = kind


_CODES = {
    "denied": DENIED, "invalid": USAGE, "unknown": NOT_FOUND, "no_ca": NOT_FOUND,
    "unavailable": UNAVAILABLE,
}  # fmt: skip
_NEXT = {
    "no_ca": "`dynimo ssh init` makes one.",
    "denied": "Whoever may is named in the rules: `dynimo ssh policy show`, for administrators.",
    "unproved": "Nothing was issued: see to the key, the token and this machine's clock, then call"
    " again.",
    "used": "Call again: everything is made anew.",
    "unavailable": "Nothing was issued. `dynimo logs bless-ca` says more; then call again.",
    "pending": "`dynimo ssh waiting` shows what waits.",
    "exists": "`dynimo ssh ca show` shows what is there.",
}
_EXPLAINED = "`dynimo ssh explain` with the same options says which rule would, and why not."
_DENIED = {
    "issue": _EXPLAINED, "collect": _EXPLAINED,
    "renew": "`dynimo ssh host issue --name NAME` asks anew.",
}  # fmt: skip
"""What to do when it was denied, by what was asked."""


def call(typed: argparse.Namespace, do: str, **members: Any) -> dict[str, Any]:
    """Ask the CA to ``do`` something; members that are None are left out.

    Raises:
        RefusedError: the CA refused.
        CommandError: no server answers, it refuses the caller, or the CA failed.
    """
    event = {"do": do} | {name: each for name, each in members.items() if each is not None}
    data = ("--data", typed.data) if typed.data else ()
    descriptor, path = tempfile.mkstemp(prefix="dynimo-ssh-")  # 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(event, file)
        told = platform("invoke", FUNCTION, "--quiet", "--event", path, *data).json
    except CommandError as error:
        raise _told(error) from None
    finally:
        Path(path).unlink()
    if not isinstance(told, dict):
        raise CommandError("the CA answered with no object; is bless-ca another function?", FAILED)
    if "error" in told:
        raise _refused(do, str(told["error"]), str(told.get("message", "")))
    return told


def _refused(do: str, kind: str, message: str) -> RefusedError:
    following = _DENIED.get(do, _NEXT[kind]) if kind == "denied" else _NEXT.get(kind, "")
    told = " ".join(filter(None, (message or kind, following)))
    return RefusedError(told, _CODES.get(kind, FAILED), kind)


def _told(error: CommandError) -> CommandError:
    said = str(error)
    if error.code == NOT_FOUND:
        return CommandError(
            f"this server has no certificate authority ({FUNCTION}). {said}", error.code
        )
    if error.code == DENIED and said.startswith("AccessDeniedException"):
        said += (
            f". Who runs the server lets you: `dynimo access policy attach`, with"
            f" lambda:InvokeFunction on {FUNCTION}."
        )
    if error.code == FAILED and said == "invoke failed":
        said = f"the CA's function failed; `dynimo logs {FUNCTION}` says how"
    return CommandError(said, error.code)
