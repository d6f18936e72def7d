"""The list of verbs, and how each is found; apps may bring more. No verb's work happens here."""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any

import click

from dynimo import __version__
from dynimo.cli import exits

VERBS = {
    "up": "Serve: set up the data folder, deploy the apps, answer requests.",
    "edge": "Cache what any HTTP server answers; a cache of its own.",
    "new": "Make a folder with a function that works, from a blueprint.",
    "run": "Run a handler once, here and now, as a deployed one would run.",
    "dev": "Serve a file or a folder while you write it: every change is live at once.",
    "deploy": "Deploy a file, an app's folder or a SAM template; shows the difference first.",
    "invoke": "Run a function once, and show its answer and its log.",
    "versions": "Show a function's versions and aliases, or every function.",
    "alias": "Point an alias at a version, wholly or for a share of the calls.",
    "rollback": "Lead an alias back to the version before.",
    "env": "Print the lines that point AWS's tools here, with a development key.",
    "access": "Manage users, roles, access keys and policies.",
    "logs": "Show what a function wrote; live with -f.",
    "cost": "Show what functions used, and what it costs.",
    "queue": "Look into the built-in queues: dead letters and results; redrive or purge them.",
    "purge": "Drop stored answers from a running server's edge cache.",
    "doctor": "Show what is on, what is missing, and the command that mends it.",
    "chaos": "Break a server of its own on purpose, and show what clients saw of it.",
    "settings": "List every setting, its default and its environment variable.",
    "simulate": "Show what a spike would meet: prescaled, autoscaled and Dynimo, in virtual time.",
    "check": "Check an app's folder before it is deployed.",
    "test": "Run the project's whole test suite (in a checkout).",
    "bench": "Measure, side by side with other programs (in a checkout).",
}


TRACEBACK_VARIABLE = "DYNIMO_TRACEBACK"


def _brought() -> dict[str, click.Command]:
    """The verbs of apps; where the platform has one of that name, it is the platform's."""
    from dynimo.cli import brought

    return {
        name: brought.command(name, folder, declared)
        for name, (folder, declared) in brought.verbs().items()
        if name not in VERBS
    }


class _Verbs(click.Group):
    """A group whose verbs are imported only when they run: ``--help`` must start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*VERBS, *_brought()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return _brought().get(cmd_name)
        module = importlib.import_module(f"dynimo.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))
        if brought := _brought():
            with formatter.section("Verbs of apps"):
                formatter.write_dl([(name, each.help or "") for name, each in brought.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and name not in (brought := _brought()):
            import difflib

            near = difflib.get_close_matches(name, [*VERBS, *brought], n=1)
            hint = f" Did you mean `dynimo {near[0]}`?" if near else " See `dynimo --help`."
            ctx.fail(f"there is no verb {name!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First time? `dynimo up`, then open one of the addresses it prints.",
)
@click.version_option(__version__, prog_name="dynimo", message="%(prog)s %(version)s")
def group() -> None:
    """Dynimo runs work on demand, on your own machines."""


def _failed(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        click.echo(f"dynimo: {message}", err=True)
    return code


def run(argv: list[str] | None = None) -> int:
    """Run one verb; the exit codes are in ``exits``."""
    try:
        result: Any = group.main(args=argv, prog_name="dynimo", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return exits.USAGE if isinstance(error, click.UsageError) else error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except SystemExit:
        # click's own end when the reader of our output left (`dynimo … | head`): nobody's fault.
        return exits.OK
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _failed(f"{what}{error.strerror or error}.", exits.FAILED)
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        text = f"this is a fault of Dynimo's: {type(error).__name__}: {error}."
        return _failed(f"{text} {TRACEBACK_VARIABLE}=1 shows where.", exits.INTERNAL)
    return result if isinstance(result, int) else exits.OK
