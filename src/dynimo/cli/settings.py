"""``dynimo settings``: every setting, its default, and the variable that sets it."""

from __future__ import annotations

import json

import click

from dynimo.cli import exits


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--markdown", is_flag=True, help="Print the reference page.")
def command(as_json: bool, markdown: bool) -> int:
    """List every setting with its default and the environment variable that sets it.

    In a --config file (TOML) the key's parts before the last are its table.

    \b
    Examples:
      dynimo settings
      DYNIMO_FUNCTIONS_CONCURRENCY_MAX=50 dynimo up
    """
    from dynimo import settings

    rows = list(settings.reference())
    if as_json:
        click.echo(
            json.dumps(
                [dict(zip(("key", "default", "variable"), row, strict=True)) for row in rows]
            )
        )
    elif markdown:
        click.echo(settings.page(), nl=False)
    else:
        width = max(len(key) for key, _, _ in rows)
        for key, default, variable in rows:
            click.echo(f"{key:<{width}}  {default:<12}  {variable}")
    return exits.OK
