"""Reads the arguments and runs one command; only that command's module is imported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from dynimo.sdk.commands import CommandError

OK, FAILED, DENIED, INTERRUPTED = 0, 1, 4, 130
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


def main(arguments: Sequence[str]) -> int:
    """Run what was typed behind `dynimo ssh`."""
    parser = argparse.ArgumentParser(
        prog="dynimo ssh", description="An SSH certificate authority, from the command line.",
        allow_abbrev=False,
    )  # fmt: skip
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    meant = next((word for word in arguments if not word.startswith("-")), "")
    for name, (module, about) in VERBS.items():
        under = verbs.add_parser(name, help=about, description=about, allow_abbrev=False)
        if name == meant:
            importlib.import_module(f"ssh_commands.{module}").add(under, name)
    typed = parser.parse_args(arguments)
    try:
        code: int = typed.run(typed)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"dynimo ssh: {error}\n")
        return error.code
    except BrokenPipeError:  # a reader that left has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except PermissionError as error:
        sys.stderr.write(f"dynimo ssh: {error.filename}: {error.strerror}\n")
        return DENIED
    except OSError as error:
        sys.stderr.write(f"dynimo ssh: {error.filename or 'failed'}: {error.strerror or error}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
