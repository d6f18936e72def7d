"""``dynimo queue``: the built-in queues of a running server, found through its data folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

from dynimo.cli import exits
from dynimo.cli.connecting import data_option

_BODY_CHARACTERS_MAX = 2000
"""Of a body, in words; ``--json`` gives all of it."""


def _shared(wrapped: Callable[..., int]) -> Callable[..., int]:
    """The options of every verb."""
    wrapped = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(wrapped)
    wrapped = click.option("--account", help="Whose queues; else the server's own account.")(
        wrapped
    )
    return cast("Callable[..., int]", data_option(wrapped))


@click.group("queue")
def command() -> None:
    """Look into the built-in queues, and send what they hold on its way again.

    Dead letters and results go to one whose ARN a function's configuration names
    (arn:aws:dynimo:REGION:ACCOUNT:queue/NAME); what could not be delivered goes to `undelivered`.

    \b
    Examples:
      dynimo queue list
      dynimo queue show failed --limit 3
      dynimo queue redrive failed
      dynimo queue purge failed
    """


@command.command("list")
@_shared
def listed(data: str, account: str | None, *, as_json: bool) -> int:
    """Name every queue, and how many messages it holds."""
    return _ask(data, {"do": "list"}, account, as_json=as_json, told=_told_list)


@command.command("show")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@_shared
def show(name: str, limit: int, data: str, account: str | None, *, as_json: bool) -> int:
    """Show the oldest messages of a queue."""
    asked = {"do": "show", "name": name, "limit": limit}
    return _ask(data, asked, account, as_json=as_json, told=_told_messages)


@command.command("redrive")
@click.argument("name")
@_shared
def redrive(name: str, data: str, account: str | None, *, as_json: bool) -> int:
    """Send every message on its way again: its event to its function."""
    asked = {"do": "redrive", "name": name}
    return _ask(
        data, asked, account, as_json=as_json, told=lambda said: [f"{said['redriven']} redriven"]
    )


@command.command("purge")
@click.argument("name")
@_shared
def purge(name: str, data: str, account: str | None, *, as_json: bool) -> int:
    """Drop every message of a queue, for good."""
    asked = {"do": "purge", "name": name}
    return _ask(
        data, asked, account, as_json=as_json, told=lambda said: [f"{said['purged']} dropped"]
    )


def _ask(
    data: str,
    asked: dict[str, Any],
    account: str | None,
    *,
    as_json: bool,
    told: Callable[[dict[str, Any]], list[str]],
) -> int:
    from dynimo.cli import asking

    if account is not None:
        asked["account"] = account
    _, said = asking.ask(Path(data), "POST", "/_dynimo/queue", json.dumps(asked).encode())
    click.echo(json.dumps(said) if as_json else "\n".join(told(said)))
    return exits.OK


def _told_list(said: dict[str, Any]) -> list[str]:
    rows = [f"{each['name']:<32} {each['messages']:>8}  {each['arn']}" for each in said["queues"]]
    return [f"{'queue':<32} {'messages':>8}  arn", *rows] if rows else ["no queue holds anything"]


def _told_messages(said: dict[str, Any]) -> list[str]:
    lines = []
    for each in said["messages"]:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each["kept_ms"] / 1000))
        lines.append(f"{when}  {each['id']}  {each.get('function') or each.get('target') or ''}")
        lines += [f"    {name}: {value}" for name, value in each["attributes"].items()]
        body = each.get("body", each.get("body_base64", ""))
        cut = "…" if len(body) > _BODY_CHARACTERS_MAX else ""
        lines.append(f"    {body[:_BODY_CHARACTERS_MAX]}{cut}")
    return lines or ["it holds no message"]
