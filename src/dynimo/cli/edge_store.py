"""``dynimo edge stats|top|inspect``: what a running edge holds, found through its data folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from dynimo.cli import exits
from dynimo.cli.connecting import data_option

_KEY_CHARACTERS = 70
"""Of a key in a table; ``--json`` gives all of it."""

_STATS = (
    "hits", "hits_nowait", "misses", "stale", "revalidations", "revalidated", "collapsed", "passes",
    "upstream_errors", "crowded", "fills", "memory_entries", "memory_bytes", "memory_evictions",
    "disk_entries", "disk_bytes", "disk_pending", "disk_evictions", "disk_torn", "disk_errors",
    "purges_pending",
)  # fmt: skip
_json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@click.command("stats")
@data_option
@_json_option
def stats(data: str, *, as_json: bool) -> int:
    """Show what the edge counted since its start, and what it holds; of nginx: files and purges.

    \b
    Example:
      dynimo edge stats --json
    """
    every = _ask(data, "/_dynimo/statistics")
    told = every.get("edge") or every["nginx"]
    if "shield" in every:  # several edges: what was asked of peers and of the origin
        told |= {f"shield_{name}": value for name, value in every["shield"].items()}
    if as_json:
        click.echo(json.dumps(told))
        return exits.OK
    shown = (*_STATS, *(name for name in told if name.startswith("shield_")))
    for name in shown if "edge" in every else told:
        if name in told:
            click.echo(f"{name.replace('_', ' '):<18} {told[name]:>14,}")
    asked = told.get("hits", 0) + told.get("misses", 0)
    if asked:
        click.echo(f"{'hit ratio':<18} {told['hits'] / asked:>14.1%}")
    if told.get("disk_error"):
        click.echo(f"the disk fails: {told['disk_error']}")
    return exits.OK


@click.command("top")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@data_option
@_json_option
def top(limit: int, data: str, *, as_json: bool) -> int:
    """Show the answers that were asked for most.

    Hits on answers that only the disk holds are counted to within ten minutes of their last use.

    \b
    Example:
      dynimo edge top --limit 5
    """
    found = _ask(data, f"/_dynimo/edge/top?limit={limit}")["top"]
    if as_json:
        click.echo(json.dumps(found))
        return exits.OK
    if not found:
        click.echo("nothing is stored")
        return exits.OK
    click.echo(f"{'hits':>9} {'bytes':>10} {'fresh':>7}  {'tier':<15} key")
    for each in found:
        fresh = f"{each['fresh_seconds']} s"
        click.echo(
            f"{each['hits']:>9,} {each['bytes']:>10,} {fresh:>7}  {each['tier']:<15}"
            f" {_short(each['key'])}{_variant(each)}"
        )
    return exits.OK


@click.command("inspect")
@click.argument("url")
@data_option
@_json_option
def inspect(url: str, data: str, *, as_json: bool) -> int:
    """Show how what is stored for a URL stands: its variants, age, freshness, tags, tier and hits.

    URL is a path with its query, for any host, or begins with http://HOST.

    \b
    Example:
      dynimo edge inspect '/hello?name=Ada'
    """
    found = _ask(data, f"/_dynimo/edge/inspect?url={quote(url, safe='')}")["stored"]
    if as_json:
        click.echo(json.dumps(found))
    elif not found:
        click.echo(f"nothing is stored for {url}")
    for each in () if as_json else found:
        click.echo("\n".join(_described(each)))
    return exits.OK if found else exits.NOT_FOUND


def _described(each: dict[str, Any]) -> list[str]:
    fresh = each["fresh_seconds"]
    left = f"fresh for {fresh} s" if fresh >= 0 else f"stale since {-fresh} s"
    lines = [
        each["key"] + _variant(each),
        f"  status {each['status']}, {each['bytes']:,} bytes, {each['type'] or 'no type'}",
        f"  {left}, age {each['age_seconds']} s; {each['tier']}; {each['hits']:,} hits",
    ]
    stale = [
        f"{name.replace('_', '-')} {each[name + '_seconds']} s"
        for name in ("stale_while_revalidate", "stale_if_error")
        if each[name + "_seconds"]
    ]
    lines += [f"  {', '.join(stale)}"] if stale else []
    lines += [f"  tags {' '.join(each['tags'])}"] if each["tags"] else []
    lines += [f"  etag {each['etag']}"] if each["etag"] else []
    lines += [f"  leads to {each['leads_to']}"] if each["leads_to"] else []
    return lines


def _short(key: str) -> str:
    return key if len(key) <= _KEY_CHARACTERS else key[: _KEY_CHARACTERS - 1] + "…"


def _variant(each: dict[str, Any]) -> str:
    return "".join(f"  [{name}: {value}]" for name, value in each["variant"].items())


def _ask(data: str, target: str) -> dict[str, Any]:
    from dynimo.cli import asking

    _, told = asking.ask(Path(data), "GET", target, b"")
    return told
