"""``dynimo versions``: what versions a function has, and which aliases lead to them."""

from __future__ import annotations

import json
from typing import Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import connected, data_option, json_option


@click.command("versions")
@click.argument("function", required=False)
@data_option
@json_option
def command(function: str | None, data: str, as_json: bool) -> int:
    """Show the versions of FUNCTION, or without it every function.

    \b
    Examples:
      dynimo versions
      dynimo versions hello
    """
    from dynimo.deploying.client import function_path

    with connected(data) as client:
        if function is None:
            _functions(list(client.pages("/2015-03-31/functions", "Functions")), as_json=as_json)
            return exits.OK
        path = function_path(function)
        versions = list(client.pages(f"{path}/versions", "Versions"))
        aliases = list(client.pages(f"{path}/aliases", "Aliases"))
    shares = _shares(aliases)
    if as_json:
        rows = [
            {
                "version": each["Version"],
                "code_sha256": each["CodeSha256"],
                "modified": each["LastModified"],
                "description": each.get("Description", ""),
                "aliases": shares.get(each["Version"], {}),
            }
            for each in versions
        ]
        click.echo(json.dumps(rows))
        return exits.OK
    for each in versions:
        led = ", ".join(
            name if share == 1 else f"{name} {share * 100:.6g}%"
            for name, share in shares.get(each["Version"], {}).items()
        )
        click.echo(
            f"  {each['Version']:>8}  {each['CodeSha256'][:12]}  {each['LastModified']}  {led}"
        )
    return exits.OK


def _functions(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        names = ("FunctionName", "Runtime", "MemorySize", "Timeout", "LastModified")
        click.echo(json.dumps([{key: each.get(key) for key in names} for each in found]))
        return
    for each in sorted(found, key=lambda each: str(each["FunctionName"])):
        click.echo(
            f"  {each['FunctionName']:<32} {each.get('Runtime', ''):<16}"
            f" {each['MemorySize']:>6} MB {each['Timeout']:>4} s  {each['LastModified']}"
        )
    if not found:
        click.echo("No function is there yet; `dynimo deploy FILE` makes one.")


def _shares(aliases: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Version → alias → its share of the alias's calls."""
    shares: dict[str, dict[str, float]] = {}
    for alias in aliases:
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        rest = 1.0 - sum(weights.values())
        for version, share in ((alias["FunctionVersion"], rest), *weights.items()):
            shares.setdefault(version, {})[alias["Name"]] = share
    return shares
