"""``dynimo edge warm``: ask a running edge for many addresses, before people come and ask.

Asks a few at once and as the least important class (``dynimo-priority: warm``, which only the
operator's key may set), so that people's own requests go first. What is turned away for now is
asked for again, later.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused, data_option

AT_ONCE_MAX = 64
POPULAR_MAX = 1000
TRIES_MAX = 8
"""How often an address is asked for that is turned away (503, 429)."""

WAIT_SECONDS_MAX = 5.0
ANSWER_SECONDS = 120.0
PROGRESS_SECONDS = 0.5
FAILURES_SHOWN = 10
_TURNED_AWAY = (429, 503)
REFUSED_FROM = 400
"""Statuses of answers that are kept and need no warming: refusals."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One address: its Host ("" for the server's own), its target, and headers that select."""

    host: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Told:
    """What came of it. ``fetched`` was not there, ``there`` was, ``stale`` is being renewed."""

    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    failures: list[str] = field(default_factory=list)


@click.command("warm")
@click.argument("addresses", metavar="[LIST]", type=click.File("r"), required=False)
@click.option(
    "--popular",
    type=click.IntRange(1, POPULAR_MAX),
    metavar="N",
    help="Ask for the N addresses that were asked for most (`dynimo edge top`).",
)
@click.option("--tag", "tags", multiple=True, help="Of the popular ones those that bear a tag.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME:VALUE",
    help="Send it too; repeatable. $VARIABLE as a value is read from the environment: a secret.",
)  # fmt: skip
@click.option("--parameter", default="", metavar="NAME=VALUE", help="Add it to each query.")
@click.option(
    "--at-once", type=click.IntRange(1, AT_ONCE_MAX), default=4, show_default=True,
    help="How many to ask for at once.",
)  # fmt: skip
@data_option
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    addresses: TextIO | None,
    popular: int | None,
    tags: tuple[str, ...],
    headers: tuple[str, ...],
    parameter: str,
    at_once: int,
    data: str,
    *,
    as_json: bool,
) -> int:
    """Fill a running edge before people come, behind everybody who is there already.

    LIST has one address a line, /PATH?QUERY or http://HOST/PATH?QUERY; - reads them from the input.

    \b
    Examples:
      dynimo edge warm launch.txt
      dynimo edge warm --popular 500 --at-once 8
      dynimo edge warm --popular 100 --tag artwork-7
    """
    if (addresses is None) == (popular is None):
        raise click.UsageError("name a LIST of addresses, or --popular N")
    if tags and popular is None:
        raise click.UsageError("--tag chooses among --popular N")
    if any(":" not in each for each in headers):
        raise click.UsageError("--header must be NAME:VALUE")
    from dynimo.cli import asking

    if addresses is not None:
        wanted = list(_read(addresses))
    else:
        _, told = asking.ask(Path(data), "GET", f"/_dynimo/edge/top?limit={POPULAR_MAX}", b"")
        wanted = _popular(told["top"], popular or 0, frozenset(tags))
    wanted = [_with(each, headers, parameter) for each in wanted]
    address, key = asking.known(Path(data))
    parts = urlsplit(address)
    began = time.monotonic()
    found = _warm(parts.hostname or "127.0.0.1", parts.port or 80, key, wanted, at_once)
    return _report(found, len(wanted), time.monotonic() - began, as_json=as_json)


def _read(lines: TextIO) -> Iterator[Wanted]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = urlsplit(text)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if text.startswith("/") and not text.startswith("//"):
            yield Wanted("", text)
        elif parts.scheme in {"http", "https"} and parts.netloc:
            yield Wanted(parts.netloc, target)
        else:
            raise click.UsageError(f"line {number} is no address: {text[:80]}")


def _popular(top: list[dict[str, Any]], number: int, tags: frozenset[str]) -> list[Wanted]:
    """What can be asked for from outside: the platform's own addresses cannot."""
    return [
        Wanted(each["host"], each["target"], tuple(each["variant"].items()))
        for each in top
        if each["host"] != "|"
        and each["status"] < REFUSED_FROM
        and (not tags or not tags.isdisjoint(each["tags"]))
    ][:number]


