"""``dynimo rollback``: lead an alias back to the version before, or end a canary."""

from __future__ import annotations

import json
from typing import Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused, connected, data_option, json_option


@click.command("rollback")
@click.argument("function")
@click.option("--alias", default="live", show_default=True, help="Which alias to lead back.")
@click.option("--to", "wanted", help="The version; otherwise the one before, or the stable one.")
@data_option
@json_option
def command(function: str, alias: str, wanted: str | None, data: str, as_json: bool) -> int:
    """Lead an alias of FUNCTION back: end its canary, or else take the version before.

    \b
    Examples:
      dynimo rollback hello
      dynimo rollback hello --alias live --to 2
    """
    from dynimo.deploying.client import function_path

    path = function_path(function)
    with connected(data) as client:
        present = client.call("GET", f"{path}/aliases/{alias}")
        versions = [each["Version"] for each in client.pages(f"{path}/versions", "Versions")]
        target = wanted or before(present, versions)
        if target is None:
            text = f"{function}: no version comes before {present['FunctionVersion']}"
            raise Refused(f"{text}; `dynimo versions {function}` lists them.", exits.NOT_FOUND)
        document = {
            "FunctionVersion": target,
            "RoutingConfig": {"AdditionalVersionWeights": {}},
            "RevisionId": present["RevisionId"],
        }
        client.call("PUT", f"{path}/aliases/{alias}", document)
    told = {"function": function, "alias": alias, "from": present["FunctionVersion"], "to": target}
    click.echo(json.dumps(told) if as_json else f"{function}: alias {alias} → {target}")
    return exits.OK


def before(alias: dict[str, Any], versions: list[str]) -> str | None:
    """Where a rollback leads: the stable version of a canary, else the next lower number."""
    current = str(alias["FunctionVersion"])
    if (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
        return current
    numbers = sorted(int(each) for each in versions if each.isdigit())
    lower = [number for number in numbers if current.isdigit() and number < int(current)]
    return str(lower[-1]) if lower else None
