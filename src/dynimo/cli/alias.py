"""``dynimo alias``: point a name at a version, wholly or for a share of the calls."""

from __future__ import annotations

import json
import re

import click

from dynimo.cli import exits
from dynimo.cli.connecting import connected, data_option, json_option

_SHARE = re.compile(r"([A-Za-z0-9-_]{1,128})(?:=(\d{1,3}(?:\.\d+)?)%)?")


@click.command("alias")
@click.argument("function")
@click.argument("alias")
@click.argument("version", required=False)
@click.option("--delete", is_flag=True, help="Take the alias away.")
@data_option
@json_option
def command(
    function: str, alias: str, version: str | None, delete: bool, data: str, as_json: bool
) -> int:
    """Point ALIAS of FUNCTION at VERSION; ALIAS=10% gives it that share and leaves the rest.

    \b
    Examples:
      dynimo alias hello live 3
      dynimo alias hello live=10% 4
      dynimo alias hello live            (shows it)
    """
    from dynimo.deploying.applying import move_alias
    from dynimo.deploying.client import function_path

    name, percent = share(alias)
    path = f"{function_path(function)}/aliases/{name}"
    with connected(data) as client:
        if delete:
            client.call("GET", path)  # AWS's DELETE is content with one that is not there
            client.call("DELETE", path)
            told = f"alias {name} deleted"
        elif version is None:
            found = client.call("GET", path)
            weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
            rest = "".join(f", {weight * 100:.6g}% {number}" for number, weight in weights.items())
            told = (
                json.dumps(found) if as_json else f"alias {name} → {found['FunctionVersion']}{rest}"
            )
            click.echo(told)
            return exits.OK
        else:
            moved = move_alias(client, function, name, version, percent)
            told = moved or f"alias {name} → {version}"
    click.echo(json.dumps({"done": told}) if as_json else told)
    return exits.OK


def share(text: str) -> tuple[str, float]:
    """``live`` or ``live=10%`` as a name and per cent (100 when none is given).

    Raises:
        click.UsageError: it is neither.
    """
    match = _SHARE.fullmatch(text)
    percent = float(match[2]) if match and match[2] else 100.0
    if match is None or percent > 100:
        raise click.UsageError(f"{text!r} must be NAME or NAME=PERCENT% (live=10%)")
    return match[1], percent