def _with(wanted: Wanted, headers: tuple[str, ...], parameter: str) -> Wanted:
    """The same with further headers, and a further parameter."""
    pairs = [each.partition(":") for each in headers]
    more = tuple((name.strip(), _value(value.strip())) for name, _, value in pairs)
    between = "&" if "?" in wanted.target else "?"
    target = f"{wanted.target}{between}{parameter}" if parameter else wanted.target
    return Wanted(wanted.host, target, (*wanted.headers, *more))


def _value(typed: str) -> str:
    return os.environ.get(typed[1:], "") if typed.startswith("$") else typed


def _warm(host: str, port: int, key: str, wanted: list[Wanted], at_once: int) -> Told:
    """Ask for all of them, ``at_once`` at a time."""
    told, lock, left = Told(), threading.Lock(), iter(wanted)

    def ask_for_the_rest() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
        while True:
            with lock:
                each = next(left, None)
            if each is None:
                connection.close()
                return
            outcome, size = _asked(connection, key, each)
            with lock:
                kept = outcome in {"fetched", "there", "stale"}
                told.counts[outcome if kept else "failed"] += 1
                told.size += size
                if not kept and len(told.failures) < FAILURES_SHOWN:
                    told.failures.append(f"{each.host}{each.target}: {outcome}")

    threads = [threading.Thread(target=ask_for_the_rest, daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(PROGRESS_SECONDS)
        for thread in threads[1:]:
            thread.join(0 if threads[0].is_alive() else PROGRESS_SECONDS)
        if sys.stderr.isatty():
            click.echo(f"\r{told.counts.total():,} of {len(wanted):,}", nl=False, err=True)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    return told


def _asked(connection: http.client.HTTPConnection, key: str, each: Wanted) -> tuple[str, int]:
    """Ask for one; (what came of it, bytes)."""
    headers = {"x-dynimo-key": key, "dynimo-priority": "warm", **dict(each.headers)}
    if each.host:
        headers["host"] = each.host
    outcome = "never answered"
    for tried in range(TRIES_MAX):
        try:
            connection.request("GET", each.target, headers=headers)
            answer = connection.getresponse()
            size = len(answer.read())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            outcome = str(error) or type(error).__name__
            continue
        if answer.status not in _TURNED_AWAY:
            return _outcome(answer), size
        outcome = f"turned away with {answer.status}"
        time.sleep(_wait(answer.getheader("retry-after", ""), tried))
    return outcome, 0


def _outcome(answer: http.client.HTTPResponse) -> str:
    if answer.status >= 400:
        return f"status {answer.status}"
    account = answer.getheader("cache-status", "")
    if "stale-while-revalidate" in account:
        return "stale"
    if "fwd=" not in account:
        return "there"
    return "fetched" if "stored" in account or "collapsed" in account else "not stored"


def _wait(said: str, tried: int) -> float:
    """How long to wait after being turned away: as told, and longer each time."""
    told = float(said) if said.isdigit() else 0.25
    return min(WAIT_SECONDS_MAX, told * (1 + tried))


def _report(told: Told, asked: int, seconds: float, *, as_json: bool) -> int:
    counts = {name: told.counts[name] for name in ("fetched", "there", "stale", "failed")}
    if as_json:
        document = {
            "asked": asked, **counts, "bytes": told.size, "seconds": round(seconds, 3),
            "failures": told.failures,
        }  # fmt: skip
        click.echo(json.dumps(document))
    else:
        what = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
        click.echo(f"{asked:,} asked: {what or 'nothing'}; {told.size:,} bytes in {seconds:.1f} s")
        for line in told.failures:
            click.echo(f"  {line}", err=True)
    if counts["failed"]:
        such = f", such as {told.failures[0]}" if told.failures else ""
        raise Refused(f"{counts['failed']} of {asked} could not be had{such}.", exits.FAILED)
    return exits.OK
