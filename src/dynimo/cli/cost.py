"""``dynimo cost``: what functions used, and what that costs; read from the data folder itself."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import durations, exits
from dynimo.cli.connecting import Refused, data_option, json_option

if TYPE_CHECKING:
    from dynimo.metering.config import Config
    from dynimo.metering.totals import Total

DIGITS = 6
"""Of a cost: a single request is well below a cent."""


@click.command("cost")
@click.argument("function", required=False, default="")
@click.option("--since", default="30d", show_default=True, help="10m, 2h, 30d, or an ISO time.")
@click.option(
    "--by",
    type=click.Choice(["function", "version", "alias", "day"]),
    default="function",
    show_default=True,
    help="What to tell apart.",
)
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="Settings in TOML.")
@data_option
@json_option
def command(
    function: str, since: str, by: str, config_file: str | None, data: str, as_json: bool
) -> int:
    """Show what FUNCTION, or every function, used and what it costs.

    Prices are settings (metering.request_price_per_million, metering.gb_second_price), AWS's for
    us-east-1 unless you set them.

    \b
    Examples:
      dynimo cost
      dynimo cost hello --since 7d --by day
    """
    import sqlite3

    from dynimo.metering.meter import FOLDER
    from dynimo.metering.totals import totals

    try:
        since_ms = durations.since_ms(since, time.time())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    folder = Path(data) / FOLDER
    try:
        found = totals(folder, since_ms=since_ms, by=by, function=function)
    except FileNotFoundError:
        text = f"nothing was counted in {data}; `dynimo up --data {data}` serves there."
        raise Refused(text, exits.NOT_FOUND) from None
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Refused(f"{folder} cannot be read: {why}.", exits.DENIED) from None
    if function and not found:
        text = f"{function!r} used nothing since then; `dynimo versions` lists every function."
        raise Refused(text, exits.NOT_FOUND)
    prices = _prices(config_file)
    if as_json:
        click.echo(json.dumps(_document(found, by, prices)))
    else:
        _table(found, by, prices)
    return exits.OK


def _prices(config_file: str | None) -> Config:
    from dynimo import settings
    from dynimo.metering.config import Config
    from dynimo.model.errors import ConfigError

    try:
        told = settings.read(Path(config_file) if config_file else None, os.environ, {})
    except ConfigError as error:
        raise Refused(str(error), exits.CONFIG) from None
    held = getattr(told, "metering", None)
    return held if isinstance(held, Config) else Config()


def _document(found: list[Total], by: str, prices: Config) -> dict[str, Any]:
    from dynimo.metering.prices import cost
    from dynimo.metering.use import NAMES

    rows = []
    total = cost(_sum(found), prices)
    for each in found:
        costs = cost(each.use, prices)
        row: dict[str, Any] = {"function": each.arn} | ({} if by == "function" else {by: each.part})
        row |= {name: getattr(each.use, name) for name in NAMES}
        row |= {"gb_seconds": each.use.gb_seconds, "held_gb_seconds": each.use.held_gb_seconds}
        row |= {
            "cost_requests": float(costs.requests),
            "cost_compute": float(costs.compute),
            "cost_idle": float(costs.idle),
            "cost": float(costs.total),
        }
        rows.append(row)
    return {
        "rows": rows,
        "cost": float(total.total),
        "currency": prices.currency,
        "prices": {
            "request_price_per_million": prices.request_price_per_million,
            "gb_second_price": prices.gb_second_price,
            "idle_gb_second_price": prices.idle_gb_second_price,
        },
    }


def _table(found: list[Total], by: str, prices: Config) -> None:
    from dynimo.metering.prices import cost

    if not found:
        click.echo("Nothing ran since then.")
        return
    head = ["function", *([by] if by != "function" else []), "requests", "errors", "throttles",
            "cold", "avg ms", "peak MiB", "GB-s", "idle GB-s", prices.currency]  # fmt: skip
    rows = [head]
    for each in found:
        use = each.use
        names = [each.arn.rpartition(":")[2], *([each.part or "-"] if by != "function" else [])]
        average = use.billed_ms / use.requests if use.requests else 0
        rows.append(
            [*names, str(use.requests), str(use.errors), str(use.throttles), str(use.inits),
             f"{average:.1f}", str(use.rss_kib // 1024), f"{use.gb_seconds:.3f}",
             f"{use.held_gb_seconds:.3f}", f"{cost(use, prices).total:.{DIGITS}f}"]
        )  # fmt: skip
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    text_columns = 1 if by == "function" else 2
    for row in rows:
        cells = (
            cell.ljust(width) if at < text_columns else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  " + "  ".join(cells).rstrip())
    total = cost(_sum(found), prices).total
    click.echo(f"  total {total:.{DIGITS}f} {prices.currency}")


def _sum(found: list[Total]) -> Any:
    from dynimo.metering.use import Use

    total = Use()
    for each in found:
        total.add(each.use)
    return total
