"""``dynimo bench``: starts the benchmarks of a checkout. They live in ``bench/``, not here."""

from __future__ import annotations

import click

from dynimo.cli import checkout


@click.command(
    "bench",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Measure; ARGUMENTS go to the bench program (`dynimo bench --help`)."""
    return checkout.run("bench", arguments, what="benchmarks")
