"""``dynimo invoke``: run a function once on a platform, and show what it says and returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused, connected, data_option, json_option
from dynimo.cli.logs import legible

EVENT_BYTES_MAX = 64 * 1024 * 1024
"""What is read before the platform itself says that it is too much."""
SHOWN_CHARACTERS_MAX = 60


@click.command("invoke")
@click.argument("function")
@click.option("--event", help="JSON, or a file that holds it, or - for what comes in.")
@click.option("--qualifier", default="", help="A version or an alias.")
@click.option("--async", "later", is_flag=True, help="Only have it accepted; it runs by itself.")
@click.option("--quiet", is_flag=True, help="Do not show the log.")
@data_option
@json_option
def command(
    function: str,
    event: str | None,
    qualifier: str,
    later: bool,
    quiet: bool,
    data: str,
    as_json: bool,
) -> int:
    """Invoke FUNCTION: its answer on standard output, its log on standard error.

    \b
    Examples:
      dynimo invoke hello --event '{"name": "Ada"}'
      dynimo invoke hello:live --event event.json
      dynimo invoke worker --event event.json --async
    """
    body = event_bytes(event)
    kind = "Event" if later else "RequestResponse"
    with connected(data) as client:
        answer, payload, tail = client.invoke(function, body, qualifier=qualifier, kind=kind)
    failed = answer.headers.get("x-amz-function-error")
    if as_json:
        told = {
            "status": answer.status,
            "request": answer.headers.get("x-amzn-requestid"),
            "version": answer.headers.get("x-amz-executed-version"),
            "error": failed,
            "payload": shown_value(payload),
            "log": tail.splitlines(),
        }
        click.echo(json.dumps(told))
    elif later:
        click.echo(f"accepted as {answer.headers.get('x-amzn-requestid')}")
    else:
        if tail and not quiet:
            click.echo(legible(tail), err=True)
        sys.stdout.buffer.write(payload + b"\n")
        sys.stdout.flush()
    return exits.FAILED if failed else exits.OK


def event_bytes(event: str | None) -> bytes:
    """The event from what was typed: JSON itself, a file's name, ``-``, or nothing (``{}``).

    Raises:
        Refused: it is no JSON, or there is no such file.
    """
    if event is None:
        return b"{}"
    if event == "-":
        return _checked(sys.stdin.buffer.read(EVENT_BYTES_MAX + 1), "standard input")
    try:
        json.loads(event)
    except ValueError as error:
        if event.lstrip()[:1] in {"{", "[", '"'}:
            raise Refused(f"--event {_short(event)} is no JSON: {error}.", exits.USAGE) from None
    else:
        return event.encode()
    try:
        with Path(event).open("rb") as file:
            return _checked(file.read(EVENT_BYTES_MAX + 1), event)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"--event {_short(event)} is no JSON, nor a file that can be read ({reason})."
        raise Refused(text, exits.USAGE) from None


def _checked(data: bytes, where: str) -> bytes:
    if len(data) > EVENT_BYTES_MAX:
        raise Refused(f"{where} holds more than {EVENT_BYTES_MAX} bytes.", exits.USAGE)
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{where} holds no JSON: {error}.", exits.USAGE) from None
    return data


def _short(text: str) -> str:
    """What was typed, as far as it helps to know it again."""
    return repr(text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…")


def shown_value(payload: bytes) -> Any:
    """A payload as JSON, or as text when it is none."""
    try:
        return json.loads(payload) if payload else None
    except ValueError:
        return payload.decode("utf-8", "replace")
