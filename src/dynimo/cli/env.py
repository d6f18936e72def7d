"""``dynimo env``: the lines that point AWS's tools at this platform, with its development key."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import click

from dynimo.cli import exits
from dynimo.cli.connecting import data_option, json_option, keyring_of

PORT_DEFAULT = 4566
"""As in ``Settings``, which would take its time to load."""
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - told, not bound


@click.command("env")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help=f"Port of the server.  [default: of the one that runs, else {PORT_DEFAULT}]",
)
@data_option
@json_option
def command(port: int | None, data: str, as_json: bool) -> int:
    """Print export lines for AWS's tools: the address, and the development key of the data folder.

    \b
    Examples:
      eval "$(dynimo env)"
      aws lambda list-functions
    """
    folder = Path(data)
    with keyring_of(folder) as keyring:
        key, secret = keyring.development()
        variables = {
            "AWS_ENDPOINT_URL": _address(folder, port),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": keyring.region,
        }
    if as_json:
        click.echo(json.dumps(variables))
    else:
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
    return exits.OK


def _address(folder: Path, port: int | None) -> str:
    """The port that was typed, the running server's address, or the default's."""
    from dynimo.datafolder import ADDRESS_FILE

    if port is not None:
        return f"http://127.0.0.1:{port}"
    try:
        text = (folder / ADDRESS_FILE).read_text().strip()
    except OSError:
        number = os.environ.get("DYNIMO_PORT", "")
        usable = number.isdigit() and 0 < int(number) <= 65_535
        return f"http://127.0.0.1:{number if usable else PORT_DEFAULT}"
    host, _, number = text.removeprefix("http://").rpartition(":")
    host = _ANYWHERE.get(host, host)
    return (
        f"http://[{host}]:{number}" if ":" in host and host[0] != "[" else f"http://{host}:{number}"
    )
