"""Reads the arguments and runs one command; exit codes are those of the platform's verbs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from commands import diff, explain, purge, roll_out, sign, test
from dynimo.sdk.commands import CommandError
from rulesets.mistakes import RulesError

FAILED, USAGE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run what was typed behind `dynimo images`."""
    parser = argparse.ArgumentParser(
        prog="dynimo images", description="Pictures and their rules, from the command line."
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    explain.add(verbs)
    purge.add(verbs)
    sign.add(verbs)
    rules = verbs.add_parser("rules", help="Test, compare and roll out rules.")
    under = rules.add_subparsers(required=True, metavar="COMMAND")
    for each in (test, diff, roll_out):
        each.add(under)
    typed = parser.parse_args(arguments)
    try:
        code: int = typed.run(typed)
    except CommandError as error:
        sys.stderr.write(f"dynimo images: {error}\n")
        return error.code
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else error
        sys.stderr.write(f"dynimo images: {named}\n")
        return FAILED
    except RulesError as error:
        sys.stderr.write(f"dynimo images: {error}\n")
        return FAILED
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
