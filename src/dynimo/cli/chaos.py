"""``dynimo chaos``: break a server of its own on purpose, and print what clients saw of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import json_option

if TYPE_CHECKING:
    from dynimo.chaos.findings import Finding

SECONDS = 5.0
WORKERS = 2


@click.command("chaos")
@click.argument("names", nargs=-1)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=SECONDS,
    show_default=True,
    help="How long each harm is done.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=WORKERS,
    show_default=True,
    help="How many processes speak HTTP; with one none of them is killed.",
)
@click.option("--list", "listing", is_flag=True, help="List the experiments.")
@json_option
def command(
    names: tuple[str, ...], *, seconds: float, workers: int, listing: bool, as_json: bool
) -> int:
    """Harm a server that is started for this, while clients ask it; print what they saw.

    NAMES choose experiments; without any, all are done. Exit status 1 says that a client saw an
    error that it should not have seen, or that all was not well again afterwards.

    \b
    Examples:
      dynimo chaos
      dynimo chaos disk zygotes --seconds 20
      dynimo chaos --json
    """
    from dynimo.chaos.experiments import EXPERIMENTS
    from dynimo.chaos.running import run
    from dynimo.chaos.server import NotStarted, may_mount

    if listing:
        if as_json:
            click.echo(json.dumps({each.name: each.about for each in EXPERIMENTS}))
            return exits.OK
        for each in EXPERIMENTS:
            click.echo(f"{each.name:<14} {each.about}")
        return exits.OK
    known = {each.name: each for each in EXPERIMENTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"no experiment {unknown[0]!r}; there are: {', '.join(known)}")
    chosen = [known[name] for name in names] or list(EXPERIMENTS)
    if workers == 1:
        chosen = [each for each in chosen if each.name != "fronts"]
    if not as_json:
        if any(each.name == "disk" for each in chosen) and not may_mount():
            click.echo(
                "Without root no disk is filled: the server may not make files larger instead."
            )
        click.echo(_row(_HEAD))
    found = []
    try:
        for finding in run(chosen, seconds=seconds, workers=workers):
            found.append(finding)
            if not as_json:
                click.echo(_row(_cells(finding)))
    except NotStarted as error:
        click.echo(f"dynimo: {error}", err=True)
        return exits.INTERNAL
    if as_json:
        click.echo(json.dumps([_document(finding) for finding in found], indent=2))
    return exits.OK if all(finding.well for finding in found) else exits.FAILED


_HEAD = ("harm", "asked", "good", "stale", "p50 ms", "p99 ms", "well after", "may be", "ERRORS")
_WIDTHS = (14, 6, 6, 6, 8, 8, 10, 16, 0)


def _row(cells: tuple[str, ...]) -> str:
    first, *rest = cells
    padded = [f"{cell:>{width}}" for cell, width in zip(rest[:-2], _WIDTHS[1:-2], strict=True)]
    may, errors = rest[-2:]
    return f"{first:<{_WIDTHS[0]}} {' '.join(padded)}  {may:<{_WIDTHS[-2]}} {errors}".rstrip()


def _cells(finding: Finding) -> tuple[str, ...]:
    back = f"{finding.back_seconds:.2f} s" if math.isfinite(finding.back_seconds) else "NEVER"
    return (
        finding.name,
        str(finding.asked),
        str(finding.good),
        str(finding.stale),
        f"{finding.p50 * 1000:.1f}",
        f"{finding.p99 * 1000:.1f}",
        back,
        _counts(finding.allowed) or "-",
        _counts(finding.errors) or "-",
    )


def _counts(problems: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(problems.items()))


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "harm": finding.name,
        "about": finding.about,
        "asked": finding.asked,
        "good": finding.good,
        "stale": finding.stale,
        "p50_ms": _number(finding.p50 * 1000),
        "p99_ms": _number(finding.p99 * 1000),
        "well_after_seconds": _number(finding.back_seconds),
        "allowed": finding.allowed,
        "errors": finding.errors,
        "well": finding.well,
    }


def _number(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
