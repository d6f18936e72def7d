"""``dynimo dev``: a platform beside the editor; each change is deployed at once, and answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits, words
from dynimo.cli.connecting import Refused, client_of
from dynimo.cli.invoke import event_bytes
from dynimo.cli.logs import legible

if TYPE_CHECKING:
    from dynimo.assembly import Platform
    from dynimo.deploying.wanted import WantedFunction
    from dynimo.logs.feed import Feed

POLL_SECONDS = 0.2
SETTLE_SECONDS = 0.05
"""An editor writes in several steps; two looks must agree before a change counts."""


@click.command("dev")
@click.argument("source")
@click.option("--name", default="", help="The function's name (a single file only).")
@click.option("--event", help="Invoke with this after every change: JSON, or a file.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on.  [default: 4566]")
@click.option("--data", type=click.Path(file_okay=False), help="Data folder.  [default: temporary]")
def command(source: str, name: str, event: str | None, port: int | None, data: str | None) -> int:
    """Serve SOURCE while it is written: FILE[::HANDLER], or a folder with app.toml or a template.

    Every change is deployed at once and its log is shown here. Ctrl-C ends it.

    \b
    Examples:
      dynimo dev hello.py
      dynimo dev hello.py --event '{"name": "Ada"}'
      dynimo dev shop --port 8080
    """
    from dynimo.deploying.plain import parse
    from dynimo.model.errors import ConfigError, DynimoError

    if event is not None:
        event_bytes(event)  # refused now rather than at the first change
    path, _ = parse(source)
    if not path.exists():
        raise Refused(f"{path}: there is no such file or folder.", exits.NOT_FOUND)
    if name and path.is_dir():
        raise click.UsageError(f"{source} is a folder, and --name is for a single file")
    try:
        with contextlib.ExitStack() as stack:
            if data is None:
                data = stack.enter_context(tempfile.TemporaryDirectory(prefix="dynimo-dev-"))
                Path(data).chmod(0o755)  # functions run as users of their own and pass through
            return _serve(_Session(source, name, event, Path(data).resolve()), port)
    except DynimoError as error:
        code = exits.CONFIG if isinstance(error, ConfigError) else exits.INTERNAL
        raise Refused(str(error), code) from None


def _serve(session: _Session, port: int | None) -> int:
    from dynimo import settings as all_settings
    from dynimo import telemetry

    flags: dict[str, Any] = {"data": str(session.data)}
    if port is not None:
        flags["port"] = port
    level = os.environ.get("DYNIMO_LOG_LEVEL", "WARNING")  # the functions' lines come by the feed
    form = os.environ.get("DYNIMO_LOG_FORM", "plain")
    flags["log"] = {"level": level, "form": form, "requests": False}
    settings = all_settings.read(None, os.environ, flags)
    telemetry.set_up_logging(level=settings.log.level, form=settings.log.form)
    return asyncio.run(session.serve(settings))


class _Session:
    """One source under watch, and the platform that serves it."""

    def __init__(self, source: str, name: str, event: str | None, data: Path) -> None:
        from dynimo.deploying.plain import parse

        self.source = source
        self.data = data
        self._path = parse(source)[0]
        self._name = name
        self._event = event
        self._names: list[str] = []
        self._functions: tuple[WantedFunction, ...] = ()
        self._routes: list[str] = []
        self._known = False
        self._told: set[str] = set()
        self._asked = asyncio.Event()

    async def serve(self, settings: Any) -> int:
        """Bring the platform up, watch until told to stop, take it down."""
        from dynimo.assembly import Platform

        began = time.monotonic()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked.set)
        platform = await Platform.assemble(settings, Path.cwd())
        try:
            await platform.start()
            feed = platform.logs.follow(settings.identity.account)
            shown = loop.create_task(self._show(feed))
            address = f"http://{settings.host}:{platform.port}"
            say(f"serving {address}   {time.monotonic() - began:.1f}s   Ctrl-C ends it")
            await self._watch(platform, address)
            feed.close()
            await shown
        finally:
            await platform.stop(0)
        click.echo("Stopped.", err=True)
        return exits.OK

    async def _watch(self, platform: Platform, address: str) -> None:
        """Deploy now, and after every change, until told to stop."""
        from dynimo.deploying import watching

        before: watching.State = frozenset()
        while not self._asked.is_set():
            now = await asyncio.to_thread(watching.state, self._path)
            if now and now != before:
                await asyncio.sleep(SETTLE_SECONDS)
                if await asyncio.to_thread(watching.state, self._path) != now:
                    continue
                before = now
                await self._again(platform, address)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), POLL_SECONDS)

    async def _again(self, platform: Platform, address: str) -> None:
        """Deploy what is there; what is wrong with it is shown, and waits for the next change."""
        from dynimo.model.errors import DynimoError

        began = time.monotonic()
        try:
            if (self._path / "app.toml").is_file():
                changed = await self._deploy_app(platform)
            else:
                changed = await asyncio.to_thread(self._deploy)
        except (DynimoError, OSError) as error:
            say(words.styled(f"✗ {error}", fg="red"))
            return
        except click.ClickException as error:
            say(words.styled(f"✗ {error.message}", fg="red"))
            return
        first, self._known = not self._known, True
        if not changed and not first:
            return
        tick = words.styled("✓", fg="green")
        what = ", ".join(self._names) or self.source
        say(f"{tick} {what}   {(time.monotonic() - began) * 1000:.0f} ms")
        if first:
            await asyncio.to_thread(self._hint, address)
        if self._event is not None:
            await asyncio.to_thread(self._invoke)

    def _deploy(self) -> bool:
        """Bring the platform to what the source says; whether anything changed."""
        from dynimo.cli.deploy import read_source
        from dynimo.deploying import applying
        from dynimo.deploying.requirements import missing

        wanted = read_source(self.source, self._name, {})
        for text in (*(f"ignored  {each}" for each in wanted.ignored), *missing(wanted)):
            if text not in self._told:
                self._told.add(text)
                say(words.styled(text, fg="yellow"))
        done: list[str] = []
        with contextlib.closing(client_of(self.data)) as client:
            self._functions = wanted.functions
            self._names = [each.name for each in wanted.functions]
            applying.deploy(client, wanted, tell=lambda _, text: done.append(text))
        return bool(done)

    async def _deploy_app(self, platform: Platform) -> bool:
        """The same for an app's folder, whose routes the platform serves."""
        told = await platform.uploads.deploy(self._path, chosen=True)
        platform.settle_roles()
        self._names = [each["name"] for each in told["functions"] if each["state"] != "removed"]
        deployed = platform.apps.deployed[told["app"]]
        self._routes = [*deployed.app.examples] or [route.path for route in deployed.routes]
        for path in self._routes:  # what was answered before the change is not shown after it
            await platform.cache.purge(path.partition("?")[0], prefix=True)
        moved = any(told["routes"].values())
        return moved or any(each["state"] != "unchanged" for each in told["functions"])

    def _hint(self, address: str) -> None:
        from dynimo.deploying import besides
        from dynimo.model.errors import DynimoError

        for path in self._routes:
            say(f"  Open     {address}{path}")
        with contextlib.closing(client_of(self.data)) as client:
            for function in self._functions:
                with contextlib.suppress(DynimoError):
                    url = besides.any_address(client, function)
                    say(f"  URL      {url.rstrip('/')}")
        data = shlex.quote(str(self.data))
        for name in self._names[:1]:  # an app may be routes alone
            say(f"  Invoke   dynimo invoke {name} --data {data}")
        say(f'  AWS CLI  eval "$(dynimo env --data {data})"   ({address})')

    def _invoke(self) -> None:
        from dynimo.model.errors import DynimoError

        with contextlib.closing(client_of(self.data)) as client:
            for name in self._names:
                try:
                    event = event_bytes(self._event)
                    qualifier = "live" if self._routes else ""
                    answer, payload, _ = client.invoke(name, event, qualifier=qualifier)
                except (DynimoError, click.ClickException) as error:
                    say(words.styled(f"✗ {error}", fg="red"))
                    continue
                failed = answer.headers.get("x-amz-function-error")
                text = payload.decode("utf-8", "replace")
                say(words.styled(f"→ {text}", fg="red" if failed else "cyan"))

    async def _show(self, feed: Feed) -> None:
        """Lines of functions, as they come."""
        async for line in feed:
            text = legible(line.text)
            say(words.styled(text, fg="bright_black") if line.kind == "platform" else text)


def say(text: str) -> None:
    """One line, at once, also into a pipe."""
    click.echo(text)
    sys.stdout.flush()
