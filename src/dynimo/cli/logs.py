"""``dynimo logs``: what a function wrote, and the platform about it; live with ``-f``."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import durations, exits
from dynimo.cli.connecting import (
    Refused,
    account,
    connected,
    data_option,
    data_typed,
    json_option,
)
from dynimo.cli.words import styled

if TYPE_CHECKING:
    from dynimo.cli.log_sources import Entry, Keep, Source

LINES_DEFAULT = 100
LINES_BEFORE_FOLLOWING = 10
_GROUP_PREFIX = "/aws/lambda/"
_NAME = re.compile(r"(?:arn:[^:]+:lambda:[^:]*:[^:]*:)?(?:function:)?([^:]+)(?::([^:]+))?")
_VERSION = re.compile(r"\[([^\]]+)\]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
_BAD = re.compile(
    r"\[ERROR\]|\[CRITICAL\]|Task timed out after|\tStatus: |Traceback \(most|\"level\": ?\"ERROR"
)


@click.command("logs")
@click.argument("function")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@click.option("--since", help="From when on: 10m, 2h, 3d, or a time in ISO form.")
@click.option("-n", "--lines", type=click.IntRange(1), help="The last so many.  [default: 100]")
@click.option("--request", default="", help="Only the lines of the invocation with this id.")
@data_option
@json_option
def command(
    function: str,
    follow: bool,
    since: str | None,
    lines: int | None,
    request: str,
    data: str,
    as_json: bool,
) -> int:
    """Show the log of FUNCTION (a name, NAME:VERSION, an ARN, or a log group as /my/group).

    \b
    Examples:
      dynimo logs hello
      dynimo logs hello -f
      dynimo logs hello --since 10m --request 6f747a5b-7f7e-4d8c-9c1b-2c0d2b8f6a11
    """
    if since is not None and lines is not None:
        raise click.UsageError("--since and --lines say the same in two ways; give one.")
    group, version = named(function)
    try:
        since_ms = None if since is None else durations.since_ms(since, time.time())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _source(group, data, follow=follow) as source:
        keep = _keeping(version, request)
        if since_ms is not None:
            _show(source.since(since_ms, keep), as_json=as_json)
        elif request:
            _show(source.since(0, keep), as_json=as_json)
        else:
            count = lines or (LINES_BEFORE_FOLLOWING if follow else LINES_DEFAULT)
            _show(source.last(count, keep), as_json=as_json)
        while follow:
            time.sleep(source.follow_seconds)
            _show(source.fresh(keep), as_json=as_json)
    return exits.OK


def named(function: str) -> tuple[str, str]:
    """The log group that a name means, and the version if it names one.

    Raises:
        click.UsageError: it names an alias, or nothing.
    """
    if function.startswith("/"):
        return function, ""
    found = _NAME.fullmatch(function)
    if found is None:
        raise click.UsageError(f"{function!r} is no function's name")
    name, version = found[1], found[2] or ""
    if version and not (version.isdigit() or version == "$LATEST"):
        raise click.UsageError(
            f"logs are kept by version, and {version!r} is an alias; `dynimo alias {name}` shows"
            " where it leads."
        )
    return _GROUP_PREFIX + name, version


def _keeping(version: str, request: str) -> Keep:
    def keep(entry: Entry) -> bool:
        if request and entry.request != request and request not in entry.text:
            return False
        return not version or f"[{version}]" in entry.stream

    return keep


@contextmanager
def _source(group: str, data: str, *, follow: bool) -> Iterator[Source]:
    """The files of the data folder; or the platform that AWS_ENDPOINT_URL names."""
    from dynimo.cli import log_sources
    from dynimo.logs.layout import FOLDER

    if not data_typed() and _elsewhere(Path(data)):
        with connected(data) as client:
            yield log_sources.Api(client, group)
        return
    root = Path(data) / FOLDER
    try:
        owner = log_sources.found_account(root, group, account())
        if owner is None:
            hint = _unknown(root, group)
            if not follow:
                raise Refused(hint, exits.NOT_FOUND)
            click.echo(f"dynimo: {hint} Waiting for its first line.", err=True)
        yield log_sources.Files(root, owner or account(), group)
    except PermissionError as error:
        raise Refused(f"{error.filename}: {error.strerror}.", exits.DENIED) from None


def _elsewhere(folder: Path) -> bool:
    """Whether AWS_ENDPOINT_URL names another platform than the one that serves on the folder."""
    from dynimo.datafolder import ADDRESS_FILE

    address = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    try:
        return bool(address) and (folder / ADDRESS_FILE).read_text().strip() != address
    except OSError:
        return True


def _unknown(root: Path, group: str) -> str:
    """What to say of a group that is not there, and what to do next."""
    import difflib

    from dynimo.logs import groups

    if not root.is_dir():
        return f"no log is kept in {root.parent}; `dynimo up --data {root.parent}` serves there."
    names = sorted({name.removeprefix(_GROUP_PREFIX) for _, name in groups.sources(root)})
    near = difflib.get_close_matches(group.removeprefix(_GROUP_PREFIX), names, n=1)
    wanted = group.removeprefix(_GROUP_PREFIX)
    hint = f"did you mean {near[0]!r}?" if near else "`dynimo versions` lists every function."
    return f"{wanted!r} has no log in {root.parent}, as one begins with the first call; {hint}"


def _show(entries: Iterable[Entry], *, as_json: bool) -> None:
    show = in_json if as_json else in_words
    for entry in entries:
        click.echo(show(entry))


def in_json(entry: Entry) -> str:
    """One JSON object, with names in snake case."""
    version = _VERSION.search(entry.stream)
    told: dict[str, Any] = {
        "time": datetime.fromtimestamp(entry.when_ms / 1000, UTC).isoformat(
            timespec="milliseconds"
        ),
        "kind": entry.kind,
        "request": entry.request,
        "version": version[1] if version else "",
        "stream": entry.stream,
        "message": entry.text,
    }
    return json.dumps(told, ensure_ascii=False)


def in_words(entry: Entry) -> str:
    """One line (or several) for people: local time, then the text without what moves a cursor."""
    when = datetime.fromtimestamp(entry.when_ms / 1000).astimezone()
    today = when.date() == datetime.now(tz=when.tzinfo).date()
    clock = when.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
    text = legible(entry.text)
    if styled("x", "red") == "x":
        text = _COLOUR.sub("", text)
    elif _BAD.search(text):
        text = styled(text, "red")
    elif entry.kind == "platform":
        text = styled(text, "bright_black")
    return f"{styled(f'{clock}.{entry.when_ms % 1000:03d}', 'bright_black')} {text}"


def legible(text: str) -> str:
    """A line as people read it: AWS's inner line ends broken, what moves a cursor taken out."""
    return _CONTROL.sub("", text.replace("\r", "\n")).rstrip()
