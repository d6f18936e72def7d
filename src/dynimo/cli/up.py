"""``dynimo up``: serve until told to stop. Reads flags, starts the platform, says where to look."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from dynimo.cli import exits, serving, words


@click.command("up", short_help="Serve.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on.  [default: 4566]")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--data", type=click.Path(file_okay=False), help="Data folder.  [default: ./.dynimo]")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME=FOLDER_OR_URL",
    help="A named place that files come from; may be repeated.",
)
@click.option(
    "--app",
    "app_folders",
    multiple=True,
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="An app of yours to deploy (a folder with app.toml); may be repeated.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that speak HTTP on the port; SIGHUP replaces them one by one.  [default: 1]",
)
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="Settings in TOML.")
def command(
    port: int | None,
    host: str | None,
    data: str | None,
    sources: tuple[str, ...],
    app_folders: tuple[str, ...],
    workers: int | None,
    config_file: str | None,
) -> int:
    """Serve: set up the data folder, deploy the apps, answer requests.

    \b
    Examples:
      dynimo up
      dynimo up --source media=/srv/media --source shop=https://cdn.example.com/
    """
    from dynimo.model.errors import DynimoError

    began = time.monotonic()
    flags = _flags(
        port=port, host=host, data=data, sources=sources, app_folders=app_folders, workers=workers
    )
    file = Path(config_file) if config_file else None
    try:
        return _serve(flags, file, began)
    except DynimoError as error:
        click.echo(f"dynimo: {error}", err=True)
        from dynimo.model.errors import ConfigError, DeployError, InitError

        given = isinstance(error, ConfigError | DeployError | InitError)
        return exits.CONFIG if given else exits.INTERNAL


def _flags(**typed: Any) -> dict[str, Any]:
    """What was typed, and only that, in the shape of settings."""
    flags = {name: value for name, value in typed.items() if value not in (None, ())}
    places: dict[str, str] = {}
    for each in flags.pop("sources", ()):
        name, equals, place = each.partition("=")
        if not equals or not name or not place:
            raise click.BadParameter(f"{each!r} must be NAME=FOLDER_OR_URL", param_hint="--source")
        if not place.startswith(("http://", "https://")):
            place = str(Path(place).expanduser().resolve())
        places[name] = place
    if places:
        flags["sources"] = places
    for name in ("data", "app_folders"):
        if name == "data" and name in flags:
            flags[name] = str(Path(flags[name]).expanduser().resolve())
        elif name in flags:
            flags[name] = tuple(str(Path(each).expanduser().resolve()) for each in flags[name])
    return flags


def _serve(flags: dict[str, Any], file: Path | None, began: float) -> int:
    from dynimo import settings as all_settings

    settings = all_settings.read(file, os.environ, flags)
    base = file.parent if file is not None else Path.cwd()
    return serving.run(settings, lambda: _run(settings, base, began))


async def _run(settings: Any, base: Path, began: float) -> int:
    from dynimo.assembly import Platform
    from dynimo.model.errors import DynimoError

    asked = serving.until_told()
    platform = await Platform.assemble(settings, base)
    try:
        try:
            await platform.start()
        except* DynimoError as group:
            raise _first(group) from None
        _tell(platform, began)
        serving.on_hangup(platform.reload)
        await asked.wait()
    finally:
        await platform.stop()
    click.echo("Stopped.", err=True)
    return exits.OK


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first plain error inside nested groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(platform: Any, began: float) -> None:
    """Say what was done and where to look."""
    tick = words.styled("✓", fg="green")
    names = ", ".join(str(version) for version in platform.apps.versions.values())
    level, *measures = words.isolation(platform.sandbox.describe())
    address = f"http://{serving.shown_host(platform.settings.host)}:{platform.port}"
    click.echo(f"{tick} {names}   {time.monotonic() - began:.1f}s")
    click.echo(f"{tick} {level}")
    for line in measures:
        click.echo(f"  {line}")
    if platform.port != platform.settings.port and platform.settings.port:
        click.echo(f"  port {platform.settings.port} is busy; using {platform.port}")
    if platform.settings.host not in {"127.0.0.1", "localhost", "::1"}:
        click.echo(words.styled(f"  anyone who reaches {address} can use it", fg="yellow"))
    places = platform.settings.sources
    for name, place in places.items():
        click.echo(f"  Source   {name} = {place}")
        if platform.unreadable(place):
            hint = f"functions run as users of their own: chmod -R o+rX {place}"
            click.echo(words.styled(f"           not readable by others; {hint}", fg="yellow"))
    click.echo(f"  Serving  {address}/   data {_short(platform.folder.path)}")
    if platform.front.https.port:
        host = serving.shown_host(platform.settings.host)
        click.echo(f"           https://{host}:{platform.front.https.port}/")
    examples = [example for app in platform.apps.found for example in app.examples]
    for number, example in enumerate(examples):
        click.echo(f"  {'Open' if not number else '    '}     {address}{example}")
    click.echo("  Stop with Ctrl-C.")
    sys.stdout.flush()


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
