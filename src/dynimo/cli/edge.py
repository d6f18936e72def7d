"""``dynimo edge``: a cache of its own in front of any HTTP server. Reads flags and serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from dynimo.cli import edge_nginx, edge_store, edge_warm, exits, purge, serving, words

PROFILES = ("strict", "resilient")


@click.group("edge", invoke_without_command=True)
@click.option("--upstream", metavar="URL", help="What to cache: http(s)://HOST[:PORT][/BASE].")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on.  [default: 4566]")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--data", type=click.Path(file_okay=False), help="Data folder.  [default: ./.dynimo]")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="resilient",
    show_default=True,
    help="strict: the letter of RFC 9111. resilient: rather stale than failing.",
)
@click.option("--keep-host", is_flag=True, help="Tell the upstream the client's Host.")
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="Settings in TOML.")
@click.pass_context
def command(context: click.Context, /, **typed: Any) -> int:
    """Cache what an HTTP server answers, in memory and on disk.

    \b
    Examples:
      dynimo edge --upstream http://127.0.0.1:8000
      dynimo edge --upstream https://www.example.com --port 8080 --profile strict
    """
    if context.invoked_subcommand is not None:
        return exits.OK
    upstream = typed.pop("upstream")
    if upstream is None:
        raise click.UsageError("name what to cache: --upstream URL")
    from dynimo.model.errors import ConfigError, DynimoError

    try:
        return _serve(upstream, **typed)
    except DynimoError as error:
        click.echo(f"dynimo: {error}", err=True)
        return exits.CONFIG if isinstance(error, ConfigError) else exits.INTERNAL


def _serve(
    upstream: str, *, profile: str, keep_host: bool, config_file: str | None, **typed: Any
) -> int:
    from dynimo import settings as all_settings

    flags = {name: value for name, value in typed.items() if value is not None}
    if keep_host:
        flags["upstreams"] = {"keep_host": True}
    file = Path(config_file) if config_file else None
    settings = all_settings.read(file, os.environ, flags)
    return serving.run(settings, lambda: _run(settings, upstream, profile))


async def _run(settings: Any, upstream: str, profile: str) -> int:
    from dynimo.assembly.edge import EdgeServer

    asked = serving.until_told()
    server = EdgeServer(settings, upstream, profile=profile)
    try:
        await server.start()
        address = f"http://{serving.shown_host(settings.host)}:{server.port}"
        click.echo(f"{words.styled('✓', fg='green')} caching {upstream} ({profile})")
        click.echo(f"  Serving  {address}/   data {settings.data}")
        click.echo("  Stop with Ctrl-C.")
        await asked.wait()
    finally:
        await server.stop()
    click.echo("Stopped.", err=True)
    return exits.OK


for _each in (
    purge.command,
    edge_store.stats,
    edge_store.top,
    edge_store.inspect,
    edge_warm.command,
    edge_nginx.command,
):
    command.add_command(_each)
