"""Deploying an app's folder to a running server: zips it, sends it, shows what that changed."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click

from dynimo.cli import exits, words
from dynimo.cli.connecting import Refused

ANSWER_SECONDS_MAX = 120.0
"""Longer than all imports of an app may take."""

_MARKS = {"new": "+", "changed": "~", "removed": "-", "unchanged": " "}


def deploy(
    folder: Path, data: Path, *, share: tuple[str, float] | None, dry_run: bool, as_json: bool
) -> int:
    """Send the folder to the server that runs on ``data``; show the difference.

    Raises:
        Refused: there is no server, or it refuses; the message is its own.
        DeployError: the folder cannot be read or packed.
    """
    from dynimo.deploying.packing import zipped
    from dynimo.sdk import app as sdk_app

    try:
        app = sdk_app.read(folder)
    except sdk_app.ManifestError as error:
        raise Refused(str(error), exits.USAGE) from None
    query = {"dry_run": "1"} if dry_run else {}
    if share is not None:
        query["share"] = f"{share[0]}={share[1]:g}"
    address, told = _put(data, f"/_dynimo/apps/{app.name}?{urlencode(query)}", zipped(folder))
    paths = app.examples or tuple(route.path for route in app.routes)
    if as_json:
        click.echo(json.dumps({**told, "urls": [f"{address}{path}" for path in paths]}))
        return exits.OK
    _show(told)
    for path in paths if not dry_run else ():
        click.echo(f"  {address}{path}")
    return exits.OK


def _put(data: Path, target: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """(the server's address, its answer)."""
    from dynimo.datafolder import ADDRESS_FILE, KEY_FILE

    try:
        address = (data / ADDRESS_FILE).read_text().strip()
        key = (data / KEY_FILE).read_text().strip()
    except FileNotFoundError:
        text = f"no server runs on {data}; start one with `dynimo up`, or name its --data folder."
        raise Refused(text, exits.UNAVAILABLE) from None
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.", exits.DENIED) from None
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(
        parts.hostname or "127.0.0.1", parts.port, timeout=ANSWER_SECONDS_MAX
    )
    headers = {"x-dynimo-key": key, "content-type": "application/zip"}
    try:
        connection.request("PUT", target, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = f"{address} does not answer ({error}). Is it up? `dynimo up` starts one."
        raise Refused(text, exits.UNAVAILABLE) from None
    finally:
        connection.close()
    if answer.status == 403:
        raise Refused(told["message"], exits.DENIED)
    if answer.status != 200:
        raise Refused(told.get("message", f"{address} answered {answer.status}."), exits.FAILED)
    return address, dict(told)


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
