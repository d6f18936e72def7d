"""``dynimo purge``: ask a running server, found through its data folder, to drop stored answers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import click

from dynimo.cli import exits
from dynimo.cli.connecting import data_option

TIMEOUT_SECONDS = 10


@click.command("purge")
@click.argument("url", required=False)
@click.option("--prefix", help="Drop everything whose path begins like this.")
@click.option("--all", "everything", is_flag=True, help="Drop everything.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    url: str | None,
    prefix: str | None,
    everything: bool,
    data: str,
    as_json: bool,
) -> int:
    """Drop stored answers: one URL (a path with its query), a prefix, or everything.

    \b
    Examples:
      dynimo purge '/hello?name=Ada'
      dynimo purge --prefix /hello/
      dynimo purge --all
    """
    if sum((url is not None, prefix is not None, everything)) != 1:
        raise click.UsageError("name a URL, or --prefix, or --all")
    asked: dict[str, object] = {"everything": True}
    if url is not None:
        asked = {"url": "/" + url.partition("://")[2].partition("/")[2] if "://" in url else url}
    elif prefix is not None:
        asked = {"prefix": prefix}
    from dynimo.datafolder import ADDRESS_FILE, KEY_FILE

    folder = Path(data)
    try:
        address = (folder / ADDRESS_FILE).read_text().strip()
        key = (folder / KEY_FILE).read_text().strip()
    except FileNotFoundError:
        text = f"no server runs on {folder}; start one with `dynimo up`, or name its --data folder."
        click.echo(f"dynimo: {text}", err=True)
        return exits.UNAVAILABLE
    except OSError as error:
        click.echo(f"dynimo: {error.filename}: {error.strerror}", err=True)
        return exits.DENIED
    request = urllib.request.Request(  # noqa: S310 - our own server's address
        f"{address}/_dynimo/purge",
        data=json.dumps(asked).encode(),
        headers={"x-dynimo-key": key, "content-type": "application/json"},
    )
    return _ask(request, address, as_json=as_json)


def _ask(request: urllib.request.Request, address: str, *, as_json: bool) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            purged = json.load(answer)["purged"]
    except urllib.error.HTTPError as error:
        click.echo(f"dynimo: {json.load(error).get('message', error)}", err=True)
        return exits.DENIED if error.code == 403 else exits.USAGE
    except OSError as error:
        click.echo(f"dynimo: {address} does not answer ({error}).", err=True)
        return exits.UNAVAILABLE
    click.echo(json.dumps({"purged": purged}) if as_json else f"{purged} dropped")
    return exits.OK
