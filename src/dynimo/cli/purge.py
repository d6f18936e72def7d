"""``dynimo purge``: ask a running server, found through its data folder, to drop stored answers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dynimo.cli import exits
from dynimo.cli.connecting import data_option


@click.command("purge")
@click.argument("url", required=False)
@click.option("--prefix", help="Drop everything whose path begins like this.")
@click.option("--tag", "tags", multiple=True, help="Drop all that bears a tag; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Drop everything.")
@click.option(
    "--soft", is_flag=True, help="Keep it, stale: it may serve until the new one is there."
)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    url: str | None,
    prefix: str | None,
    tags: tuple[str, ...],
    *,
    everything: bool,
    soft: bool,
    data: str,
    as_json: bool,
) -> int:
    """Drop stored answers: one URL (a path with its query), a prefix, a tag, or everything.

    Tags are what answers name in Surrogate-Key or Cache-Tag.

    \b
    Examples:
      dynimo purge '/hello?name=Ada'
      dynimo purge --prefix /hello/
      dynimo purge --tag artwork-7 --soft
      dynimo purge --all
    """
    if sum((url is not None, prefix is not None, bool(tags), everything)) != 1:
        raise click.UsageError("name a URL, or --prefix, or --tag, or --all")
    asked: dict[str, object] = {"everything": True}
    if url is not None:
        asked = {"url": "/" + url.partition("://")[2].partition("/")[2] if "://" in url else url}
    elif prefix is not None:
        asked = {"prefix": prefix}
    elif tags:
        asked = {"tags": list(tags)}
    if soft:
        asked["soft"] = True
    from dynimo.cli import asking

    body = json.dumps(asked).encode()
    _, told = asking.ask(Path(data), "POST", "/_dynimo/purge", body)
    purged = told["purged"]
    click.echo(
        json.dumps({"purged": purged})
        if as_json
        else f"{purged} {'made stale' if soft else 'dropped'}"
    )
    return exits.OK
