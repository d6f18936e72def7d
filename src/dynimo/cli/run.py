"""``dynimo run``: run one handler once, as a deployed one would run, without a server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits, words
from dynimo.cli.connecting import Refused, account, json_option, region
from dynimo.cli.invoke import event_bytes, shown_value
from dynimo.cli.logs import legible

if TYPE_CHECKING:
    from dynimo.deploying.trial import Trial
    from dynimo.model.caller import Caller
    from dynimo.model.function import Version
    from dynimo.model.invocation import Outcome
    from dynimo.ports import Line


@click.command("run")
@click.argument("source")
@click.option("--event", help="JSON, or a file that holds it, or - for what comes in.")
@click.option("--timeout", type=click.FloatRange(0.05, 900), help="Seconds it may take.")
@click.option("--memory", type=click.IntRange(64, 10_240), help="MiB it may use.")
@click.option("--caller", metavar="ARN", help="Who an app's function is told has signed.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of it.")
@json_option
def command(
    source: str,
    event: str | None,
    timeout: float | None,
    memory: int | None,
    caller: str | None,
    variables: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run SOURCE once in the real sandbox: FILE[::HANDLER], or FOLDER[::FUNCTION].

    Its answer goes to standard output, its log to standard error; nothing is deployed or kept.

    \b
    Examples:
      dynimo run hello.py
      dynimo run hello.py::greet --event '{"name": "Ada"}'
      dynimo run shop::http-api --event event.json --timeout 10
    """
    from dynimo.model.errors import DynimoError

    body = event_bytes(event)
    given = dict(pair(each) for each in variables)
    try:
        trial = _trial(source, timeout, memory, given)
        for note in trial.notes:
            click.echo(words.styled(f"note  {note}", fg="yellow"), err=True)
        lines: list[Line] = []
        with tempfile.TemporaryDirectory(prefix="dynimo-run-") as made:
            version = _unpacked(trial, Path(made))
            logs = _Printed(lines, quiet=as_json)
            run = _run(trial, version, body, logs, Path(made), _caller(caller))
            outcome = asyncio.run(run)
    except DynimoError as error:
        missing = error.status == 404
        raise Refused(str(error), exits.NOT_FOUND if missing else exits.FAILED) from None
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.", exits.DENIED) from None
    if as_json:
        click.echo(json.dumps(_told(trial, outcome, lines)))
    else:
        _show(outcome)
    return exits.FAILED if outcome.error is not None else exits.OK


def pair(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` as a pair.

    Raises:
        click.UsageError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--env {text!r} must be NAME=VALUE")
    return name, value


def _caller(arn: str | None) -> Caller | None:
    """One who signed, as far as the function sees."""
    from dynimo.model.caller import Caller

    if arn is None:
        return None
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise click.UsageError(f"--caller {arn!r} must be an ARN")
    return Caller(arn=arn, account=parts[4], principal=arn, signed=True)


def _trial(
    source: str, timeout: float | None, memory: int | None, variables: dict[str, str]
) -> Trial:
    """The function, with what was typed over what it declares."""
    from dynimo.deploying import trial
    from dynimo.model.names import Place

    read = trial.read(source, Place(account(), region()))
    declared = read.configuration
    configuration = replace(
        declared,
        timeout_seconds=timeout or declared.timeout_seconds,
        memory_mib=memory or declared.memory_mib,
        environment={**(declared.environment or {}), **variables} or None,
    )
    return replace(read, configuration=configuration)


class _Printed:
    """ports.Logs that keeps every line, and shows it unless it is to be quiet."""

    def __init__(self, lines: list[Line], *, quiet: bool) -> None:
        self._lines = lines
        self._quiet = quiet

    def write(self, *lines: Line) -> None:
        """Keep lines, and show them."""
        self._lines += lines
        if not self._quiet:
            for line in lines:
                click.echo(legible(line.text), err=True)


def _unpacked(trial: Trial, folder: Path) -> Version:
    """The code as the platform would keep it, in ``folder``."""
    from dynimo.model.function import Version
    from dynimo.model.names import Place
    from dynimo.registry.config import Config
    from dynimo.registry.zips import unpack

    folder.chmod(0o755)  # functions run as users of their own and pass through here
    code = folder / "code"
    code.mkdir()
    unpack(trial.zip, code, Config())
    return Version(
        function=trial.name,
        number=0,
        sha256="",
        code=code,
        configuration=trial.configuration,
        place=Place(account(), region()),
    )


async def _run(
    trial: Trial,
    version: Version,
    event: bytes,
    logs: _Printed,
    folder: Path,
    caller: Caller | None,
) -> Outcome:
    from dynimo import settings as all_settings
    from dynimo.assembly import single
    from dynimo.sdk.settings import DEVELOPMENT_VARIABLE, SETTINGS_VARIABLE, SOURCES_VARIABLE

    own: dict[str, str] = {}
    places = {name: str(version.code / below) for name, below in trial.sources.items()}
    if not trial.configuration.runtime:
        own = {SETTINGS_VARIABLE: "{}", SOURCES_VARIABLE: json.dumps(places)}
        own[DEVELOPMENT_VARIABLE] = "1"
    settings = all_settings.read(None, os.environ, {})
    scratch = folder / "scratch"
    async with single.opened(
        version,
        settings=settings,
        scratch=scratch,
        logs=logs,
        own=own,
        readable=tuple(map(Path, places.values())),
        state=trial.state,
    ) as opened:
        return await opened.invoke(event, caller)


def _show(outcome: Outcome) -> None:
    """The answer, or the error as AWS would return it, on standard output."""
    sys.stderr.flush()
    if outcome.error is not None:
        kind, text = outcome.error.get("errorType"), outcome.error.get("errorMessage")
        click.echo(words.styled(f"failed: {kind}: {text}", fg="red"), err=True)
    sys.stdout.buffer.write(_payload(outcome) + b"\n")
    sys.stdout.flush()


def _payload(outcome: Outcome) -> bytes:
    if outcome.error is not None:
        return json.dumps(outcome.error).encode()
    if outcome.reply is not None:
        from dynimo.api.aws.lambda_invoke import described

        return json.dumps(described(outcome.reply)).encode()
    return outcome.value or b"null"


def _told(trial: Trial, outcome: Outcome, lines: list[Line]) -> dict[str, Any]:
    return {
        "function": trial.name,
        "request": outcome.id,
        "error": outcome.killed or "function" if outcome.error is not None else None,
        "payload": shown_value(_payload(outcome)),
        "duration_ms": round(outcome.duration_ms, 2),
        "init_ms": round(outcome.init_ms, 2),
        "memory_mib": outcome.max_rss_kib // 1024,
        "log": [line.text for line in lines],
    }
