"""``dynimo edge nginx``: nginx as the edge before Dynimo servers. Reads flags, writes, runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits, serving, words

if TYPE_CHECKING:
    from dynimo.nginx.plan import Plan
    from dynimo.settings import Settings

_upstreams = click.option(
    "--upstream", "upstreams", metavar="URL", multiple=True, required=True,
    help="A Dynimo server: http://HOST[:PORT]; repeat it for several.",
)  # fmt: skip
_keys = click.option(
    "--upstream-key", "key_files", type=click.Path(dir_okay=False), multiple=True,
    help="File with the admin key of the upstreams, or one for each: then they are purged too.",
)  # fmt: skip


@click.command("nginx")
@_upstreams
@click.option("--port", type=click.IntRange(0, 65_535), help="Port for clients.  [default: 4566]")
@click.option("--host", help="Address for clients.  [default: 127.0.0.1]")
@click.option("--data", type=click.Path(file_okay=False), help="Data folder.  [default: ./.dynimo]")
@click.option(
    "--profile",
    type=click.Choice(("strict", "resilient")),
    default="resilient",
    show_default=True,
    help="strict: stale only as answers say. resilient: rather stale than failing.",
)
@click.option("--pass", "passed", metavar="PREFIX", multiple=True,
              help="Paths that nginx neither caches nor holds back: APIs, streams.")  # fmt: skip
@click.option("--offer", "offers", metavar="TYPE", multiple=True,
              help="Media types to negotiate between.  [default: the apps' own]")  # fmt: skip
@click.option("--balance", type=click.Choice(("key", "least")),
              default="key", show_default=True,
              help="Which server is asked: one for each URL, or the least busy.")  # fmt: skip
@click.option("--certificate", type=click.Path(dir_okay=False), help="PEM with its chain: https.")
@click.option("--certificate-key", type=click.Path(dir_okay=False), help="Its key, PEM.")
@_keys
@click.option("--answer-seconds", type=click.IntRange(1, 3600), default=60, show_default=True,
              help="How long a server may be silent.")  # fmt: skip
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="Settings in TOML.")
@click.option("--print", "act", flag_value="print", help="Only show the configuration.")
@click.option("--check", "act", flag_value="check", help="Only let nginx test it.")
@click.option("--run", "act", flag_value="run", help="Write it, and run nginx until told to stop.")
def command(act: str | None, key_files: tuple[str, ...], **typed: Any) -> int:
    """Let nginx be the edge in front of Dynimo servers: write its configuration, test it, run it.

    Without --run it is written into the data folder and tested if nginx is here. With --run,
    `dynimo edge purge --data FOLDER` purges it, and SIGHUP lets it read its certificates again.

    \b
    Examples:
      dynimo edge nginx --upstream http://127.0.0.1:4566 --port 8080 --run --data edge
      dynimo edge nginx --upstream http://10.0.0.1:4566 --upstream http://10.0.0.2:4566 --print
    """
    from dynimo.model.errors import ConfigError, DynimoError

    try:
        settings, plan = _planned(**typed)
        if act == "run":
            keys = _keys_in(key_files, len(plan.upstreams))
            return serving.run(settings, lambda: _run(settings, plan, keys))
        return _written(plan, act)
    except (DynimoError, ValueError) as error:
        click.echo(f"dynimo: {error}", err=True)
        fit = isinstance(error, ConfigError | ValueError)
        return exits.CONFIG if fit else exits.INTERNAL


def _planned(
    *, profile: str, upstreams: tuple[str, ...], passed: tuple[str, ...], offers: tuple[str, ...],
    balance: str, certificate: str | None, certificate_key: str | None, answer_seconds: int,
    config_file: str | None, **typed: Any,
) -> tuple[Settings, Plan]:  # fmt: skip
    from dynimo import settings as all_settings
    from dynimo.nginx import program
    from dynimo.nginx.plan import Plan

    flags = {name: value for name, value in typed.items() if value is not None}
    file = Path(config_file) if config_file else None
    settings = all_settings.read(file, os.environ, flags)
    return settings, Plan(
        upstreams=upstreams, host=settings.host, passed=passed, by_key=balance == "key",
        port=settings.port or program.free_port(settings.host),
        folder=Path(settings.data) / "nginx", stale=profile == "resilient",
        offers=offers or _offered(settings), user=program.user(), log=settings.log.requests,
        certificate=str(Path(certificate).absolute()) if certificate else "",
        certificate_key=str(Path(certificate_key).absolute()) if certificate_key else "",
        cache_bytes=settings.edge.disk_bytes, body_bytes_max=settings.web.body_bytes_max,
        answer_seconds=answer_seconds,
    )  # fmt: skip


def _offered(settings: Settings) -> tuple[str, ...]:
    """What the routes of the apps that are known here negotiate between."""
    from dynimo import discovery

    routes = (
        route for app in discovery.apps(settings.app_folders, settings.apps) for route in app.routes
    )
    return tuple(dict.fromkeys(offer for route in routes for offer in route.accept))


def _keys_in(files: tuple[str, ...], upstreams: int) -> tuple[str, ...]:
    if len(files) not in {0, 1, upstreams}:
        raise ValueError(
            f"{len(files)} --upstream-key for {upstreams} upstreams: one, or one each."
        )
    return tuple(Path(file).read_text().strip() for file in files)


def _written(plan: Plan, act: str | None) -> int:
    """Show the configuration, test it, or write and test it."""
    from dynimo.model.errors import ConfigError
    from dynimo.nginx import configuring, program

    config = configuring.config(plan)
    if act == "print":
        click.echo(config, nl=False)
        return exits.OK
    try:
        found = program.find()
    except ConfigError as error:
        if act == "check":
            raise
        found = None
        click.echo(f"dynimo: not tested: {error}", err=True)
    if act == "check":
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            program.prepare(plan.folder, plan.user)
            file.write(config)
            file.flush()
            program.test(found or "", plan.folder, Path(file.name))
        click.echo(f"{words.styled('✓', fg='green')} nginx would serve this")
        return exits.OK
    program.prepare(plan.folder, plan.user)
    path = program.write(plan.folder, config, found)
    click.echo(f"{words.styled('✓', fg='green')} {path}" + (" (tested)" if found else ""))
    return exits.OK


async def _run(settings: Settings, plan: Plan, keys: tuple[str, ...]) -> int:
    import asyncio

    from dynimo.assembly.nginx import NginxEdge

    asked = asyncio.create_task(serving.until_told().wait())
    edge = NginxEdge(settings, plan, keys=keys)
    try:
        await edge.start()
        serving.on_hangup(edge.reload)
        address = f"{plan.scheme}://{serving.shown_host(plan.host)}:{plan.port}"
        behind = "purged too" if keys else "not purged: no --upstream-key"
        click.echo(f"{words.styled('✓', fg='green')} nginx before {', '.join(plan.upstreams)}")
        click.echo(f"  Serving  {address}/   data {settings.data}   (upstreams are {behind})")
        click.echo("  Stop with Ctrl-C.")
        ended = asyncio.create_task(edge.ended())
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
    finally:
        await edge.stop()
    if not asked.done():
        click.echo(f"dynimo: nginx ended; {plan.folder}/error.log may say why.", err=True)
        return exits.FAILED
    click.echo("Stopped.", err=True)
    return exits.OK
