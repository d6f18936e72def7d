"""Requests that wait for the approval of others: who may give it, waiting, and collecting."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from ssh_commands import ca_calls, printing, requesting
from ssh_commands.ca_calls import RefusedError
from ssh_commands.options import FAILED
from ssh_commands.subject import Subject

POLL_SECONDS = 2.0


def announce(told: Mapping[str, Any], again: str, *, waits: bool) -> None:
    """Say that it waits, for whom, and how it goes on."""
    approvers = ", ".join(map(str, told.get("approvers", ()))) or "those whom the rule names"
    printing.hint(
        f"This needs {told['needs']} more approval{'s' if told['needs'] != 1 else ''} by"
        f" {printing.printable(approvers)}, until {printing.moment(told['until'])}:\n\n"
        f"  dynimo ssh approve {told['pending']}\n"
    )
    printing.hint("Waiting …" if waits else f"Then take it:\n\n  {again}\n")


def approvers(
    typed: argparse.Namespace, asked: Mapping[str, Any], token: Mapping[str, Any] | None
) -> list[str]:
    """Who may approve what was asked, as the rule says; none if the CA does not tell."""
    try:
        told = ca_calls.call(typed, "explain", request=asked, token=token)
    except RefusedError:
        return []  # a token that is used once was used
    return list((told.get("grant") or {}).get("approvers", ()))


def waited(
    typed: argparse.Namespace, told: Mapping[str, Any], key: Subject, again: str
) -> dict[str, Any]:
    """Ask again and again until it is approved.

    Raises:
        RefusedError: it was denied, or the time is up.
    """
    deadline = time.monotonic() + typed.wait
    while True:
        try:
            found = collected(typed, str(told["pending"]), key)
        except RefusedError as error:
            if error.kind != "pending":
                raise
        else:
            if "pending" not in found:
                return found
        if time.monotonic() + POLL_SECONDS > deadline:
            text = f"it was not approved in time; later: {again}"
            raise RefusedError(text, FAILED, "pending")
        time.sleep(POLL_SECONDS)


def collected(typed: argparse.Namespace, name: str, key: Subject) -> dict[str, Any]:
    """Take what was approved, proving once more that the key is at hand. Raises RefusedError."""
    asked = {"id": name, **requesting.moment()}
    return ca_calls.call(typed, "collect", id=name, **requesting.proved(asked, key))
