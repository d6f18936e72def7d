"""Deploying an app's folder to a running server: zips it, sends it, shows what that changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from dynimo.cli import exits, words
from dynimo.cli.connecting import Refused

_MARKS = {"new": "+", "changed": "~", "removed": "-", "unchanged": " "}


def deploy(
    folder: Path, data: Path, *, share: tuple[str, float] | None, dry_run: bool, as_json: bool
) -> int:
    """Send the folder to the server that runs on ``data``; show the difference.

    Raises:
        Refused: there is no server, or it refuses; the message is its own.
        DeployError: the folder cannot be read or packed.
    """
    from dynimo.cli import asking
    from dynimo.deploying.packing import zipped
    from dynimo.sdk import app as sdk_app

    try:
        app = sdk_app.read(folder)
    except sdk_app.ManifestError as error:
        raise Refused(str(error), exits.USAGE) from None
    query = {"dry_run": "1"} if dry_run else {}
    if share is not None:
        query["share"] = f"{share[0]}={share[1]:g}"
    address, told = asking.ask(
        data,
        "PUT",
        f"/_dynimo/apps/{app.name}?{urlencode(query)}",
        zipped(folder),
        content_type="application/zip",
        refused=exits.FAILED,
    )
    paths = app.examples or tuple(route.path for route in app.routes)
    if as_json:
        click.echo(json.dumps({**told, "urls": [f"{address}{path}" for path in paths]}))
        return exits.OK
    _show(told)
    for path in paths if not dry_run else ():
        click.echo(f"  {address}{path}")
    return exits.OK


def _show(told: dict[str, Any]) -> None:
    for function in told["functions"]:
        click.echo(f"{_MARKS[function['state']]} {function['name']}  {function['state']}")
        for change in function["changes"]:
            click.echo(f"    {change}")
    for mark, kind in (("+", "added"), ("-", "removed")):
        for path in told["routes"][kind]:
            click.echo(f"{mark} route {path}")
    if told["dry_run"]:
        click.echo("not done (--dry-run)")
        return
    share = told["share"]
    part = f", {share * 100:g}% of the calls" if share is not None else ""
    click.echo(words.styled(f"✓ {told['app']} is served{part}", fg="green"))
