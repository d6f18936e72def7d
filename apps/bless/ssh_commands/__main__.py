"""Reads the arguments and runs one command; only that command's module is imported."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dynimo.sdk.commands import CommandError

OK, FAILED, USAGE, NOT_FOUND, DENIED, INTERRUPTED = 0, 1, 2, 3, 4, 130
VERBS = {
    "init": ("set_up", "Make a certificate authority, and show what to put on hosts."),
    "login": ("login", "Get a certificate for yourself, into the agent or a file."),
    "host": ("host", "Certify a host's key, and keep its certificate fresh."),
    "explain": ("explain", "Show which rule would let you in, and why not the others."),
    "ca": ("ca", "Show the CA's keys, hand them out, exchange them."),
    "krl": ("krl", "Revoke; show and fetch what is revoked."),
    "audit": ("audit", "Check the log of everything that was certified."),
    "waiting": ("approve", "Show what waits for somebody's approval."),
    "approve": ("approve", "Approve a request that waits."),
    "deny": ("approve", "Deny a request that waits."),
    "policy": ("policy", "Show, check and replace the rules."),
}
"""Each verb: the module that has its ``add`` and what it is for."""


class _Parser(argparse.ArgumentParser):
    """Says after each mistake where to read on."""

    def error(self, message: str) -> NoReturn:
        super().error(f"{message}. See `{self.prog} --help`.")


def main(arguments: Sequence[str]) -> int:
    """Run what was typed behind `dynimo ssh`."""
    if sys.stdout is None:  # closed by whoever called
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until this process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where not every letter can be written
            stream.reconfigure(errors="backslashreplace")
    meant = next((word for word in arguments if not word.startswith("-")), "")
    if meant and meant not in VERBS and arguments[0] == meant:
        sys.stderr.write(_unknown(meant))
        return USAGE
    typed = _read(arguments, meant)
    try:
        code: int = typed.run(typed)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"dynimo ssh: {error}\n")
        return error.code
    except BrokenPipeError:  # a reader that left has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        return _failed(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _read(arguments: Sequence[str], meant: str) -> argparse.Namespace:
    parser = _Parser(
        prog="dynimo ssh", description="An SSH certificate authority, from the command line.",
        allow_abbrev=False,
    )  # fmt: skip
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    for name, (module, about) in VERBS.items():
        under = verbs.add_parser(name, help=about, description=about, allow_abbrev=False)
        if name == meant:
            importlib.import_module(f"ssh_commands.{module}").add(under, name)
    typed, rest = parser.parse_known_args(arguments)
    if rest:
        verbs.choices[meant].error(f"unrecognized arguments: {' '.join(rest)}")
    return typed


def _unknown(verb: str) -> str:
    import difflib  # noqa: PLC0415 - for mistakes only

    near = difflib.get_close_matches(verb, VERBS, 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"dynimo ssh: there is no verb {verb!r}{meant} See `dynimo ssh --help`.\n"


def _failed(error: OSError) -> int:
    if isinstance(error, FileNotFoundError) and error.filename:
        sys.stderr.write(f"dynimo ssh: there is no {error.filename}\n")
        return NOT_FOUND
    sys.stderr.write(f"dynimo ssh: {error.filename or 'failed'}: {error.strerror or error}\n")
    return DENIED if isinstance(error, PermissionError) else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
