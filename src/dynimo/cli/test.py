"""``dynimo test``: the project's own suite. Only a checkout has one."""

from __future__ import annotations

import click

from dynimo.cli import checkout


@click.command(
    "test",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run the whole suite; ARGUMENTS go to pytest."""
    return checkout.run("pytest", arguments, what="tests")
